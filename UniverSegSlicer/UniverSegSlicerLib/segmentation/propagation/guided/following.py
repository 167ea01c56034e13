"""The strategy "guided": marked shapes follow the image from slice to slice, and network and image have their say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ....imaging import OUTSIDE_LOGIT, SliceFrame
from ...predictor import PRIOR_CHANNELS, planes
from ...shapes import width_of
from ...support.choice import Draw, draw_support
from ..task import LabelLogits, LabelTask
from .evidence import Mark, contrast, gather
from .fusion import Ending, Place, Trust, terms_of, weights_for
from .registration import chained, even_contrast, fields_to_previous, inverse, resized, warped

if TYPE_CHECKING:
    from torch import Tensor

#: Side of the square that the strategy works on, in pixels; the network may see fewer.
WORKING_SIZE = 128
# Side of the square for registration and votes.
_COARSE_SIZE = 64
# Slices that are worked on at once; it bounds the memory.
_CHUNK = 16
# Width of a structure in slices from which on it is smoothed in full.
_SMOOTHED_WIDTH = 20.0


@dataclass(frozen=True, eq=False)
class Span:
    """Unmarked slices in a row, with a filled mark before or behind them.

    Attributes:
        left: The filled mark before them, if there is one.
        right: The filled mark behind them, if there is one.
        rows: Rising numbers of the slices to predict.
        ending: How far the structure may go on, for spans with one filled mark.
    """

    left: Mark | None
    right: Mark | None
    rows: np.ndarray
    ending: Ending | None


def guided(task: LabelTask) -> LabelLogits:
    """Bring the marked shapes to every slice by registration, and weigh them with patches, brightness and network.

    Every slice is registered to its neighbour; the marked slices on both sides are followed through these steps. Each
    slice gets from its one or two marks: the shape (signed distances, mixed by nearness), the votes of like patches,
    and how much more its brightness is that of the inside; from the network: its logits, with the shape as prior. Their
    weighted sum is the answer; see :mod:`.fusion`. Beyond the outermost marks, the weights know how far the structure
    may be expected to go on, and the search ends after ``_CHUNK`` slices on which nothing is found.

    Args:
        task: On a square of ``WORKING_SIZE`` or a multiple; its support is on the network's grid. One mark or more is
            filled. Its ``watch`` is called with the :class:`.fusion.Terms` and :class:`.fusion.Weights` of every chunk
            of slices; no search ends early then.
    """
    result = LabelLogits.background(task)
    network = _Network(task)
    spans = _spans(task)
    fields: dict[int, _Fields] = {}
    agreements, contrasts = [], []
    for number, span in enumerate(spans):
        if span.left and span.right:
            fields[number] = _Fields.of(task, span)
            agreements.append(fields[number].agreement(span.left, span.right))
            contrasts += [contrast(span.left, span.right), contrast(span.right, span.left)]
    trust = Trust.of(agreements, contrasts)
    known = None if sum(mask.max() >= 0.5 for mask in task.marks.values()) == 1 else trust
    looked_at = 0
    for number, span in enumerate(spans):
        for part, field in _parts(task, span, fields.get(number)):
            found = _predict(task, result, network, field, part, known)
            looked_at += len(part.rows)
            if not (found or number in fields or task.watch):
                break
    task.meter.advance((len(task.wanted) - looked_at) * task.settings.passes_of("guided"), task.name)
    return result


def predict_marked(task: LabelTask, result: LabelLogits) -> None:
    """Enter what the network makes of the marked slices, with the marks as prior."""
    marked = np.array(sorted(task.marks))
    logits, spread = _Network(task)(marked, np.stack([task.marks[n] for n in marked]))
    result.put(marked, _within(task, logits), spread)


def smoothing_share(task: LabelTask) -> float:
    """How much of the smoothing along the slices a structure bears, 0 to 1.

    Where slices are thick or the structure is small, neighbouring slices differ too much to be averaged: all of it from
    a width of ``_SMOOTHED_WIDTH`` slices on (of the circle of the largest marked area), below that in proportion.
    """
    area = max((float((mask >= 0.5).sum()) for mask in task.marks.values()), default=0.0)
    return min(1.0, width_of(area) / task.step / _SMOOTHED_WIDTH)


def _spans(task: LabelTask) -> list[Span]:
    known = sorted(task.marks)
    filled = {n: Mark.of(n, task.images[n], task.marks[n]) for n in known if task.marks[n].max() >= 0.5}
    if not filled:
        return []
    spans = []
    for low, high in pairwise([-1, *known, len(task.images)]):
        left, right = filled.get(low), filled.get(high)
        rows = task.wanted[(task.wanted > low) & (task.wanted < high)]
        ending = None
        if (left is None) != (right is None):
            start, other = (low, high) if left is not None else (high, low)
            if other in task.marks:
                ending = Ending.before_empty_mark(high - low)
            else:
                ending = Ending.expected_beyond(filled.values(), filled[start], task.step)
            rows = rows[np.abs(rows - start) <= ending.farthest]
        if len(rows) and (left is not None or right is not None):
            spans.append(Span(left, right, rows, ending))
    return spans


@dataclass(frozen=True, eq=False)
class _Fields:
    """Where the pixels of a span's slices are on its marked slices.

    Attributes:
        first: The slice before the first field to the mark before the span, and that of the first field to the mark
            behind it.
        left: (n, 2, C, C) fields to the mark before the span, if there is one; the last one, where there is a mark
            behind the span, is of that mark's slice.
        right: The same to the mark behind it; the first one is of the slice of the mark before the span.
    """

    first: int
    left: Tensor | None
    right: Tensor | None

    @classmethod
    def of(cls, task: LabelTask, span: Span, nearer: tuple[int, Tensor] | None = None) -> _Fields:
        """Register the slices of a span.

        Args:
            task: With the images.
            span: The slices, and the marks that they are to be followed to.
            nearer: A slice between a single mark and the span, and its field (1, 2, C, C): the way goes on from there.
        """
        import torch

        near, start = (None, None) if nearer is None else nearer
        first, last = int(span.rows[0]), int(span.rows[-1])
        if span.left is not None:
            first = span.left.index if near is None else near
        if span.right is not None:
            last = span.right.index if near is None else near
        images = torch.as_tensor(task.images[first : last + 1], device=_device(task))[:, None]
        coarse = torch.nn.functional.avg_pool2d(images, images.shape[-1] // _COARSE_SIZE)
        back = fields_to_previous(even_contrast(coarse), task.meter.check)
        left = right = None
        if span.left is not None:
            left = _followed(back, start)
        if span.right is not None:
            right = _followed(inverse(back).flip(0), start).flip(0)
        return cls(first, left, right)

    def agreement(self, left: Mark, right: Mark) -> float:
        """Dice of the two marked shapes of a span once each is brought to the other's slice."""
        import torch

        assert self.left is not None and self.right is not None
        values = []
        for source, target, field in ((left, right, self.left[-1:]), (right, left, self.right[:1])):
            distance = torch.as_tensor(source.distance, device=field.device)[None, None]
            moved = (warped(distance, resized(field, distance.shape[-1])) > 0)[0, 0].cpu().numpy()
            goal = target.distance > 0
            values.append(2 * float((moved & goal).sum()) / max(1, int(moved.sum()) + int(goal.sum())))
        return float(np.mean(values))

    def to(self, side: str, rows: np.ndarray) -> Tensor:
        """The fields of some slices to the mark on one side."""
        import torch

        fields = self.left if side == "left" else self.right
        assert fields is not None
        # The fields to the mark behind start with the mark before, where there is one; those to the mark before leave
        # that mark itself out.
        offset = self.first + 1 if side == "left" else self.first
        return fields[torch.as_tensor(rows - offset, device=fields.device)]


