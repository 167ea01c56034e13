"""The strategy "guided": marked shapes follow the image from slice to slice, and network and image have their say."""

from __future__ import annotations

import numpy as np

from ....imaging import OUTSIDE_LOGIT
from ...shapes import signed_distance, width_of
from ..task import LabelLogits, LabelTask
from .contrast import contrasts_of, plainness
from .fields import Fields, Span, filled_marks, parts_of, spans_of
from .fusion import Place, Trust
from .judging import Verdict, judge
from .stepping import SteppingStone
from .weighing import Network, weigh

#: Side of the square that the strategy works on, in pixels; the network may see fewer.
WORKING_SIZE = 128
# Width of a structure in slices from which on it is smoothed in full, and how many times its half thickness a compact
# structure is at most wide.
_SMOOTHED_WIDTH, _COMPACT = 20.0, 3.0
# Share of the largest marked area that is next to nothing.
_NECK = 0.1


def guided(task: LabelTask) -> LabelLogits:
    """Bring the marked shapes to every slice by registration, and weigh them with patches, brightness and network.

    Every slice is registered to its neighbour; the marked slices on both sides are followed through these steps. Each
    slice gets from its one or two marks: the shape (signed distances, mixed by nearness), the votes of like patches,
    and how much more its brightness is that of the inside; from the network: its logits, with the shape as prior. Their
    weighted sum is the answer; see :mod:`.fusion`. How far it is believed, beside an interpolated shape and a copy, is
    what the marks themselves say of it; see :mod:`.judging`. Beyond the outermost marks, the weights know how far the
    structure may be expected to go on, and the search ends after a chunk of slices on which nothing is found. On the
    way from a single mark, what was found leads on; see :mod:`.stepping`.

    Args:
        task: On a square of ``WORKING_SIZE`` or a multiple; its support is on the network's grid. One mark or more is
            filled. Its ``watch`` is called with the :class:`.fusion.Terms` and :class:`.fusion.Weights` of every chunk
            of slices; no search ends early then.
    """
    result = LabelLogits.background(task)
    network = Network(task)
    marks = filled_marks(task)
    alone, contrasts = len(marks) == 1, contrasts_of(marks)
    spans = spans_of(task, marks, plainness(contrasts, alone))
    fields: dict[int, Fields] = {}
    agreements = []
    for number, span in enumerate(spans):
        if span.left and span.right:
            fields[number] = Fields.of(task, span)
            agreements.append(fields[number].agreement(span.left, span.right))
    known = None if alone else Trust.of(agreements, contrasts)
    # Who watches is told what the verdict is about, not what follows from it.
    verdict = judge(task, network, spans, fields, known) if task.watch is None else Verdict()
    result.agreement = dict(verdict.held_back)
    looked_at = 0
    for number, span in enumerate(spans):
        stone = SteppingStone.at(span, task.step) if alone else None
        for part, field in parts_of(task, span, fields.get(number), alone):
            goes_on = _predict(task, result, network, field, part, known, verdict, stone)
            looked_at += len(part.rows)
            if not (goes_on or number in fields or task.watch):
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
    stone: SteppingStone | None,
) -> bool:
    """Predict the slices of a span, enter them, and say whether the structure may go on beyond them."""
    rows = span.rows
    marks = [mark for _, mark in span.marks]
    place = Place.of(rows, marks, span.ending if stone is None else stone.ending)
    sources = [(mark, fields.to(side, rows)) for side, mark in span.marks]
    if stone is not None and stone.mark is not None:
        sources.append((stone.mark, fields.to_nearer(span.side, rows)))
    fused, spread = weigh(task, network, sources, rows, place, trust)
    answer = _within(task, verdict.settle(fused, marks, rows, place, task.settings.ending))
    led_on = place.ending is not None and place.ending.led_on > 0
    ends = led_on and _ends_at_a_neck(task, answer, np.abs(rows - marks[0].index))
    result.put(rows, answer, spread)
    if stone is not None:
        stone.step_on(task.images[rows], answer, rows)
    return not ends and bool((answer > 0).any())


def _ends_at_a_neck(task: LabelTask, answer: np.ndarray, distance: np.ndarray) -> bool:
    """Whether next to nothing is left of the structure; what is as bright and grows again beyond is another one.

    Args:
        task: The label.
        answer: Logits (n, S, S); that other structure is taken out of them, in place.
        distance: Slices to the mark, (n,).
    """
    areas = (answer > 0).sum(axis=(1, 2))
    little = _NECK * max(np.count_nonzero(mask >= 0.5) for mask in task.marks.values())
    necks = distance[areas < little]
    if not len(necks):
        return False
    beyond = distance >= necks.min()
    if areas[beyond].max() >= little:
        answer[beyond] = OUTSIDE_LOGIT
    return True


def _within(task: LabelTask, logits: np.ndarray) -> np.ndarray:
    """Nothing is found in the padding around the slice."""
    result = np.full_like(logits, OUTSIDE_LOGIT)
    part = (slice(None), *task.shown.slices)
    result[part] = logits[part]
    return result
