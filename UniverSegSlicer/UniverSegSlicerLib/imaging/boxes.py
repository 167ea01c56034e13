"""Boxes in a slice: where a structure is, and how much around it belongs to the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import InputError


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels of a slice, half open like a Python slice.

    Attributes:
        row_start, row_stop: First row, and one past the last.
        col_start, col_stop: First column, and one past the last.

    Raises:
        InputError: The box is empty or starts before pixel 0.
    """

    row_start: int
    row_stop: int
    col_start: int
    col_stop: int

    def __post_init__(self) -> None:
        if not (0 <= self.row_start < self.row_stop and 0 <= self.col_start < self.col_stop):
            raise InputError(f"box {self} is empty or starts outside the slice.")

    @classmethod
    def whole(cls, shape: tuple[int, int]) -> Box:
        """The box of a whole slice of ``shape`` (rows, cols)."""
        return cls(0, shape[0], 0, shape[1])

    @classmethod
    def around(cls, mask: np.ndarray) -> Box | None:
        """The tight box of the non-zero pixels of a mask (rows, cols) or stack (N, rows, cols); None without any."""
        filled = np.asarray(mask) != 0
        flat = filled.reshape(-1, *filled.shape[-2:]).any(axis=0)
        rows, cols = np.flatnonzero(flat.any(axis=1)), np.flatnonzero(flat.any(axis=0))
        if not rows.size:
            return None
        return cls(int(rows[0]), int(rows[-1]) + 1, int(cols[0]), int(cols[-1]) + 1)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.row_stop - self.row_start, self.col_stop - self.col_start

    @property
    def slices(self) -> tuple[slice, slice]:
        """For indexing the last two axes: ``stack[..., *box.slices]``."""
        return slice(self.row_start, self.row_stop), slice(self.col_start, self.col_stop)

    def union(self, other: Box) -> Box:
        """The smallest box that holds both."""
        return Box(
            min(self.row_start, other.row_start),
            max(self.row_stop, other.row_stop),
            min(self.col_start, other.col_start),
            max(self.col_stop, other.col_stop),
        )

    def within(self, outer: Box) -> Box:
        """The same box counted from the corner of one that holds it."""
        row, col = outer.row_start, outer.col_start
        return Box(self.row_start - row, self.row_stop - row, self.col_start - col, self.col_stop - col)

    def holds(self, other: Box) -> bool:
        """Whether the other box lies within this one."""
        return self.union(other) == self

    def grown(self, margin_mm: float, spacing: tuple[float, float], shape: tuple[int, int]) -> Box:
        """The box with a margin on all sides, clipped to the slice.

        Args:
            margin_mm: Margin in mm, at least 0; rounded up to whole pixels.
            spacing: (row_mm, col_mm) of a pixel.
            shape: (rows, cols) of the slice.

        Raises:
            InputError: The margin is negative or not a number.
        """
        if not (math.isfinite(margin_mm) and margin_mm >= 0):
            raise InputError(f"margin_mm is {margin_mm}, a length of at least 0 mm is needed.")
        # A margin wider than the slice is as good as the slice, also where the spacing is tiny.
        rows = math.ceil(min(margin_mm / spacing[0], shape[0]))
        cols = math.ceil(min(margin_mm / spacing[1], shape[1]))
        return Box(
            max(self.row_start - rows, 0),
            min(self.row_stop + rows, shape[0]),
            max(self.col_start - cols, 0),
            min(self.col_stop + cols, shape[1]),
        )