def _followed(steps: Tensor, start: Tensor | None) -> Tensor:
    """From fields (n, 2, C, C) to the previous slice each, the fields to the slice before the first.

    With ``start`` (1, 2, C, C), the field from there to a farther slice, they lead to that one.
    """
    import torch

    found: list[Tensor] = []
    for step in steps.split(1):
        start = step if start is None else chained(step, start)
        found.append(start)
    return torch.cat(found) if found else steps


def _parts(task: LabelTask, span: Span, fields: _Fields | None) -> Iterator[tuple[Span, _Fields]]:
    """A span in chunks, with their fields; those with one mark go outwards from it, and are registered on the way."""
    if fields is not None:
        for start in range(0, len(span.rows), _CHUNK):
            yield replace(span, rows=span.rows[start : start + _CHUNK]), fields
        return
    outwards = span.rows if span.left is not None else span.rows[::-1]
    nearer = None
    for start in range(0, len(outwards), _CHUNK):
        rows = np.sort(outwards[start : start + _CHUNK])
        part = replace(span, rows=rows)
        found = _Fields.of(task, part, nearer)
        yield part, found
        farthest = rows[-1:] if span.left is not None else rows[:1]
        nearer = int(farthest[0]), found.to("left" if span.left is not None else "right", farthest)


