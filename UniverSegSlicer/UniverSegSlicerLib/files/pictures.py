"""2D images: PNG, JPEG, TIFF and NumPy files. Pillow and tifffile are asked for when they are needed."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType

import numpy as np

from ..errors import DependencyError, InputError
from ..imaging import as_labels
from ..writing import replacing

#: Endings of pictures that can be read.
READABLE = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy")

# ITU-R BT.601, what Pillow uses for its mode "L".
_LUMA = np.array([0.299, 0.587, 0.114])


def read_picture(path: str | Path) -> np.ndarray:
    """Read a 2D image (rows, cols) of any real dtype; colour becomes luma, an alpha channel is dropped.

    Raises:
        InputError: Missing, unreadable, not a picture, more than one page, or no finite value.
        DependencyError: Pillow or tifffile is needed and not installed.
    """
    pixels = _pixels(Path(path), palette_as_indices=False)
    if pixels.ndim == 3:
        pixels = pixels[..., 0] if pixels.shape[-1] < 3 else pixels[..., :3].astype(np.float64) @ _LUMA
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).any():
        raise InputError(f"{path} holds no finite value (nothing but NaN or infinity).")
    return pixels


def read_label_picture(path: str | Path) -> np.ndarray:
    """Read a 2D label map (rows, cols) as uint16; a palette image gives its indices.

    Raises:
        InputError: As :func:`read_picture`; also where channels differ or values are not whole numbers of 0 to 65535.
        DependencyError: Pillow or tifffile is needed and not installed.
    """
    pixels = _pixels(Path(path), palette_as_indices=True)
    if pixels.ndim == 3:
        colours = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1]
        if (colours != colours[..., :1]).any():
            raise InputError(f"{path} is a colour image; a label map has one number per pixel.")
        pixels = pixels[..., 0]
    try:
        return as_labels(pixels)
    except InputError as error:
        raise InputError(f"{path} is not a label map: {error}") from error


def write_picture(path: str | Path, pixels: np.ndarray) -> None:
    """Write uint8 or uint16 (rows, cols) or uint8 (rows, cols, 3) as PNG; the file appears whole or not at all.

    Raises:
        InputError: Another ending than ``.png``, or pixels of another kind.
        OutputError: The file cannot be written.
    """
    path = Path(path)
    pixels = np.asarray(pixels)
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: the ending must be .png.")
    grey = pixels.ndim == 2 and pixels.dtype in (np.uint8, np.uint16)
    if not grey and not (pixels.ndim == 3 and pixels.shape[-1] == 3 and pixels.dtype == np.uint8):
        raise InputError(f"pixels of shape {pixels.shape} and dtype {pixels.dtype} do not make a PNG.")
    image = _pillow().fromarray(pixels)
    with replacing(path) as beside:
        image.save(beside, format="PNG")


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write an array as ``.npy``; the file appears whole or not at all (OutputError)."""
    with replacing(path) as beside, beside.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _pixels(path: Path, palette_as_indices: bool) -> np.ndarray:
    if path.suffix.lower() not in READABLE:
        raise InputError(f"{path}: pictures end with {', '.join(READABLE)}.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not data:
        raise InputError(f"{path} is empty.")
    try:
        pixels = _decode(path, data, palette_as_indices)
    except (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError) as error:
        raise InputError(f"{path} is not an image that can be read: {str(error).splitlines()[0]}.") from error
    except Exception as error:
        # Decoders have exceptions of their own (tifffile.TiffFileError, PIL's DecompressionBombError).
        if type(error).__module__.split(".")[0] not in ("PIL", "tifffile", "zlib", "struct", "imagecodecs", "tokenize"):
            raise
        raise InputError(f"{path} is not an image that can be read: {error}.") from error
    colour = pixels.ndim == 3 and pixels.shape[-1] in (1, 2, 3, 4)
    if pixels.ndim != 2 and not colour:
        raise InputError(
            f"{path} has the shape {pixels.shape}; a picture is (rows, cols), or with colour channels last."
        )
    if pixels.size == 0 or pixels.dtype.kind not in "biuf":
        raise InputError(f"{path} holds {pixels.size} values of type {pixels.dtype}; real numbers are needed.")
    return pixels


def _decode(path: Path, data: bytes, palette_as_indices: bool) -> np.ndarray:
    ending = path.suffix.lower()
    if ending == ".npy":
        return np.load(io.BytesIO(data), allow_pickle=False)
    if ending in (".tif", ".tiff"):
        try:
            import tifffile
        except ImportError as error:
            raise DependencyError("TIFF files need the package tifffile: pip install tifffile.") from error
        return np.squeeze(tifffile.imread(io.BytesIO(data)))
    with _pillow().open(io.BytesIO(data)) as image:
        if image.mode == "1":
            return np.asarray(image.convert("L")) // 255
        if image.mode == "P" and palette_as_indices:
            return np.asarray(image)
        if image.mode not in ("L", "LA", "I;16", "I;16B", "I", "F", "RGB", "RGBA"):
            return np.asarray(image.convert("RGB"))
        return np.asarray(image)


def _pillow() -> ModuleType:
    try:
        from PIL import Image
    except ImportError as error:
        raise DependencyError("PNG and JPEG files need the package Pillow: pip install pillow.") from error
    return Image
