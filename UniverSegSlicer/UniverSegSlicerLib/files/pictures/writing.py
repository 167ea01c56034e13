"""Pictures and arrays to files, each whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import InputError
from ...writing import replacing
from .decoding import pillow


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
    image = pillow().fromarray(pixels)
    with replacing(path) as beside:
        image.save(beside, format="PNG")


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write an array as ``.npy``; the file appears whole or not at all (OutputError)."""
    with replacing(path) as beside, beside.open("wb") as file:
        np.save(file, array, allow_pickle=False)
