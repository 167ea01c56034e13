"""A volume as the stack of slices that a segmentation goes through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...imaging import (
    AXES,
    Geometry,
    IntensityWindow,
    SliceFrame,
    Volume,
    array_axis,
    slice_distance,
    slice_spacing,
    slice_stack,
)

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
