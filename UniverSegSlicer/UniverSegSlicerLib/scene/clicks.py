"""Click to segment one slice: points on the main thread, the network on the worker, the answer in a preview."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..imaging import AXES, IntensityWindow, Volume, slice_spacing, slice_stack, take_slice
from ..progress import CancelToken
from ..segmentation import ClickResult, ClickSession, SupportSet
from .examples import SliceExamples, paste_slice, slices_of
from .grid import Extent, Part, whole_extent
from .interface import ClickState, RunOptions, Selection
from .marks import marked_slices
from .models import ModelCache
from .planning import StoredSets, gather
from .segments import choose_segments, read_part, segment_ids, segment_name
from .support import sources
from .volumes import check_volume, grid_size, volume_of, voxel_at

if TYPE_CHECKING:
    from ..network import InContextModel

#: The label that examples of the clicked segment have.
LABEL = 1


class ClickEngine:
    """The network side of clicking on one slice; used on the worker thread, arrays only.

    Args:
        models: Gives the model.
        options: Model and device.
        volume: The image.
        axis: Slice axis.
        index: The slice.
        here: Marked slices of the volume, label 1; None without any.
        stored: Examples from files, label 1.
        pairs: Examples from other volumes, label 1.
    """

    def __init__(
        self,
        models: ModelCache,
        options: RunOptions,
        volume: Volume,
        axis: str,
        index: int,
        here: SliceExamples | None,
        stored: SupportSet,
        pairs: tuple[SliceExamples, ...],
    ) -> None:
        self._models = models
        self._options = options
        self._volume = volume
        self._axis = axis
        self._index = index
        self._here = here
        self._stored = stored
        self._pairs = pairs
        self._ready: tuple[ClickSession, np.ndarray] | None = None

    def prepare(self) -> tuple[ClickSession, np.ndarray]:
        """Load the model, encode the examples, and cut the slice out; done once."""
        if self._ready is None:
            model = self._models.get(self._options.model, self._options.device)
            window = IntensityWindow.of(self._volume.array)
            support = self._stored
            if self._here is not None:
                support = self._here.support(window).merged(support)
            for pair in self._pairs:
                support = support.merged(pair.support())
            pixels = take_slice(self._volume.array, self._axis, self._index)
            session = _session(model, pixels.shape, slice_spacing(self._volume.geometry, self._axis), support)
            session.prepare()
            self._ready = session, window.apply(pixels)
        return self._ready

    def answer(self, clicks: ClickState, prior: np.ndarray | None, cancel: CancelToken) -> ClickResult:
        """The mask that the clicks ask for, (rows, cols)."""
        session, image = self.prepare()
        return session.segment(
            image, include=clicks.include, exclude=clicks.exclude, prior=prior, index=self._index, cancel=cancel
        )


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
    used = [source for source in sources(scene) if source.used]
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


def _session(
    model: InContextModel, shape: tuple[int, ...], spacing: tuple[float, float], support: SupportSet
) -> ClickSession:
    usable = support if LABEL in support.label_values else SupportSet()
    return ClickSession(model, shape=(shape[0], shape[1]), spacing=spacing, support=usable, label=LABEL)
