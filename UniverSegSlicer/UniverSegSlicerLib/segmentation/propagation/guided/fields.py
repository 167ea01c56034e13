"""Which slices are predicted from which marks, and where their pixels are on these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..task import LabelTask
from .contrast import with_best_blur
from .ending import Ending
from .evidence import Mark
from .registration import chained, even_contrast, fields_to_previous, inverse, resized, warped

if TYPE_CHECKING:
    from torch import Tensor

# Side of the square for registration and votes.
_COARSE_SIZE = 64
# Slices that are worked on at once; it bounds the memory. Around a single mark, what was found leads on after fewer.
_CHUNK, _STRIDE = 16, 6


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

    @property
    def marks(self) -> list[tuple[str, Mark]]:
        """The filled marks with the side that each is on."""
        return [(side, mark) for side, mark in (("left", self.left), ("right", self.right)) if mark is not None]

    @property
    def side(self) -> str:
        """Where the mark is, or the one before the slices."""
        return self.marks[0][0]


def filled_marks(task: LabelTask) -> dict[int, Mark]:
    """The marks that are not empty, by their slice, rising."""
    there = [n for n in sorted(task.marks) if task.marks[n].max() >= 0.5]
    return with_best_blur({n: Mark.of(n, task.images[n], task.marks[n]) for n in there})


def spans_of(task: LabelTask, filled: Mapping[int, Mark], plain: float) -> list[Span]:
    """The spans between and beyond the marks.

    Args:
        task: The label.
        filled: From :func:`filled_marks`.
        plain: How surely brightness alone shows the structure, 0 to 1.
    """
    if not filled:
        return []
    spans = []
    for low, high in pairwise([-1, *sorted(task.marks), len(task.images)]):
        left, right = filled.get(low), filled.get(high)
        rows = task.wanted[(task.wanted > low) & (task.wanted < high)]
        ending = None
        if (left is None) != (right is None):
            start, other = (low, high) if left is not None else (high, low)
            if other in task.marks:
                ending = Ending.before_empty_mark(high - low)
            else:
                ending = Ending.expected_beyond(filled.values(), filled[start], task.step, plain)
            rows = rows[np.abs(rows - start) <= ending.farthest]
        if len(rows) and (left is not None or right is not None):
            spans.append(Span(left, right, rows, ending))
    return spans


@dataclass(frozen=True, eq=False)
class Fields:
    """Where the pixels of a span's slices are on its marked slices.

    Attributes:
        first: The slice before the first field to the mark before the span, and that of the first field to the mark
            behind it.
        left: (n, 2, C, C) fields to the mark before the span, if there is one; the last one, where there is a mark
            behind the span, is of that mark's slice.
        right: The same to the mark behind it; the first one is of the slice of the mark before the span.
        steps: (n, 2, C, C) fields from each slice to its neighbour on the way to a single mark, outwards from it.
    """

    first: int
    left: Tensor | None
    right: Tensor | None
    steps: Tensor

    @classmethod
    def of(cls, task: LabelTask, span: Span, nearer: tuple[int, Tensor] | None = None) -> Fields:
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
        images = torch.as_tensor(task.images[first : last + 1], device=device_of(task))[:, None]
        coarse = torch.nn.functional.avg_pool2d(images, images.shape[-1] // _COARSE_SIZE)
        back = fields_to_previous(even_contrast(coarse), task.meter.check)
        left, right, steps = None, None, back
        if span.left is not None:
            left = _followed(back, start)
        if span.right is not None:
            steps = inverse(back).flip(0)
            right = _followed(steps, start).flip(0)
        return cls(first, left, right, steps)

    def agreement(self, left: Mark, right: Mark) -> float:
        """Dice of the two marked shapes of a span once each is brought to the other's slice."""
        import torch

        values = []
        for source, target, field in ((left, right, self.on_right_mark()), (right, left, self.on_left_mark())):
            distance = torch.as_tensor(source.distance, device=field.device)[None, None]
            moved = (warped(distance, resized(field, distance.shape[-1])) > 0)[0, 0].cpu().numpy()
            goal = target.distance > 0
            values.append(2 * float((moved & goal).sum()) / max(1, int(moved.sum()) + int(goal.sum())))
        return float(np.mean(values))

    def on_right_mark(self) -> Tensor:
        """The field (1, 2, C, C) of the mark behind the span to the one before it."""
        assert self.left is not None and self.right is not None
        return self.left[-1:]

    def on_left_mark(self) -> Tensor:
        """The field (1, 2, C, C) of the mark before the span to the one behind it."""
        assert self.left is not None and self.right is not None
        return self.right[:1]

    def to(self, side: str, rows: np.ndarray) -> Tensor:
        """The fields of some slices to the mark on one side."""
        fields = self.left if side == "left" else self.right
        assert fields is not None
        return self._of_rows(fields, side, rows)

    def to_nearer(self, side: str, rows: np.ndarray) -> Tensor:
        """The fields of some slices to the one from which the way to a single mark goes on."""
        fields = _followed(self.steps, None)
        return self._of_rows(fields if side == "left" else fields.flip(0), side, rows)

    def _of_rows(self, fields: Tensor, side: str, rows: np.ndarray) -> Tensor:
        import torch

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


def parts_of(task: LabelTask, span: Span, fields: Fields | None, alone: bool = False) -> Iterator[tuple[Span, Fields]]:
    """A span in chunks, with their fields; those with one mark go outwards from it, and are registered on the way.

    Around a mark that is ``alone`` in the volume, the chunks are smaller.
    """
    if fields is not None:
        for start in range(0, len(span.rows), _CHUNK):
            yield replace(span, rows=span.rows[start : start + _CHUNK]), fields
        return
    outwards = span.rows if span.left is not None else span.rows[::-1]
    nearer = None
    stride = _STRIDE if alone else _CHUNK
    for start in range(0, len(outwards), stride):
        rows = np.sort(outwards[start : start + stride])
        part = replace(span, rows=rows)
        found = Fields.of(task, part, nearer)
        yield part, found
        farthest = rows[-1:] if span.left is not None else rows[:1]
        nearer = int(farthest[0]), found.to(span.side, farthest)


def device_of(task: LabelTask) -> Any:
    """Where the network computes, as far as registration can be done there."""
    device = str(task.support.model.device)
    return device if device.startswith("cuda") else "cpu"
