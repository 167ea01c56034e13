"""One run: from nodes to arrays (main thread), from arrays to a result (worker thread)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..imaging import IntensityWindow, Volume, array_axis, take_slice
from ..progress import CancelToken, ProgressCallback, sub_progress
from ..segmentation import PropagationSettings, SupportSet, propagate
from .examples import SliceExamples, differences
from .grid import Part, bounding_extent, box_slices
from .interface import Quality, RunOptions

if TYPE_CHECKING:
    from ..network import InContextModel

# What the three qualities change against the settings that the benchmarks chose ("balanced").
_QUALITY: dict[Quality, dict[str, Any]] = {
    "fast": {"ensemble": 1, "flips": False, "passes": 1, "detail": 1, "support_size": 8},
    "balanced": {},
    "best": {"ensemble": 4, "flips": True, "passes": 2, "detail": 2},
}


@dataclass(frozen=True)
class Group:
    """Segments that do not overlap on the marked slices and so fit one label map.

    Attributes:
        segment_ids: Which.
        marked: Their marked slices that are in use, in the labels of the run; None without any.
    """

    segment_ids: tuple[str, ...]
    marked: SliceExamples | None


@dataclass(frozen=True)
class RunPlan:
    """Everything that a run needs, as arrays: no node is touched while it computes.

    Attributes:
        volume: The image; its array shares the node's memory and keeps it alive.
        axis: Slice axis.
        names: Segment id to name, in the order of the label values 1, 2, ...
        marked: Segment id to its marked slices, in use or not.
        groups: The segments, each in one group.
        stored: Examples from elsewhere that are cut out already, in the labels of the run.
        pairs: Examples from other volumes of the scene, in the labels of the run.
        options: What the user chose.
        settings: What follows from it.
    """

    volume: Volume
    axis: str
    names: Mapping[str, str]
    marked: Mapping[str, frozenset[int]]
    groups: tuple[Group, ...]
    stored: SupportSet
    pairs: tuple[SliceExamples, ...]
    options: RunOptions
    settings: PropagationSettings = field(default_factory=PropagationSettings)

    @property
    def values(self) -> dict[str, int]:
        """Segment id to label value of the run."""
        return {segment_id: value for value, segment_id in enumerate(self.names, start=1)}

    @property
    def kept(self) -> tuple[int, ...]:
        """The marked slices of all segments: they are the user's."""
        return tuple(sorted(frozenset().union(*self.marked.values())))

    def marked_by(self, segment_id: str) -> set[int]:
        """The marked slices of one segment."""
        return set(self.marked.get(segment_id, frozenset()))

    @property
    def single(self) -> bool:
        """Whether the run is about one segment."""
        return sum(len(group.segment_ids) for group in self.groups) == 1

    @property
    def slice_range(self) -> tuple[int, int]:
        """First slice and one past the last that the run may change."""
        return self.settings.slice_range or (0, self.volume.array.shape[array_axis(self.axis)])


@dataclass(frozen=True)
class RunResult:
    """What came out, on the volume's grid.

    Attributes:
        parts: Segment id to its predicted voxels (within the slices that were predicted), None for none.
        confidence: uint8 (K, J, I), percent.
        suggestions: (slice index, score), best first.
        examples: Number of examples that were used.
        seconds: Time taken.
        device: Where.
        model: With what.
        warnings: One sentence each.
    """

    parts: dict[str, Part | None]
    confidence: np.ndarray
    suggestions: tuple[tuple[int, float], ...]
    examples: int
    seconds: float
    device: str
    model: str
    warnings: tuple[str, ...]


def settings_for(options: RunOptions, marked: Sequence[int], count: int) -> PropagationSettings:
    """Propagation settings for what the user chose.

    Args:
        options: What the user chose.
        marked: The marked slices.
        count: Number of slices along the axis.

    Raises:
        InputError: A reach that has no meaning here.
    """
    slice_range = None
    if options.reach == "between":
        if len(marked) < 2:
            raise InputError("There is nothing between the marks: mark two slices or more, or choose the whole volume.")
        slice_range = (min(marked), max(marked) + 1)
    elif options.reach == "slice":
        if options.current is None or not 0 <= options.current < count:
            raise InputError(f"Slice {options.current} is not one of 0 to {count - 1}: show a slice of the volume.")
        if options.keep_marked and options.current in marked:
            raise InputError(f"Slice {options.current} is marked already: go to another slice, or unmark it.")
        slice_range = (options.current, options.current + 1)
    return replace(
        PropagationSettings(), keep_marked=options.keep_marked, slice_range=slice_range, **_QUALITY[options.quality]
    )


def compute(
    plan: RunPlan, model: InContextModel, progress: ProgressCallback | None = None, cancel: CancelToken | None = None
) -> RunResult:
    """Run the network; pure arrays, any thread.

    Raises:
        InputError: Nothing to learn from for a segment.
        Cancelled: On request.
    """
    window = IntensityWindow.of(plan.volume.array)
    elsewhere = plan.stored
    for pair in plan.pairs:
        elsewhere = elsewhere.merged(pair.support())
    warnings = differences(elsewhere, plan.volume, plan.axis, window)
    parts: dict[str, Part | None] = {}
    certain = np.full(plan.volume.array.shape, 100, np.uint8)
    scores: dict[int, float] = {}
    seconds, device, name = 0.0, "", ""
    for number, group in enumerate(plan.groups):
        report = sub_progress(progress, number / len(plan.groups), (number + 1) / len(plan.groups))
        values = {segment_id: plan.values[segment_id] for segment_id in group.segment_ids}
        marks, indices = _marks_array(plan, group)
        result = propagate(
            plan.volume,
            marks,
            model=model,
            axis=plan.axis,
            label_values=tuple(values.values()),
            support=elsewhere,
            marked_indices=indices,
            settings=plan.settings,
            window=window,
            progress=report,
            cancel=cancel,
        )
        for segment_id, value in values.items():
            parts[segment_id] = _part(result.labels == value)
        if result.confidence is not None:
            for plane, sure in zip(certain, result.confidence, strict=True):
                np.minimum(plane, np.rint(sure * 100).astype(np.uint8), out=plane)
        for suggestion in result.next_slices:
            scores[suggestion.index] = max(scores.get(suggestion.index, 0.0), float(suggestion.score))
        seconds, device, name = seconds + result.seconds, result.device, result.model
    ranked = sorted(((index, score) for index, score in scores.items() if index not in plan.kept), key=lambda s: -s[1])
    here = {index for group in plan.groups if group.marked is not None for index in group.marked.labels}
    examples = len(elsewhere) + len(here)
    return RunResult(parts, certain, tuple(ranked), examples, seconds, device, name, tuple(warnings))


def _marks_array(plan: RunPlan, group: Group) -> tuple[np.ndarray | None, tuple[int, ...] | None]:
    """The marks of a group as a label map (K, J, I), and the marked slices where they speak for every label.

    With one segment every marked slice is about it, also one that was wiped ("not here"). With several, a slice says
    nothing about a segment that is not marked on it.
    """
    if group.marked is None or not any(labels.any() for labels in group.marked.labels.values()):
        return None, None
    marks = np.zeros(plan.volume.array.shape, np.uint16)
    for index, labels in group.marked.labels.items():
        take_slice(marks, plan.axis, index)[:] = labels
    return marks, tuple(sorted(group.marked.labels)) if plan.single else None


def _part(mask: np.ndarray) -> Part | None:
    extent = bounding_extent(mask)
    return None if extent is None else Part(extent, mask[box_slices(extent)].astype(np.uint8))
