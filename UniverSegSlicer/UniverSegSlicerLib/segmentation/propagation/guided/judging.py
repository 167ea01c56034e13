"""The marks judge the evidence: each inner mark is predicted from its neighbours, as if it were not known.

What the weighed evidence makes of it, what interpolation makes of it and what a copy makes of it is compared with what
was marked. A mark that is held back is twice as far from the others as the slices between marks are, where all errors
are smaller, and that of an interpolated shape falls fastest. Measured on labelled volumes, an error of e becomes about
e to the power of 1.2, and 1.56 where the shape is interpolated; so an error of 1 remains one, whatever the gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...shapes import shapes_between
from ..task import LabelTask
from .evidence import Mark
from .fields import Fields, Span
from .fusion import Place, Trust, weights_for
from .weighing import Network, weigh

if TYPE_CHECKING:
    from collections.abc import Iterator

# Powers of the errors of weighed evidence, interpolation and copy on the way from two gaps to one.
_POWERS = np.array([1.2, 1.56, 1.2])
# How sharply the smallest error is preferred, what speaks for the weighed evidence from the start (log-odds), and the
# number of marks by which half of what they say is believed.
_SHARPNESS, _HEAD_START, _HALF = 6.0, 1.5, 1.0
# No error is taken to be smaller, and no logit of a shape (2 per pixel of distance to its border) to be larger.
_LEAST_ERROR, _SUREST = 0.005, 8.0
# At most so many marks are held back; it bounds the time.
_MOST = 8


@dataclass(frozen=True)
class Verdict:
    """Shares of the weighed evidence, of interpolation and of a copy in the answer; they add up to 1.

    ``held_back`` has each mark that was held back, with the Dice that the best of the three reached on it.
    """

    weighed: float = 1.0
    interpolated: float = 0.0
    copied: float = 0.0
    held_back: tuple[tuple[int, float], ...] = ()

    @classmethod
    def of(cls, errors: Sequence[float], count: int) -> Verdict:
        """From the errors (1 - Dice) of the three on ``count`` marks that were held back."""
        if not count:
            return cls()
        scores = -_SHARPNESS * _POWERS * np.log(np.clip(errors, _LEAST_ERROR, 1)) * count / (count + _HALF)
        scores[0] += _HEAD_START
        shares = np.exp(scores - scores.max())
        weighed, interpolated, copied = (float(share) for share in shares / shares.sum())
        return cls(weighed, interpolated, copied)

    @property
    def plain(self) -> float:
        """Share of interpolation and copy together."""
        return 1 - self.weighed

    def settle(
        self, fused: np.ndarray, marks: Sequence[Mark], rows: np.ndarray, place: Place, ending: float = 1.0
    ) -> np.ndarray:
        """The answer, logits (n, S, S), from the weighed evidence (n, S, S) and the plain shapes of the marks.

        Beyond the outermost marks a copy has that share as far as half a gap, where marks are spread evenly; less of it
        where ``ending``, the weight of what the marks say about the structure's end, is below 1.
        """
        if self.plain == 0:
            return fused
        surest = _SUREST / weights_for(place, Trust()).temperature
        interpolated, copied = (surest * np.clip(2 / _SUREST * d, -1, 1) for d in plain_shapes(marks, rows))
        bounded = np.clip(fused, -surest, surest)
        if place.ending is None:
            return self.weighed * bounded + self.interpolated * interpolated + self.copied * copied
        near = place.distance <= place.ending.half_gap
        share = (min(1.0, ending) * self.plain * place.ending.even * near).astype(np.float32)[:, None, None]
        return np.where(share > 0, (1 - share) * bounded + share * copied, fused)


def judge(
    task: LabelTask, network: Network, spans: Sequence[Span], fields: Mapping[int, Fields], trust: Trust | None
) -> Verdict:
    """Hold the inner marks back, one by one, and see what would have been made of them.

    Args:
        task: The label.
        network: Of the task.
        spans: In their order.
        fields: Of the spans between two marks, by their number.
        trust: In the marks.
    """
    inner = list(_inner(spans, fields))
    inner = [inner[int((n + 0.5) * len(inner) / _MOST)] for n in range(_MOST)] if len(inner) > _MOST else inner
    task.meter.expect(len(inner) * task.settings.repeats_of("guided"))
    hits, sizes = np.zeros((2, 3))
    held_back = []
    part = task.shown.slices
    for before, after in inner:
        left, mark, right = spans[before].left, spans[before].right, spans[after].right
        assert left is not None and mark is not None and right is not None
        rows = np.array([mark.index])
        sources = [(left, fields[before].on_right_mark()), (right, fields[after].on_left_mark())]
        place = Place.of(rows, [left, right], None)
        fused, _ = weigh(task, network, sources, rows, place, trust, without=mark.index)
        truth = mark.distance[part] > 0
        masks = [found[0][part] > 0 for found in (fused, *plain_shapes([left, right], rows))]
        hit = np.array([2 * np.count_nonzero(mask & truth) for mask in masks])
        size = np.array([np.count_nonzero(mask) + np.count_nonzero(truth) for mask in masks])
        hits += hit
        sizes += size
        held_back.append((mark.index, float((hit / np.maximum(1, size)).max())))
    return replace(Verdict.of(list(1 - hits / np.maximum(1, sizes)), len(inner)), held_back=tuple(held_back))


def plain_shapes(marks: Sequence[Mark], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signed distances (n, S, S) in pixels, interpolated between two marks, and copied from the nearer one.

    Beside a single mark both are that mark's.
    """
    if len(marks) == 1:
        alone = np.repeat(marks[0].distance[None], len(rows), axis=0)
        return alone, alone
    left, right = marks
    fractions = (rows - left.index) / (right.index - left.index)
    between = shapes_between(left.distance > 0, right.distance > 0, fractions)
    return between, np.where((fractions <= 0.5)[:, None, None], left.distance, right.distance)


def _inner(spans: Sequence[Span], fields: Mapping[int, Fields]) -> Iterator[tuple[int, int]]:
    """The spans before and behind each mark that has unmarked slices and other filled marks on both sides."""
    for number in range(len(spans) - 1):
        if number in fields and number + 1 in fields and spans[number].right is spans[number + 1].left:
            yield number, number + 1
