"""Small pictures of slices for the support table: arrays, no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...imaging import AXES, Geometry, slice_spacing

Colour = tuple[float, float, float]


def thumbnail(
    grey: np.ndarray, masks: Sequence[tuple[np.ndarray, Colour]], spacing: tuple[float, float], size: int
) -> np.ndarray:
    """A square picture of a slice with outlined structures, true to physical proportions.

    Args:
        grey: (rows, cols) in [0, 1].
        masks: (rows, cols) of 0 and 1 with a colour (r, g, b in [0, 1]) each.
        spacing: (row_mm, col_mm).
        size: Side in pixels.

    Returns:
        uint8 (size, size, 3) RGB, black beside the slice.
    """
    rows, cols = grey.shape
    height, width = rows * spacing[0], cols * spacing[1]
    step = max(height, width) / size
    shown_rows, shown_cols = max(1, round(height / step)), max(1, round(width / step))
    row_of = np.minimum(((np.arange(shown_rows) + 0.5) * rows / shown_rows).astype(int), rows - 1)
    col_of = np.minimum(((np.arange(shown_cols) + 0.5) * cols / shown_cols).astype(int), cols - 1)
    pick = np.ix_(row_of, col_of)
    picture = np.repeat((np.clip(grey[pick], 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)
    for mask, colour in masks:
        inside = mask[pick] > 0
        # A thin structure is all outline and stays visible.
        inner = inside.copy()
        inner[1:] &= inside[:-1]
        inner[:-1] &= inside[1:]
        inner[:, 1:] &= inside[:, :-1]
        inner[:, :-1] &= inside[:, 1:]
        picture[inside & ~inner] = [round(255 * value) for value in colour]
    result = np.zeros((size, size, 3), np.uint8)
    top, left = (size - shown_rows) // 2, (size - shown_cols) // 2
    result[top : top + shown_rows, left : left + shown_cols] = picture[:size, :size]
    return result


@dataclass(frozen=True)
class View:
    """How an array slice (rows, cols) is turned to be shown: first transposed, then flipped."""

    transposed: bool
    flipped_rows: bool
    flipped_cols: bool

    @classmethod
    def of(cls, geometry: Geometry, axis: str) -> View:
        """As readers expect: head up where the slice has a head, else front up; the patient's left on the right."""
        cols_axis, rows_axis = (number for number in range(3) if number != AXES.index(axis))
        rows, cols = geometry.matrix[:, rows_axis], geometry.matrix[:, cols_axis]
        transposed = _main(rows) < _main(cols)
        if transposed:
            rows, cols = cols, rows
        # LPS: rows shall run to the back (+P) or to the feet (-S), columns to the left (+L) or to the back (+P).
        downwards = rows[_main(rows)] * (-1 if _main(rows) == 2 else 1)
        return cls(bool(transposed), bool(downwards < 0), bool(cols[_main(cols)] < 0))

    def show(self, pixels: np.ndarray) -> np.ndarray:
        """The slice (rows, cols) as it is shown."""
        pixels = pixels.T if self.transposed else pixels
        pixels = pixels[::-1] if self.flipped_rows else pixels
        return pixels[:, ::-1] if self.flipped_cols else pixels

    def spacing(self, geometry: Geometry, axis: str) -> tuple[float, float]:
        """(row_mm, col_mm) of the shown slice."""
        row_mm, col_mm = slice_spacing(geometry, axis)
        return (col_mm, row_mm) if self.transposed else (row_mm, col_mm)


def _main(direction: np.ndarray) -> int:
    return int(np.argmax(np.abs(direction)))
