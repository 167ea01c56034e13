"""The main-thread side of clicking on one slice: the points, and what was answered to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import InputError
from ...imaging import AXES, slice_stack, take_slice
from ...segmentation import ClickResult
from ..interface import ClickState, RunOptions, Selection
from ..mrml.grid import Extent, Part, whole_extent
from ..mrml.segments import choose_segments, read_part, segment_ids, segment_name
from ..mrml.volumes import check_volume, grid_size, volume_of, voxel_at
from ..running.models import ModelCache
from ..support.elsewhere import StoredSets, gather
from ..support.examples import paste_slice, slices_of
from ..support.marks import marked_slices
from ..support.sources import list_sources
from .engine import LABEL, ClickEngine


@dataclass
class ClickMode:
    """The main-thread side of clicking on one slice.

    Attributes:
        selection: The nodes.
        state: The points so far.
        engine: The worker-thread side.
        start: What the segment held on the slice before the first click, (rows, cols) of 0 and 1.
        answers: Number of points to the answer that they got.
    """

    selection: Selection
    state: ClickState
    engine: ClickEngine
    start: np.ndarray
    order: list[bool] = field(default_factory=list)
    answers: dict[int, ClickResult] = field(default_factory=dict)

    def point_at(self, ras: tuple[float, float, float]) -> tuple[int, int] | None:
        """(row, col) of a world position; None where it is not on the slice."""
        voxel = voxel_at(self.selection.volume, ras)
        number = AXES.index(self.state.axis)
        if voxel is None or voxel[number] != self.state.index:
            return None
        cols_axis, rows_axis = (other for other in range(3) if other != number)
        return voxel[rows_axis], voxel[cols_axis]

    def prior(self) -> np.ndarray | None:
        """What the next answer starts from: the last one with fewer points, or what the slice held."""
        fewer = [count for count in self.answers if count < len(self.order)]
        if fewer:
            return self.answers[max(fewer)].probability
        return self.start.astype(np.float32) if self.start.any() else None

    def mask(self) -> np.ndarray | None:
        """The answer to the points of now (rows, cols), None while it is not there."""
        answer = self.answers.get(len(self.order))
        return None if answer is None else answer.mask

    def add(self, point: tuple[int, int], include: bool) -> None:
        """Another point."""
        self.order.append(include)
        self._replace_points(
            (*self.state.include, point) if include else self.state.include,
            self.state.exclude if include else (*self.state.exclude, point),
        )

    def take_back(self) -> bool:
        """Drop the last point; False when there is none."""
        if not self.order:
            return False
        self.answers.pop(len(self.order), None)
        if self.order.pop():
            self._replace_points(self.state.include[:-1], self.state.exclude)
        else:
            self._replace_points(self.state.include, self.state.exclude[:-1])
        return True

    def part(self, mask: np.ndarray) -> Part:
        """A mask (rows, cols) of the slice as a piece of the volume's grid."""
        return Part(self.box(), np.expand_dims(mask.astype(np.uint8), 2 - AXES.index(self.state.axis)))

    def box(self) -> Extent:
        """The slice as an extent."""
        number = AXES.index(self.state.axis)
        extent = list(whole_extent(grid_size(self.selection.volume)))
        extent[2 * number] = extent[2 * number + 1] = self.state.index
        return (extent[0], extent[1], extent[2], extent[3], extent[4], extent[5])

    def _replace_points(self, include: tuple[tuple[int, int], ...], exclude: tuple[tuple[int, int], ...]) -> None:
        now = self.state
        self.state = ClickState(now.axis, now.index, now.segment_id, include, exclude)


def begin(
    scene: Any, selection: Selection, axis: str, index: int, options: RunOptions, models: ModelCache, stored: StoredSets
) -> ClickMode:
    """Read the nodes for clicking on one slice.

    Raises:
        InputError: Anything that keeps it from starting, in one sentence.
    """
    check_volume(selection.volume)
    volume = volume_of(selection.volume)
    if axis not in AXES or not 0 <= index < len(slice_stack(volume.array, axis)):
        raise InputError(f"There is no slice {axis}:{index} in '{selection.volume.GetName()}'.")
    segment_id = _clicked_segment(selection)
    segmentation = selection.segmentation
    try:
        rows = marked_slices(segmentation, [segment_id], selection.volume, axis)
    except InputError:
        rows = []  # clicks work without examples, and marks in another orientation are none for this slice
    rows = [row for row in rows if row.used and row.index != index and row.area_mm2]
    here = slices_of(selection.volume, segmentation, {segment_id: LABEL}, rows, axis) if rows else None
    used = [source for source in list_sources(scene) if source.used]
    elsewhere = gather(used, {segment_name(segmentation, segment_id): LABEL}, selection.volume, axis, stored)
    start = np.zeros(take_slice(volume.array, axis, index).shape, np.uint8)
    paste_slice(start, read_part(segmentation, segment_id, selection.volume), axis, index, 1)
    engine = ClickEngine(models, options, volume, axis, index, here, elsewhere.stored, elsewhere.pairs)
    return ClickMode(selection, ClickState(axis, index, segment_id), engine, start)


def _clicked_segment(selection: Selection) -> str:
    """The chosen segment, else the one selected in the Segment Editor, else the first that may be changed."""
    if selection.segment_ids is not None:
        return choose_segments(selection.segmentation, list(selection.segment_ids))[0]
    selected = selection.editor.GetSelectedSegmentID() if selection.editor is not None else None
    if selected and selection.segmentation is not None and selected in segment_ids(selection.segmentation):
        return choose_segments(selection.segmentation, [selected])[0]
    return choose_segments(selection.segmentation, None)[0]
