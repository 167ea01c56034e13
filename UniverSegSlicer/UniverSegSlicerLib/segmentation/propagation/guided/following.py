"""The strategy "guided": marked shapes follow the image from slice to slice, and network and image have their say."""

from __future__ import annotations

import numpy as np

from ....imaging import OUTSIDE_LOGIT
from ...shapes import signed_distance, width_of
from ..task import LabelLogits, LabelTask
from .evidence import contrast
from .fields import Fields, Span, parts_of, spans_of
from .fusion import Place, Trust
from .judging import Verdict, judge
from .weighing import Network, weigh

#: Side of the square that the strategy works on, in pixels; the network may see fewer.
WORKING_SIZE = 128
# Width of a structure in slices from which on it is smoothed in full, and how many times its half thickness a compact
# structure is at most wide.
_SMOOTHED_WIDTH, _COMPACT = 20.0, 3.0


def guided(task: LabelTask) -> LabelLogits:
    """Bring the marked shapes to every slice by registration, and weigh them with patches, brightness and network.

    Every slice is registered to its neighbour; the marked slices on both sides are followed through these steps. Each
    slice gets from its one or two marks: the shape (signed distances, mixed by nearness), the votes of like patches,
    and how much more its brightness is that of the inside; from the network: its logits, with the shape as prior. Their
    weighted sum is the answer; see :mod:`.fusion`. How far it is believed, beside an interpolated shape and a copy, is
    what the marks themselves say of it; see :mod:`.judging`. Beyond the outermost marks, the weights know how far the
    structure may be expected to go on, and the search ends after a chunk of slices on which nothing is found.

    Args:
        task: On a square of ``WORKING_SIZE`` or a multiple; its support is on the network's grid. One mark or more is
            filled. Its ``watch`` is called with the :class:`.fusion.Terms` and :class:`.fusion.Weights` of every chunk
            of slices; no search ends early then.
    """
    result = LabelLogits.background(task)
    network = Network(task)
    spans = spans_of(task)
    fields: dict[int, Fields] = {}
    agreements, contrasts = [], []
    for number, span in enumerate(spans):
        if span.left and span.right:
            fields[number] = Fields.of(task, span)
            agreements.append(fields[number].agreement(span.left, span.right))
            contrasts += [contrast(span.left, span.right), contrast(span.right, span.left)]
    trust = Trust.of(agreements, contrasts)
    known = None if sum(mask.max() >= 0.5 for mask in task.marks.values()) == 1 else trust
    # Who watches is told what the verdict is about, not what follows from it.
    verdict = judge(task, network, spans, fields, known) if task.watch is None else Verdict()
    result.agreement = dict(verdict.held_back)
    looked_at = 0
    for number, span in enumerate(spans):
        for part, field in parts_of(task, span, fields.get(number)):
            found = _predict(task, result, network, field, part, known, verdict)
            looked_at += len(part.rows)
            if not (found or number in fields or task.watch):
                break
    task.meter.advance((len(task.wanted) - looked_at) * task.settings.passes_of("guided"), task.name)
    return result


def predict_marked(task: LabelTask, result: LabelLogits) -> None:
    """Enter what the network makes of the marked slices, with the marks as prior."""
    marked = np.array(sorted(task.marks))
    logits, spread = Network(task)(marked, np.stack([task.marks[n] for n in marked]))
    result.put(marked, _within(task, logits), spread)


def smoothing_share(task: LabelTask) -> float:
    """How much of the smoothing along the slices a structure bears, 0 to 1.

    Where slices are thick or the structure is small or thin, neighbouring slices differ too much to be averaged: all of
    it from a width of ``_SMOOTHED_WIDTH`` slices on (of the circle of the largest marked area, but of no more than its
    thickness allows), below that in proportion.
    """
    masks = [mask >= 0.5 for mask in task.marks.values()]
    area = max((int(mask.sum()) for mask in masks), default=0)
    if not area:
        return 0.0
    depth = max(float(signed_distance(mask).max()) for mask in masks if mask.any())
    return min(1.0, min(width_of(area), _COMPACT * depth) / task.step / _SMOOTHED_WIDTH)


def _predict(
    task: LabelTask,
    result: LabelLogits,
    network: Network,
    fields: Fields,
    span: Span,
    trust: Trust | None,
    verdict: Verdict,
) -> bool:
    """Predict the slices of a span, enter them, and say whether anything was found on them."""
    rows = span.rows
    marks = [(side, mark) for side, mark in (("left", span.left), ("right", span.right)) if mark is not None]
    place = Place.of(rows, [mark for _, mark in marks], span.ending)
    sources = [(mark, fields.to(side, rows)) for side, mark in marks]
    fused, spread = weigh(task, network, sources, rows, place, trust)
    answer = verdict.settle(fused, [mark for _, mark in marks], rows, place, task.settings.ending)
    answer = _within(task, answer)
    result.put(rows, answer, spread)
    return bool((answer > 0).any())


def _within(task: LabelTask, logits: np.ndarray) -> np.ndarray:
    """Nothing is found in the padding around the slice."""
    result = np.full_like(logits, OUTSIDE_LOGIT)
    part = (slice(None), *task.shown.slices)
    result[part] = logits[part]
    return result
