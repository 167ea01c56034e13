"""The way of a slice to the square that the network sees, and the exact way back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from ..errors import InputError
from .boxes import Box
from .geometry import LONGEST_MM, SHORTEST_MM, are_lengths
from .intensity import IntensityWindow

#: Logit of the pixels that the network did not see: certain background, yet finite, so that means stay finite.
OUTSIDE_LOGIT = -30.0


@dataclass(frozen=True)
class SliceFrame:
    """A square of a slice, in square pixels of the network.

    The square is given in mm, so that anisotropic pixels keep their shape; where it is larger than the slice, it is
    padded with zeros. Resampling is linear and separable: two small matrices per frame, applied by the linear algebra
    library to whole stacks. Towards the network the linear filter is widened to the network's pixel, against aliasing.

    Attributes:
        shape: (rows, cols) of the slice.
        spacing: (row_mm, col_mm) of its pixels.
        start_mm: Upper left corner of the square; (0, 0) is the outer corner of pixel (0, 0).
        side_mm: Side of the square.
        size: Side of the square in network pixels.
    """

    shape: tuple[int, int]
    spacing: tuple[float, float]
    start_mm: tuple[float, float]
    side_mm: float
    size: int = 128

    @classmethod
    def fit(
        cls, shape: tuple[int, int], spacing: tuple[float, float], box: Box | None = None, size: int = 128
    ) -> SliceFrame:
        """The smallest square around a box of a slice.

        It is moved, not cut, where it would leave the slice: what fits is filled with image rather than with padding.

        Args:
            shape: (rows, cols) of the slice.
            spacing: (row_mm, col_mm), both positive.
            box: The part to show; the whole slice without it.
            size: Side in network pixels.

        Raises:
            InputError: Empty slice, spacing that is not positive, or a box that reaches out of the slice.
        """
        rows, cols = (int(n) for n in shape)
        row_mm, col_mm = (float(s) for s in spacing)
        if rows < 1 or cols < 1:
            raise InputError(f"a slice of {rows} x {cols} pixels is empty.")
        if not are_lengths((row_mm, col_mm)):
            raise InputError(
                f"pixel spacing ({row_mm}, {col_mm}) mm is not two positive numbers from {SHORTEST_MM:g} to "
                f"{LONGEST_MM:g}."
            )
        if size < 1:
            raise InputError(f"size is {size} network pixels, at least 1 is needed.")
        whole = Box.whole((rows, cols))
        box = box or whole
        if not whole.holds(box):
            raise InputError(f"box {box} reaches out of the slice of {rows} x {cols} pixels.")
        side = max(box.shape[0] * row_mm, box.shape[1] * col_mm)
        centre = ((box.row_start + box.row_stop) / 2 * row_mm, (box.col_start + box.col_stop) / 2 * col_mm)
        return cls.around((rows, cols), (row_mm, col_mm), centre, side, size)

    @classmethod
    def around(
        cls,
        shape: tuple[int, int],
        spacing: tuple[float, float],
        centre_mm: tuple[float, float],
        side_mm: float,
        size: int = 128,
    ) -> SliceFrame:
        """A square of a given side around a place of a slice, moved where it would leave the slice.

        Args:
            shape: (rows, cols) of the slice.
            spacing: (row_mm, col_mm), both positive.
            centre_mm: (row, col) of its middle, from the outer corner of pixel (0, 0).
            side_mm: Its side; a square that is larger than the slice has the slice in its middle.
            size: Side in network pixels.
        """
        starts = []
        for wanted, count, pixel in zip(centre_mm, shape, spacing, strict=True):
            spare = count * pixel - side_mm
            starts.append(min(max(wanted - side_mm / 2, 0.0), spare) if spare >= 0 else spare / 2)
        return cls(shape, spacing, (starts[0], starts[1]), side_mm, int(size))

    @property
    def pixel_mm(self) -> float:
        """Side of a network pixel in mm."""
        return self.side_mm / self.size

    @cached_property
    def covered(self) -> Box:
        """The pixels of the slice whose centre the square holds; the others are not seen by the network."""
        (row_start, row_stop), (col_start, col_stop) = (self._covered(axis) for axis in (0, 1))
        return Box(row_start, row_stop, col_start, col_stop)

    @cached_property
    def shown(self) -> Box:
        """The network pixels that show the slice; the others are padding."""
        (row_first, row_last), (col_first, col_last) = self._seen(0), self._seen(1)
        return Box(row_first, row_last + 1, col_first, col_last + 1)

    def to_network(
        self,
        stack: np.ndarray,
        kind: Literal["image", "mask"] = "image",
        window: IntensityWindow | None = None,
    ) -> np.ndarray:
        """Resample slices to the network's square.

        Args:
            stack: (N, rows, cols) or one slice (rows, cols). An image is in [0, 1] already, unless a window is given;
                of a mask everything that is not zero counts as 1.
            kind: "image" or "mask".
            window: Applied to the image first, only to the part that the square needs.

        Returns:
            float32 (N, size, size) or (size, size); a mask is soft: the covered part of each network pixel.

        Raises:
            InputError: The stack has another slice shape than the frame.
        """
        stack = np.asarray(stack)
        if stack.ndim not in (2, 3) or stack.shape[-2:] != self.shape:
            raise InputError(f"slices of shape {stack.shape} do not fit a frame of {self.shape} (rows, cols).")
        (rows, by_row), (cols, by_col) = self._forward
        part = stack[..., rows, cols]
        if kind == "mask":
            part = part != 0
        elif window is not None:
            part = window.apply(part)
        return np.clip(by_row @ part.astype(np.float32) @ by_col.T, 0.0, 1.0)

    def from_network_covered(self, logits: np.ndarray) -> np.ndarray:
        """Resample (N, size, size) or (size, size) to the pixels of :attr:`covered` only, float32, linearly."""
        logits = np.asarray(logits, dtype=np.float32)
        if logits.ndim not in (2, 3) or logits.shape[-2:] != (self.size, self.size):
            raise InputError(f"logits of shape {logits.shape} do not fit a frame of {self.size} x {self.size}.")
        by_row, by_col = self._backward
        return by_row @ logits @ by_col.T

    def from_network(self, logits: np.ndarray) -> np.ndarray:
        """Resample logits to the slice's own pixels.

        Args:
            logits: (N, size, size) or (size, size).

        Returns:
            float32 (N, rows, cols) or (rows, cols); ``OUTSIDE_LOGIT`` where the square does not reach.
        """
        inside = self.from_network_covered(logits)
        whole = np.full((*inside.shape[:-2], *self.shape), OUTSIDE_LOGIT, np.float32)
        rows, cols = self.covered.slices
        whole[..., rows, cols] = inside
        return whole

    def point_to_network(self, row: float, col: float) -> tuple[float, float]:
        """The network position (row, col) of a slice position; whole numbers are pixel centres on both sides."""
        (row_mm, col_mm), (row_start, col_start) = self.spacing, self.start_mm
        return (
            ((row + 0.5) * row_mm - row_start) / self.pixel_mm - 0.5,
            ((col + 0.5) * col_mm - col_start) / self.pixel_mm - 0.5,
        )

    def point_from_network(self, row: float, col: float) -> tuple[float, float]:
        """The slice position of a network position, the inverse of :meth:`point_to_network`."""
        (row_mm, col_mm), (row_start, col_start) = self.spacing, self.start_mm
        return (
            ((row + 0.5) * self.pixel_mm + row_start) / row_mm - 0.5,
            ((col + 0.5) * self.pixel_mm + col_start) / col_mm - 0.5,
        )

    def _seen(self, axis: int) -> tuple[int, int]:
        """First and last network pixel whose centre lies in the slice (at least one)."""
        length = self.shape[axis] * self.spacing[axis]
        centres = self.start_mm[axis] + (np.arange(self.size) + 0.5) * self.pixel_mm
        inside = np.flatnonzero((centres >= 0) & (centres <= length))
        if not inside.size:  # a slice thinner than one network pixel
            inside = np.array([np.abs(centres - length / 2).argmin()])
        return int(inside[0]), int(inside[-1])

    def _covered(self, axis: int) -> tuple[int, int]:
        count, pixel = self.shape[axis], self.spacing[axis]
        centres = (np.arange(count) + 0.5) * pixel
        slack = 1e-6 * pixel
        start = self.start_mm[axis]
        inside = np.flatnonzero((centres >= start - slack) & (centres <= start + self.side_mm + slack))
        if not inside.size:  # a square smaller than one pixel
            inside = np.array([np.abs(centres - start - self.side_mm / 2).argmin()])
        return int(inside[0]), int(inside[-1]) + 1

    @cached_property
    def _forward(self) -> tuple[tuple[slice, np.ndarray], tuple[slice, np.ndarray]]:
        """Per slice axis: the pixels needed, and the (size, needed) weights."""
        return self._forward_weights(0), self._forward_weights(1)

    def _forward_weights(self, axis: int) -> tuple[slice, np.ndarray]:
        pixel, count = self.spacing[axis], self.shape[axis]
        first, last = self._seen(axis)
        target = (self.start_mm[axis] + (np.arange(first, last + 1) + 0.5) * self.pixel_mm) / pixel - 0.5
        target = np.clip(target, 0, count - 1)
        reach = max(1.0, self.pixel_mm / pixel)
        weights = np.maximum(0.0, 1.0 - np.abs(target[:, None] - np.arange(count)) / reach)
        weights /= weights.sum(axis=1, keepdims=True)
        needed = np.flatnonzero(weights.any(axis=0))
        part = slice(int(needed[0]), int(needed[-1]) + 1)
        padded = np.zeros((self.size, part.stop - part.start), np.float32)
        padded[first : last + 1] = weights[:, part]
        return part, padded

    @cached_property
    def _backward(self) -> tuple[np.ndarray, np.ndarray]:
        """Per slice axis: the (covered, size) weights."""
        return self._backward_weights(0), self._backward_weights(1)

    def _backward_weights(self, axis: int) -> np.ndarray:
        start, stop = self._covered(axis)
        first, last = self._seen(axis)
        source = ((np.arange(start, stop) + 0.5) * self.spacing[axis] - self.start_mm[axis]) / self.pixel_mm - 0.5
        # Padding says nothing about the slice: its logits do not flow into the pixels at the rim.
        source = np.clip(source, first, last)
        return np.maximum(0.0, 1.0 - np.abs(source[:, None] - np.arange(self.size))).astype(np.float32)
