"""From the bytes of a picture to its pixels, through Pillow and tifffile, which are asked for when they are needed."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import DependencyError, InputError

#: Endings of pictures that can be read.
READABLE = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".pnm")

_LOSSY_FORMATS = ("JPEG", "MPO", "JPEG2000")
_LOSSY_TIFF = ("JPEG", "OJPEG", "JPEG_LOSSY", "WEBP", "JPEG2000", "JPEGXL")
_PLAIN_MODES = ("L", "LA", "I;16", "I;16B", "I", "F", "RGB", "RGBA")
# How viewers turn a picture, by the number in its EXIF data or TIFF tags: (transpose, then flip rows, flip columns).
_TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
_TOO_LARGE = ("DecompressionBombError", "DecompressionBombWarning")


@dataclass(frozen=True)
class Raster:
    """The pixels of a picture, turned as viewers show them.

    Attributes:
        planes: (pages, rows, cols, channels), any real dtype; colours without their alpha channel.
        alpha: (pages, rows, cols) boolean, what viewers show; None where all of it is shown.
        lossy: Whether its compression changes values.
    """

    planes: np.ndarray
    alpha: np.ndarray | None = None
    lossy: bool = False


def decode(path: Path, *, palette_as_indices: bool) -> Raster:
    """Read a picture.

    Raises:
        InputError: Missing, empty, not a picture, damaged, too large, or not made of real numbers.
        DependencyError: Pillow or tifffile is needed and not installed.
    """
    ending = path.suffix.lower()
    if ending not in READABLE:
        raise InputError(f"{path}: pictures end with {', '.join(READABLE)}.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or 'it is damaged'}.") from error
    if not data:
        raise InputError(f"{path} is empty.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks of the decoders about odd tags
            raster = _decode(ending, data, palette_as_indices)
    except (DependencyError, InputError):
        raise
    except MemoryError as error:
        raise InputError(f"{path} is larger than the memory of this computer, or it is damaged.") from error
    except Exception as error:
        # Decoders have exceptions of their own, and let through whatever damage leads to; the user's file is at fault.
        if type(error).__name__ in _TOO_LARGE:
            raise InputError(f"{path} has more pixels than can be taken for a picture.") from error
        raise InputError(f"{path} is not a picture that can be read: {_reason(ending, data)}.") from error
    planes = raster.planes
    if planes.size == 0 or planes.dtype.kind not in "biuf":
        raise InputError(f"{path} holds {planes.size} values of type {planes.dtype}; real numbers are needed.")
    return raster


def pillow() -> ModuleType:
    """Pillow's module of images.

    Raises:
        DependencyError: It is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise DependencyError("PNG and JPEG files need the package Pillow: pip install pillow.") from error
    return Image


def _decode(ending: str, data: bytes, palette_as_indices: bool) -> Raster:
    if ending == ".npy":
        return Raster(_as_planes(np.load(io.BytesIO(data), allow_pickle=False)))
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        with contextlib.suppress(ValueError):  # a compression that tifffile lacks; Pillow may know it
            return _decode_tiff(data)
    with pillow().open(io.BytesIO(data)) as image:
        if getattr(image, "n_frames", 1) > 1 and image.format not in ("MPO",):
            raise InputError(f"it has {image.n_frames} pages or frames; a picture has one.")
        lossy = image.format in _LOSSY_FORMATS or (image.format == "WEBP" and b"VP8 " in data)
        lossy = lossy or (image.format == "TIFF" and image.info.get("compression") in ("jpeg", "tiff_jpeg"))
        # Pillow turns TIFF by itself.
        turn = 1 if image.format == "TIFF" else image.getexif().get(274, 1)
        alpha = _alpha(image)
        if image.mode == "1":
            pixels = np.asarray(image.convert("L")) // 255
        elif image.mode == "P" and palette_as_indices:
            pixels = np.asarray(image)
        elif image.mode in ("RGBA", "RGBa", "LA", "La", "PA"):
            pixels = np.asarray(image.convert("L" if image.mode[0] == "L" else "RGB"))
        elif image.mode in _PLAIN_MODES:
            pixels = np.asarray(image)
        else:
            pixels = np.asarray(image.convert("RGB"))
    planes = pixels[None, ..., None] if pixels.ndim == 2 else pixels[None]
    shown = None if alpha is None else _turned(alpha[None, ..., None], turn)[..., 0]
    return Raster(_turned(planes, turn), shown, lossy)


def _alpha(image: Any) -> np.ndarray | None:
    """What is shown of an image with an alpha channel or a transparent colour; None where that is everything."""
    if image.mode not in ("RGBA", "RGBa", "LA", "La", "PA") and "transparency" not in image.info:
        return None
    shown = np.asarray(image.convert("RGBA"))[..., 3] >= 128
    return None if shown.all() else shown


def _decode_tiff(data: bytes) -> Raster:
    try:
        import tifffile
    except ImportError as error:
        raise DependencyError("TIFF files need the package tifffile: pip install tifffile.") from error
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        series = file.series[0]
        array, axes = series.asarray(), series.axes
        lossy = getattr(page.compression, "name", "") in _LOSSY_TIFF
        orientation = page.tags.get(274)
        extra = page.tags.get(338)  # ExtraSamples: 1 and 2 are alpha
    samples = [n for n, axis in enumerate(axes) if axis in "SC"]
    array = np.moveaxis(array, samples[0], -1) if samples else array[..., None]
    planes = array.reshape(-1, *array.shape[-3:])
    alpha = None
    if extra is not None and planes.shape[-1] in (2, 4):
        kinds = extra.value if isinstance(extra.value, tuple) else (extra.value,)
        if int(kinds[0]) in (1, 2):
            half = (np.iinfo(planes.dtype).max if planes.dtype.kind in "iu" else 1) / 2
            shown = planes[..., -1] >= half
            alpha, planes = (None if shown.all() else shown), planes[..., :-1]
    turn = 1 if orientation is None else int(orientation.value)
    return Raster(_turned(planes, turn), None if alpha is None else _turned(alpha[..., None], turn)[..., 0], lossy)


def _as_planes(array: np.ndarray) -> np.ndarray:
    colour = array.ndim == 3 and array.shape[-1] in (1, 2, 3, 4)
    if array.ndim != 2 and not colour:
        raise InputError(f"it has the shape {array.shape}; a picture is (rows, cols), or with colour channels last.")
    return array[None] if colour else array[None, ..., None]


def _turned(planes: np.ndarray, orientation: int) -> np.ndarray:
    transpose, flip_rows, flip_cols = _TURNS.get(orientation, (False, False, False))
    if transpose:
        planes = planes.swapaxes(1, 2)
    return planes[:, :: -1 if flip_rows else 1, :: -1 if flip_cols else 1]


def _reason(ending: str, data: bytes) -> str:
    marks = (
        b"\x89PNG",
        b"\xff\xd8\xff",
        b"II",
        b"MM",
        b"GIF8",
        b"BM",
        b"RIFF",
        b"\x93NUMPY",
        b"P5",
        b"P6",
        b"P2",
        b"P3",
    )
    if data.startswith(marks):
        return "it is damaged or cut off"
    return f"it is no {ending[1:].upper()} file, nor of another kind of picture"
