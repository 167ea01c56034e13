"""Pictures and label maps of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import InputError
from ...imaging import as_labels
from .decoding import Raster, decode

# ITU-R BT.601, what Pillow uses for its mode "L".
_LUMA = np.array([0.299, 0.587, 0.114])


def read_picture(path: str | Path) -> np.ndarray:
    """Read a 2D image (rows, cols) of any real dtype, turned as viewers show it; colour becomes luma, alpha is dropped.

    Raises:
        InputError: Missing, unreadable, not a picture, more than one page, or no finite value.
        DependencyError: Pillow or tifffile is needed and not installed.
    """
    pixels = _page(Path(path), _decoded(Path(path), palette_as_indices=False))
    pixels = pixels[..., 0] if pixels.shape[-1] < 3 else pixels[..., :3].astype(np.float64) @ _LUMA
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).any():
        raise InputError(f"{path} holds no finite value (nothing but NaN or infinity).")
    return np.ascontiguousarray(pixels)


def read_label_picture(path: str | Path) -> np.ndarray:
    """Read a 2D label map (rows, cols) as uint16, turned as viewers show it; a palette image gives its indices.

    What is transparent is background. Where one colour fills the whole picture, the label is what is not transparent.

    Raises:
        InputError: As :func:`read_picture`; also where channels differ, values are not whole numbers of 0 to 65535, or
            the compression is lossy (JPEG), which turns labels into noise.
        DependencyError: Pillow or tifffile is needed and not installed.
    """
    path = Path(path)
    raster = _decoded(path, palette_as_indices=True)
    if raster.lossy:
        raise InputError(
            f"{path} is compressed as JPEG is, which is lossy and changes label values: save label maps as PNG."
        )
    pixels = _page(path, raster)
    colours = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1]
    shown = None if raster.alpha is None else raster.alpha[0]
    visible = colours if shown is None else colours[shown]
    if (visible != visible[..., :1]).any() and not _is_uniform(visible):
        raise InputError(f"{path} is a colour image; a label map has one number per pixel.")
    if shown is None:
        return _labels(path, colours[..., 0])
    if _is_uniform(visible):
        # Ink of one colour on a transparent ground: its label is its brightness, as everywhere, but black ink is ink.
        ink = int(_labels(path, visible[:1].max(axis=-1)).max(initial=0))
        return np.where(shown, np.uint16(ink or 1), np.uint16(0))
    return np.where(shown, _labels(path, colours[..., 0]), np.uint16(0))


def read_planes(path: Path) -> np.ndarray:
    """All pages of a picture, (pages, rows, cols, channels), turned as viewers show them; alpha is dropped.

    Raises:
        InputError: As :func:`read_picture`.
    """
    return _decoded(path, palette_as_indices=False).planes


def _decoded(path: Path, *, palette_as_indices: bool) -> Raster:
    try:
        return decode(path, palette_as_indices=palette_as_indices)
    except InputError as error:
        if path.name in str(error):
            raise
        raise InputError(f"{path} cannot be used: {error}") from error


def _page(path: Path, raster: Raster) -> np.ndarray:
    planes = raster.planes
    if len(planes) != 1:
        raise InputError(f"{path} has {len(planes)} pages; a picture has one.")
    if planes.shape[-1] > 4:
        raise InputError(f"{path} has {planes.shape[-1]} channels; a picture has one, or those of a colour.")
    return planes[0]


def _is_uniform(pixels: np.ndarray) -> bool:
    flat = pixels.reshape(-1, pixels.shape[-1])
    return bool(len(flat)) and bool((flat == flat[0]).all())


def _labels(path: Path, pixels: np.ndarray) -> np.ndarray:
    try:
        return as_labels(pixels)
    except InputError as error:
        raise InputError(f"{path} is not a label map: {error}") from error
