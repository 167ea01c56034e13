"""One run: from nodes to arrays (main thread), from arrays to a result (worker thread)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
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
    """Segments that were marked on the same slices, so that one label map and one pass through the volume serve them.

    Attributes:
        segment_ids: Which.
        marked: Their marked slices, in the labels of the run; None without any.
        used: Those of the marked slices that are examples.
        kept: Slices that the run does not change: the marked ones (unless they may be replaced), and those that were
            marked for other segments beyond the first or last mark of these, where these are taken as absent.
        settings: How to run them.
    """

    segment_ids: tuple[str, ...]
    marked: SliceExamples | None
    used: frozenset[int]
    kept: frozenset[int]
    settings: PropagationSettings

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
    seconds, device, name, done = 0.0, "", "", 0
    for layer in plan.layers:
        owners = Owners(plan.volume.array.shape) if len(layer) > 1 else None
        for group in layer:
            values = [plan.values[segment_id] for segment_id in group.segment_ids]
            marks, indices = group.marks(plan.volume)
            result = propagate(
                plan.volume,
                marks,
                model=model,
                axis=plan.axis,
                label_values=values,
                support=elsewhere,
                marked_indices=indices,
                settings=group.settings,
                window=window,
                progress=sub_progress(progress, done / len(plan.groups), (done + 1) / len(plan.groups)),
                cancel=cancel,
            )
            sure = _percent(result.confidence)
            np.minimum(certain, sure, out=certain)
            if owners is None:
                parts.update({key: _part(result.labels == plan.values[key]) for key in group.segment_ids})
            else:
                owners.claim(result.labels, sure)
            for suggestion in result.next_slices:
                scores[suggestion.index] = max(scores.get(suggestion.index, 0.0), float(suggestion.score))
            seconds, device, name, done = seconds + result.seconds, result.device, result.model, done + 1
        if owners is not None:
            owners.settle([group.marked for group in layer if group.marked is not None])
            for group in layer:
                parts.update({key: _part(owners.labels == plan.values[key]) for key in group.segment_ids})
    marked = {index for group in plan.groups if group.marked is not None for index in group.marked.labels}
    ranked = sorted(((index, score) for index, score in scores.items() if index not in marked), key=lambda s: -s[1])
    examples = len(elsewhere) + len({index for group in plan.groups for index in group.used})
    return RunResult(parts, certain, tuple(ranked), examples, seconds, device, name, tuple(warnings))


class Owners:
    """Who gets a voxel that several groups claim: the surer one; what the user painted stays the user's.

    Attributes:
        labels: (K, J, I) uint16, the label of the owner, 0 for nobody.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.labels = np.zeros(shape, np.uint16)
        self._sure = np.zeros(shape, np.uint8)

    def claim(self, labels: np.ndarray, sure: np.ndarray) -> None:
        """Take every voxel that is free or that the present owner is less sure (percent) of."""
        for owner, owner_sure, claimed, claimed_sure in zip(self.labels, self._sure, labels, sure, strict=True):
            wins = (claimed > 0) & ((owner == 0) | (claimed_sure > owner_sure))
            owner[wins] = claimed[wins]
            owner_sure[wins] = claimed_sure[wins]

    def settle(self, painted: Sequence[SliceExamples]) -> None:
        """Give painted voxels to the segments that they were painted for."""
        for examples in painted:
            for index, labels in examples.labels.items():
                plane = take_slice(self.labels, examples.axis, index)
                plane[labels > 0] = labels[labels > 0]


def _percent(confidence: np.ndarray | None) -> np.ndarray:
    assert confidence is not None  # it is asked for above
    percent = np.empty(confidence.shape, np.uint8)
    for plane, sure in zip(percent, confidence, strict=True):  # slice by slice: no second volume of floats
        plane[:] = np.rint(sure * 100)
    return percent


def _part(mask: np.ndarray) -> Part | None:
    extent = bounding_extent(mask)
    return None if extent is None else Part(extent, mask[box_slices(extent)].astype(np.uint8))