def _predict(
    task: LabelTask,
    result: LabelLogits,
    network: _Network,
    fields: _Fields,
    span: Span,
    trust: Trust | None,
) -> bool:
    """Predict the slices of a span, enter them, and say whether anything was found on them."""
    import torch

    rows = span.rows
    images = torch.as_tensor(task.images[rows], device=_device(task))[:, None]
    marks = [(side, mark) for side, mark in (("left", span.left), ("right", span.right)) if mark is not None]
    near = np.stack([1.0 / np.abs(rows - mark.index) for _, mark in marks])
    evidence = gather(images, [(mark, fields.to(side, rows)) for side, mark in marks], near / near.sum(axis=0))
    place = Place.of(rows, [mark for _, mark in marks], span.ending)
    weights = weights_for(place, trust)
    prior = torch.sigmoid(2 * evidence.shape)
    for _ in range(task.settings.passes_of("guided")):
        logits, spread = network(rows, prior[:, 0].cpu().numpy())
        heard = torch.as_tensor(logits, device=images.device)[:, None]
        terms = terms_of(evidence, heard, place, trust, task.settings.ending)
        if task.watch is not None:
            task.watch(rows, terms, weights)
        fused = terms.answer(weights)
        prior = torch.sigmoid(fused)
    answer = _within(task, fused[:, 0].cpu().numpy())
    result.put(rows, answer, spread)
    return bool((answer > 0).any())


class _Network:
    """The network on its own grid, for slices on the working square."""

    def __init__(self, task: LabelTask) -> None:
        self._task = task
        model = task.support.model
        side = task.images.shape[-1]
        self._frame = SliceFrame.fit((side, side), (1.0, 1.0), size=model.resolution)
        self._reads_prior = model.query_channels >= PRIOR_CHANNELS

    def __call__(self, rows: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Logits (n, S, S) and their spread for slices, with a prior (n, S, S) of probabilities."""
        task, frame = self._task, self._frame
        seen = task.images if task.seen is None else task.seen
        queries = planes(seen[rows], prior=frame.to_network(prior) if self._reads_prior else None)
        groups: dict[tuple[Draw, ...], list[int]] = {}
        for row, index in enumerate(rows):
            groups.setdefault(tuple(draw_support(task.support.places, int(index), task.settings)), []).append(row)
        logits = np.zeros((len(rows), frame.size, frame.size), np.float32)
        spread: np.ndarray | None = None
        for draws, some in groups.items():
            logits[some], between = task.support.predict(
                queries[some], draws, flips=task.settings.flips, meter=task.meter, message=task.name
            )
            if between is not None:
                spread = np.zeros_like(logits) if spread is None else spread
                spread[some] = between
        return frame.from_network(logits), None if spread is None else frame.from_network(spread)


def _within(task: LabelTask, logits: np.ndarray) -> np.ndarray:
    """Nothing is found in the padding around the slice."""
    result = np.full_like(logits, OUTSIDE_LOGIT)
    part = (slice(None), *task.shown.slices)
    result[part] = logits[part]
    return result


def _device(task: LabelTask) -> Any:
    """Where the network computes, as far as registration can be done there."""
    device = str(task.support.model.device)
    return device if device.startswith("cuda") else "cpu"
