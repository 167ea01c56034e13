"""From the arrays of a plan to a result: what happens on the worker thread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ...imaging import IntensityWindow, take_slice
from ...progress import CancelToken, ProgressCallback, sub_progress
from ...segmentation import SupportSet, correct_neighbours, propagate
from ..mrml.grid import Part, bounding_extent, box_slices
from ..support.examples import SliceExamples, differences
from .plan import REACH, Around, Group, RunPlan, tunes

if TYPE_CHECKING:
    from ...network import InContextModel


# Share of the progress of a group that its tuning gets.
_TUNING = 0.4


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
        agreement: Segment id to marked slice to the Dice of what the other marks make of it.
    """

    parts: dict[str, Part | None]
    confidence: np.ndarray
    suggestions: tuple[tuple[int, float], ...]
    examples: int
    seconds: float
    device: str
    model: str
    warnings: tuple[str, ...]
    agreement: dict[str, dict[int, float]] = field(default_factory=dict)


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
    work = _Work(plan, elsewhere, model, window, cancel)
    parts: dict[str, Part | None] = {}
    certain = np.full(plan.volume.array.shape, 100, np.uint8)
    scores: dict[int, float] = {}
    removed: dict[int, int] = {}
    agreement: dict[str, dict[int, float]] = {}
    begin, done = time.perf_counter(), 0
    for layer in plan.layers:
        owners = Owners(plan.volume.array.shape) if len(layer) > 1 else None
        for group in layer:
            report = sub_progress(progress, done / len(plan.groups), (done + 1) / len(plan.groups))
            found = work.on(group, report)
            np.minimum(certain, found.sure, out=certain)
            if owners is None:
                parts.update({key: _part(found.labels == plan.values[key]) for key in group.segment_ids})
            else:
                owners.claim(found.labels, found.sure)
            removed |= found.removed
            agreement |= {
                key: found.agreement[plan.values[key]]
                for key in group.segment_ids
                if plan.values[key] in found.agreement
            }
            warnings += found.said
            for index, score in found.scores.items():
                scores[index] = max(scores.get(index, 0.0), score)
            done += 1
        if owners is not None:
            owners.settle([group.marked for group in layer if group.marked is not None])
            for group in layer:
                parts.update({key: _part(owners.labels == plan.values[key]) for key in group.segment_ids})
    gone = [f"{plan.names[key]} ({removed[value]} voxels)" for key, value in plan.values.items() if value in removed]
    if gone:
        warnings.append(f"Parts that are connected with no mark were removed: {', '.join(gone)}.")
    marked = {index for group in plan.groups if group.marked is not None for index in group.marked.labels}
    ranked = sorted(((index, score) for index, score in scores.items() if index not in marked), key=lambda s: -s[1])
    examples = len(elsewhere) + len({index for group in plan.groups for index in group.used})
    seconds = time.perf_counter() - begin
    return RunResult(
        parts, certain, tuple(ranked), examples, seconds, str(model.device), model.name, tuple(warnings), agreement
    )


@dataclass(frozen=True)
class _Found:
    """The labels of a group (K, J, I), percent of confidence (K, J, I), and slice numbers with their worth.

    ``removed`` holds the voxels of detached parts that were removed, by label value; ``said`` is for the user;
    ``agreement`` is ``borne_out`` of :class:`~UniverSegSlicerLib.segmentation.propagation.volume.Propagation`.
    """

    labels: np.ndarray
    sure: np.ndarray
    scores: dict[int, float]
    removed: dict[int, int]
    said: tuple[str, ...] = ()
    agreement: dict[int, dict[int, float]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Work:
    """What is the same for all groups of a plan; ``elsewhere`` are the examples from other places."""

    plan: RunPlan
    elsewhere: SupportSet
    model: InContextModel
    window: IntensityWindow
    cancel: CancelToken | None

    def on(self, group: Group, progress: ProgressCallback | None) -> _Found:
        """Propagate the marks of a group, or spread its correction."""
        return (
            self._propagate(group, progress) if group.around is None else self._correct(group, group.around, progress)
        )

    def _propagate(self, group: Group, progress: ProgressCallback | None) -> _Found:
        marks, indices = group.marks(self.plan.volume)
        model, rest = self.model, progress
        said: tuple[str, ...] = ()
        if tunes(self.plan.options):
            model, said = self._tuned(group, sub_progress(progress, 0, _TUNING))
            rest = sub_progress(progress, _TUNING, 1)
        result = propagate(
            self.plan.volume,
            marks,
            model=model,
            axis=self.plan.axis,
            label_values=self._values(group),
            support=self.elsewhere,
            marked_indices=indices,
            settings=group.settings,
            window=self.window,
            progress=rest,
            cancel=self.cancel,
        )
        scores = {suggestion.index: float(suggestion.score) for suggestion in result.next_slices}
        said += result.warnings
        return _Found(result.labels, _percent(result.confidence), scores, result.removed, said, result.borne_out)

    def _tuned(self, group: Group, progress: ProgressCallback | None) -> tuple[InContextModel, tuple[str, ...]]:
        """The model for a group, tuned on its examples where they gain by that, and what is said of it."""
        from ...segmentation.tuning import AUTO_SECONDS, TuningSettings, examples_of, tune

        marks, indices = group.marks(self.plan.volume)
        tuned = tune(
            self.model,
            examples_of(
                self.plan.volume,
                [] if marks is None else [marks],
                self.elsewhere,
                axis=self.plan.axis,
                indices=indices,
                window=self.window,
            ),
            TuningSettings(AUTO_SECONDS / len(self.plan.groups)),
            labels=self._values(group),
            region=group.settings,
            progress=progress,
            cancel=self.cancel,
        )
        return tuned.model, (str(tuned.report),)

    def _correct(self, group: Group, around: Around, progress: ProgressCallback | None) -> _Found:
        present = np.zeros(self.plan.volume.array.shape, np.uint16)
        for index, labels in around.present.labels.items():
            take_slice(present, self.plan.axis, index)[:] = labels
        support = self.elsewhere
        if group.marked is not None:
            support = group.marked.support(self.window).merged(support)
        result = correct_neighbours(
            self.plan.volume,
            present,
            self.plan.axis,
            around.index,
            model=self.model,
            marked=group.kept,
            reach=REACH,
            label_values=self._values(group),
            support=support,
            settings=replace(group.settings, slice_range=None),
            window=self.window,
            progress=progress,
            cancel=self.cancel,
        )
        return _Found(result.labels, np.full(present.shape, 100, np.uint8), {}, {})

    def _values(self, group: Group) -> list[int]:
        return [self.plan.values[segment_id] for segment_id in group.segment_ids]


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
