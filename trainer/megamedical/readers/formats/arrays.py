"""What comes out of a file: an array as it is stored, and what the name of the file says of its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".mgz", ".mgh", ".mha", ".mhd", ".nrrd", ".nhdr")
ARRAY_SUFFIXES = (".npy", ".npz", ".mat", ".h5", ".hdf5")
VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv")
TIFF_SUFFIXES = (".tif", ".tiff")


@dataclass(frozen=True)
class RawArray:
    """An array as stored: ``spacing`` in mm per axis (NaN unknown), ``header`` what the format says besides."""

    array: NDArray[Any]
    spacing: tuple[float, ...] = ()
    header: Mapping[str, Any] = field(default_factory=dict)


def suffix_of(path: Path) -> str:
    """The suffix in lower case, with what stands before .gz: ``.nii.gz``, ``.ppm.gz``, ``.png``."""
    name = path.name.lower()
    if name.endswith(".gz"):
        return "".join(Path(name).suffixes[-2:])
    return Path(name).suffix


class PaletteArray(np.ndarray):
    """Indices of a palette picture that remember their colours, for images and for masks declared by colour."""

    colours: NDArray[np.uint8] | None

    @classmethod
    def make(cls, indices: NDArray[np.uint8], palette: list[int]) -> PaletteArray:
        """``indices`` (rows, cols) with their ``palette``: red, green, blue, one entry after another."""
        view = indices.view(cls)
        table = np.zeros((256, 3), np.uint8)
        filled = np.asarray(palette, np.uint8).reshape(-1, 3)
        table[: len(filled)] = filled
        view.colours = table
        return view

    def __array_finalize__(self, source: Any) -> None:
        self.colours = getattr(source, "colours", None)


def in_colour(array: NDArray[Any]) -> NDArray[Any]:
    """The colours of a palette picture (rows, cols, 3); anything else comes back as it is."""
    if isinstance(array, PaletteArray) and array.colours is not None:
        return array.colours[np.asarray(array)]
    return np.asarray(array)
