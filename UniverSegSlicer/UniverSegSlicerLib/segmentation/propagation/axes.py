"""Agreement of the three axes: the result along the marked axis is found again along the two others, and averaged.

Slices of the first result serve as marks along another axis, where the structure shows another outline. What all axes
find stays; what only one of them finds becomes doubtful.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...imaging import AXES, Volume, array_axis, slice_stack
from ...progress import CancelToken, ProgressCallback, sub_progress
from ..predictor import Meter, probability
from ..settings import PropagationSettings
from ..support.set import SupportSet
from .compose import LabelResult
from .label_run import LabelRun
from .task import LabelLogits, VolumeSlices

if TYPE_CHECKING:
    from ...network import InContextModel

# Slices of the first result that serve as marks along another axis.
_MARKS = 6
# Share of the marked axis in the mean; the other axes share the rest.
_SHARE = 0.5
# Logits beyond this are as certain. With the share above, the others together can undo what the marked axis is certain
# of, but not turn its certain background into structure.
_LOUDEST = 8.0


def agreed(
    results: Sequence[LabelResult],
    labels: np.ndarray,
    gaps: Sequence[Sequence[int]],
    *,
    slices: VolumeSlices,
    model: InContextModel,
    strategy: str,
    settings: PropagationSettings,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> list[LabelResult]:
    """Average the result along one axis with those along the two others that follow from it.

    An axis along which a label was found on no more slices than would serve as marks has no say; where neither has, the
    label stays as it is. Examples from elsewhere show slices along the first axis and have no part in this.

    Args:
        results: The labels, along the first axis.
        labels: (K, J, I) label map of them, the marked slices included.
        gaps: For each label, slices along the first axis on which it is neither marked nor predicted.
        slices: The volume along the first axis.
        model: The network.
        strategy: How the slices of the first result spread along the other axes.
        settings: The settings; nothing outside their slice range is looked at.
        progress: Called with the share done.
        cancel: Looked at after every chunk.

    Returns:
        The labels on the frames of ``results``. Their spread holds how much the axes disagree.
    """
    axis = slices.axis
    first, stop = settings.slice_range or (0, len(slices.stack))
    part = slice(first, stop)
    image = _cut(slices.volume, axis, part)
    across = [VolumeSlices(image, other, slices.window) for other in AXES if other != axis]
    alone = replace(settings, axes=1, slice_range=None, keep_marked=True)
    means, steps = [], len(results) * len(across)
    for row, (result, missing) in enumerate(zip(results, gaps, strict=True)):
        masks = _without_gaps(slice_stack(labels, axis)[part], result.value, [n - first for n in missing])
        found = np.moveaxis(masks, 0, array_axis(axis))
        field = _Field.of(result, axis, part)
        views = []
        for step, view in enumerate(across, row * len(across)):
            meter = Meter(sub_progress(progress, step / steps, (step + 1) / steps), cancel, 0)
            meter.check()
            run = _run_across(view, result, axis, found, model, strategy, alone, meter)
            logits = None if run is None else _seen_across(run, field)
            if logits is not None:
                views.append(slice_stack(logits, axis))
        means.append(_mean(result, part, views) if views else result)
    return means


def _cut(volume: Volume, axis: str, part: slice) -> Volume:
    """Some slices of a volume along an axis; the voxels are not copied."""
    array = np.moveaxis(slice_stack(volume.array, axis)[part], 0, array_axis(axis))
    k, j, i = array.shape
    origin = volume.geometry.to_world(np.array([part.start if a == axis else 0 for a in AXES]))
    return Volume(array, replace(volume.geometry, size=(i, j, k), origin=tuple(origin)))


def _without_gaps(stack: np.ndarray, value: int, gaps: Sequence[int]) -> np.ndarray:
    """Boolean (N, rows, cols) of a label in a label map; in a gap it has the shape of the nearest other slice.

    Args:
        stack: (N, rows, cols) label map.
        value: The label.
        gaps: Slices on which only other labels are known, which keep their place; those beyond the stack are ignored.
    """
    found = stack == value
    here = [n for n in gaps if 0 <= n < len(stack)]
    known = np.setdiff1d(np.arange(len(stack)), np.array(here, int))
    for n in here if len(known) else ():
        found[n] = found[known[np.abs(known - n).argmin()]] & (stack[n] == 0)
    return found


def _run_across(
    slices: VolumeSlices,
    first: LabelResult,
    axis: str,
    found: np.ndarray,
    model: InContextModel,
    strategy: str,
    settings: PropagationSettings,
    meter: Meter,
) -> LabelRun | None:
    """The work along another axis; None where the structure is too thin along it.

    Args:
        slices: The volume along the other axis.
        first: The result along the first axis.
        axis: The first axis.
        found: That result, boolean (K, J, I).
        model: The network.
        strategy: How the marks spread.
        settings: The settings.
        meter: Progress and cancellation of this axis.
    """
    stack = slice_stack(found, slices.axis)
    present = np.flatnonzero(stack.any(axis=(1, 2)))
    if len(present) <= _MARKS:
        return None
    places = (len(present) - 1) * (np.arange(_MARKS) + 0.5) / _MARKS
    marked = [int(n) for n in present[places.round().astype(int)]]
    # What the first frame does not show has no part in the mean.
    box = first.frame.covered
    rows_lie_across = array_axis(slices.axis) == min(a for a in range(3) if a != array_axis(axis))
    start, stop = (box.row_start, box.row_stop) if rows_lie_across else (box.col_start, box.col_stop)
    wanted = np.setdiff1d(np.arange(start, stop), marked)
    meter.expect(len(wanted) * settings.repeats_of(strategy))
    masks = {n: stack[n] for n in marked}
    return LabelRun(slices, first.value, masks, wanted, SupportSet(), model, strategy, settings, meter)


def _seen_across(run: LabelRun, first: _Field) -> np.ndarray | None:
    """Logits (K, J, I) along another axis at the points of the first result; None where nothing came out."""
    result = run.run()
    if not (result.found.logits > 0).any():
        return None  # marks that are thinner than the pixels of the frame
    axis = run.slices.axis
    here = _Field.of(result, axis, slice(0, len(run.slices.stack)))
    # The slices that served as marks only repeat the first result; they shall not do so with full certainty.
    marked = sorted(run.marks)
    lines = list(here.lines)
    lines[array_axis(axis)] = _Line(np.array(marked, float), 1.0, slice(None))
    slice_stack(here.logits, axis)[marked] = slice_stack(first.at(lines), axis)
    return here.at(first.lines)


def _mean(first: LabelResult, part: slice, views: Sequence[np.ndarray]) -> LabelResult:
    """Weighted mean of the logits (n, size, size) along all axes, slice by slice, and their disagreement."""
    logits = np.clip(first.found.logits, -_LOUDEST, _LOUDEST)
    spread = np.zeros_like(logits) if first.found.spread is None else first.found.spread.copy()
    weights = np.array([_SHARE] + [(1 - _SHARE) / len(views)] * len(views), np.float32)
    for row, n in enumerate(range(part.start, part.stop)):
        opinions = np.stack([logits[n], *(view[row] for view in views)]).astype(np.float32)
        chances = probability(opinions)
        middle = np.tensordot(weights, chances, 1)
        between = np.sqrt(np.tensordot(weights, (chances - middle) ** 2, 1))
        logits[n] = np.tensordot(weights, opinions, 1)
        spread[n] = np.hypot(spread[n], between)
    return LabelResult(first.value, first.frame, LabelLogits(logits, spread, first.found.doubt))


@dataclass(frozen=True, eq=False)
class _Line:
    """Evenly spaced points along one axis of the volume.

    Attributes:
        places: Rising voxel positions.
        step: Distance between neighbours in voxels.
        shown: The points that lie in the volume.
    """

    places: np.ndarray
    step: float
    shown: slice

    def weights(self, at: _Line) -> np.ndarray:
        """Linear weights (len(at), len(self)), widened to the step of ``at`` against aliasing."""
        places = self.places[self.shown]
        position = np.clip((at.places - places[0]) / self.step, 0, len(places) - 1)
        reach = max(1.0, at.step / self.step)
        weights = np.zeros((len(at.places), len(self.places)), np.float32)
        near = np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(len(places))) / reach)
        weights[:, self.shown] = near / near.sum(axis=1, keepdims=True)
        return weights

    def beyond(self, at: _Line) -> np.ndarray:
        """Which points of ``at`` lie outside of this line, boolean."""
        places = self.places[self.shown]
        return (at.places < places[0] - self.step) | (at.places > places[-1] + self.step)


@dataclass(frozen=True, eq=False)
class _Field:
    """Logits of a label on a grid that is parallel to the volume's.

    Attributes:
        logits: (K, J, I) float16.
        lines: The points along K, J and I.
    """

    logits: np.ndarray
    lines: tuple[_Line, ...]

    @classmethod
    def of(cls, result: LabelResult, axis: str, part: slice) -> _Field:
        """The logits of slices ``part``, whose first one has the position 0."""
        frame = result.frame
        rows, cols = np.array([frame.point_from_network(n, n) for n in range(frame.size)]).T
        lines = [
            _Line(places, frame.pixel_mm / spacing, seen)
            for places, spacing, seen in zip((rows, cols), frame.spacing, frame.shown.slices, strict=True)
        ]
        lines.insert(array_axis(axis), _Line(np.arange(part.stop - part.start, dtype=float), 1.0, slice(None)))
        return cls(np.moveaxis(result.found.logits[part], 0, array_axis(axis)), tuple(lines))

    def at(self, lines: Sequence[_Line]) -> np.ndarray:
        """The logits at the points of another grid, float16, linearly; certain background outside of this one."""
        result = np.clip(self.logits, -_LOUDEST, _LOUDEST)
        # What shrinks comes first, for the sake of time and memory.
        for a in sorted(range(3), key=lambda a: len(lines[a].places) / len(self.lines[a].places)):
            weights = self.lines[a].weights(lines[a])
            result = np.moveaxis(np.tensordot(weights, result.astype(np.float32, copy=False), (1, a)), 0, a)
        result = np.clip(result, -_LOUDEST, _LOUDEST)
        for a in range(3):
            np.moveaxis(result, a, 0)[self.lines[a].beyond(lines[a])] = -_LOUDEST
        return result.astype(np.float16)
