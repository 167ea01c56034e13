"""One label's work and what comes of it: what every strategy takes, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...imaging import (
    AXES,
    OUTSIDE_LOGIT,
    Box,
    Geometry,
    IntensityWindow,
    SliceFrame,
    Volume,
    array_axis,
    slice_distance,
    slice_spacing,
    slice_stack,
)
from ..predictor import Meter, SupportStack
from ..settings import PropagationSettings

#: Told what slices (n,) are weighed from, and with which weights; both are of the strategy's own kinds.
Watch = Callable[[np.ndarray, Any, Any], None]


# Slices that are brought to the network's grid at once hold about this many pixels.
_SLAB_PIXELS = 4_000_000


@dataclass(frozen=True, eq=False)
class VolumeSlices:
    """A volume as a stack of slices."""

    volume: Volume
    axis: str
    window: IntensityWindow

    @property
    def stack(self) -> np.ndarray:
        """(N, rows, cols), a view."""
        return slice_stack(self.volume.array, self.axis)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        rows, cols = self.stack.shape[1:]
        return rows, cols

    @property
    def spacing(self) -> tuple[float, float]:
        """(row_mm, col_mm)."""
        return slice_spacing(self.volume.geometry, self.axis)

    def seen_through(self, frame: SliceFrame) -> np.ndarray:
        """All slices on the frame's square, float32 (N, size, size)."""
        stack = self.stack
        step = max(1, _SLAB_PIXELS // max(1, self.shape[0] * self.shape[1]))
        parts = [frame.to_network(stack[n : n + step], window=self.window) for n in range(0, len(stack), step)]
        return np.concatenate(parts)

    def grid_of(self, frame: SliceFrame) -> Geometry:
        """The grid in space of the frame's squares on all slices; :func:`slice_stack` brings its arrays in order."""
        geometry = self.volume.geometry
        row_axis, col_axis = (a for a in reversed(AXES) if a != self.axis)
        start = dict(zip((row_axis, col_axis), frame.point_from_network(0, 0), strict=True)) | {self.axis: 0.0}
        distance, count = slice_distance(geometry, self.axis), self.volume.array.shape[array_axis(self.axis)]
        return Geometry(
            tuple(count if a == self.axis else frame.size for a in AXES),  # type: ignore[arg-type]
            tuple(distance if a == self.axis else frame.pixel_mm for a in AXES),  # type: ignore[arg-type]
            tuple(geometry.to_world(np.array([start[a] for a in AXES]))),
            geometry.direction,
        )


@dataclass(frozen=True, eq=False)
class LabelTask:
    """One label of one volume on the network's grid.

    Attributes:
        images: (N, size, size) float32 in [0, 1], all slices along the axis.
        marks: Slice number to soft mask (size, size), for every slice on which the label is known (it may be empty).
        wanted: Rising numbers of the slices to predict.
        support: The examples; those from this volume have a place.
        settings: How to go about it.
        meter: Progress and cancellation.
        shown: The part of the square that shows the slice; nothing is ever found in the padding around it.
        step: Distance between neighbouring slices, in pixels of the square.
        name: For the progress message.
        seen: (N, r, r) the same slices on the network's own grid, where that is another one; only "guided" knows two.
        watch: Told what is weighed, by strategies that weigh.
    """

    images: np.ndarray
    marks: dict[int, np.ndarray]
    wanted: np.ndarray
    support: SupportStack
    settings: PropagationSettings
    meter: Meter
    shown: Box
    step: float = 1.0
    name: str = ""
    seen: np.ndarray | None = None
    watch: Watch | None = None


@dataclass(eq=False)
class LabelLogits:
    """What came out for one label.

    Attributes:
        logits: (N, size, size).
        spread: Standard deviation of the probabilities between passes, same shape; None after single passes.
        doubt: Slice number to what was taken from all logits of a slice, because the structure may have ended.
        agreement: Marked slice to the Dice of what the other marks make of it, where the strategy asked.
    """

    logits: np.ndarray
    spread: np.ndarray | None = None
    doubt: dict[int, float] = field(default_factory=dict)
    agreement: dict[int, float] = field(default_factory=dict)

    @classmethod
    def background(cls, task: LabelTask) -> LabelLogits:
        """Certain background in all slices but the marked ones, which are what was marked."""
        logits = np.full(task.images.shape, OUTSIDE_LOGIT, np.float32)
        for index, mask in task.marks.items():
            logits[index] = np.where(mask >= 0.5, -OUTSIDE_LOGIT, OUTSIDE_LOGIT)
        return cls(logits)

    def put(self, indices: np.ndarray, logits: np.ndarray, spread: np.ndarray | None) -> None:
        """Enter the result of some slices."""
        self.logits[indices] = logits
        if spread is not None:
            if self.spread is None:
                self.spread = np.zeros(self.logits.shape, np.float32)
            self.spread[indices] = spread
