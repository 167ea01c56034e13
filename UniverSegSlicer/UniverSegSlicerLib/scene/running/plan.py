"""What a run needs, as arrays and plain values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import InputError
from ...imaging import Volume, array_axis, take_slice
from ...segmentation import PropagationSettings, SupportSet
from ..interface import Quality, RunOptions
from ..support.examples import SliceExamples

#: Slices on either side of a corrected one that follow it.
REACH = 5

# What the three qualities change against the settings that the benchmarks chose ("balanced").
_QUALITY: dict[Quality, dict[str, Any]] = {
    "fast": {"ensemble": 1, "flips": False, "passes": 1, "detail": 1, "support_size": 8},
    "balanced": {},
    "best": {"ensemble": 4, "flips": True, "passes": 2, "detail": 2},
}


@dataclass(frozen=True)
class Around:
    """A corrected slice whose neighbours shall follow.

    Attributes:
        index: The slice.
        present: What the segments hold there and within reach, in the labels of the run.
    """

    index: int
    present: SliceExamples


@dataclass(frozen=True)
class Group:
    """Segments that were marked on the same slices, so that one label map and one pass through the volume serve them.

    Attributes:
        segment_ids: Which.
        marked: Their marked slices, in the labels of the run; None without any.
        used: Those of the marked slices that are examples.
        kept: Slices that the run does not change: the marked ones (unless they may be replaced), and those that were
            marked for other segments beyond the first or last mark of these, where these are taken as absent.
        settings: How to run them.
        around: The correction to spread; None for runs that propagate the marks.
    """

    segment_ids: tuple[str, ...]
    marked: SliceExamples | None
    used: frozenset[int]
    kept: frozenset[int]
    settings: PropagationSettings
    around: Around | None = None

    def slices_left(self, count: int) -> int:
        """How many of ``count`` slices a run may change."""
        first, stop = self.settings.slice_range or (0, count)
        return sum(index not in self.kept for index in range(first, stop))

    def marks(self, volume: Volume) -> tuple[np.ndarray | None, tuple[int, ...] | None]:
        """The slices in use as a label map (K, J, I), and their numbers; None and None without examples here."""
        used = sorted(self.used)
        if self.marked is None or not any(self.marked.labels[index].any() for index in used):
            return None, None
        marks = np.zeros(volume.array.shape, np.uint16)
        for index in used:
            take_slice(marks, self.marked.axis, index)[:] = self.marked.labels[index]
        return marks, tuple(used)


@dataclass(frozen=True)
class RunPlan:
    """Everything that a run needs, as arrays: no node is touched while it computes.

    Attributes:
        volume: The image; its array shares the node's memory and keeps it alive.
        axis: Slice axis.
        names: Segment id to name, in the order of the label values 1, 2, ...
        layers: The segments in groups, the groups in layers: within a layer a voxel belongs to one segment at most;
            segments that overlap on the marked slices are in different layers and may overlap in the result.
        stored: Examples from elsewhere that are cut out already, in the labels of the run.
        pairs: Examples from other volumes of the scene, in the labels of the run.
        options: What the user chose.
    """

    volume: Volume
    axis: str
    names: Mapping[str, str]
    layers: tuple[tuple[Group, ...], ...]
    stored: SupportSet
    pairs: tuple[SliceExamples, ...]
    options: RunOptions

    @property
    def values(self) -> dict[str, int]:
        """Segment id to label value of the run."""
        return {segment_id: value for value, segment_id in enumerate(self.names, start=1)}

    @property
    def groups(self) -> tuple[Group, ...]:
        """All groups."""
        return tuple(group for layer in self.layers for group in layer)

    def group_of(self, segment_id: str) -> Group:
        """The group of a segment."""
        return next(group for group in self.groups if segment_id in group.segment_ids)

    def marked_by(self, segment_id: str) -> set[int]:
        """The marked slices of one segment."""
        marked = self.group_of(segment_id).marked
        return set() if marked is None else set(marked.labels)

    def editable(self, segment_id: str) -> np.ndarray:
        """(N,) bool, the slices along the axis that the run may change for one segment."""
        group = self.group_of(segment_id)
        allowed = np.zeros(self.volume.array.shape[array_axis(self.axis)], bool)
        allowed[slice(*(group.settings.slice_range or (0, None)))] = True
        allowed[sorted(group.kept)] = False
        return allowed


def settings_for(options: RunOptions, marked: Collection[int], count: int) -> PropagationSettings:
    """Propagation settings for what the user chose.

    Args:
        options: What the user chose.
        marked: The marked slices of the segments.
        count: Number of slices along the axis.

    Raises:
        InputError: A reach that has no meaning here.
    """
    slice_range = None
    if options.reach in ("slice", "around") and (options.current is None or not 0 <= options.current < count):
        raise InputError(f"Slice {options.current} is not one of 0 to {count - 1}: show a slice of the volume.")
    if options.reach == "between":
        if len(marked) < 2:
            raise InputError("There is nothing between the marks: mark two slices or more, or choose the whole volume.")
        slice_range = (min(marked), max(marked) + 1)
    elif options.reach == "slice":
        if options.keep_marked and options.current in marked:
            raise InputError(f"Slice {options.current} is marked already: go to another slice, or unmark it.")
        slice_range = (_current(options), _current(options) + 1)
    elif options.reach == "around":
        slice_range = (max(0, _current(options) - REACH), min(count, _current(options) + REACH + 1))
    return replace(quality_settings(options.quality), keep_marked=options.keep_marked, slice_range=slice_range)


def quality_settings(quality: Quality) -> PropagationSettings:
    """How a quality segments a whole volume; the tuning of "best" is not in it."""
    return replace(PropagationSettings(), **_QUALITY[quality])


def tunes(options: RunOptions) -> bool:
    """Whether the network is tuned on the examples first: only where the user gives it the time."""
    return options.quality == "best"


def _current(options: RunOptions) -> int:
    return 0 if options.current is None else options.current
