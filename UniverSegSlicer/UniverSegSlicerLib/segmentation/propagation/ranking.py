"""Which slice is most worth marking next.

A mark is hand work, so what counts is the error that it takes from the *other* slices. How far a mark helps was read
off real scans, on which every slice in turn was marked besides three others (docs/quality.md):

* Between two filled marks, a and b slices away, the error of a slice goes with ``ab / (a + b)``. A mark in between
  shortens one of the two ways. If nothing else is known, the middle of the gap helps most.
* Beyond the outermost filled mark, the error goes with the way to it. A further filled mark helps the slices between
  the two just as much, and those beyond it as far as the structure goes on there. An empty mark clears what lies beyond
  it, and does not help the slices before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .compose import certainty

if TYPE_CHECKING:
    from .task import LabelLogits

# The surest pixel of a slice says that the structure is there with its probability to this power: it is the most
# extreme one of many. (Of the slices beyond the marks whose surest pixel had 0.85, half held the structure.)
_CAUTION = 5
# Beyond the outermost filled marks, the way to them counts so many times. Of what 96 marks there and 115 between two
# were expected to take from others, twice as large a share came true there on vertebrae (more on micro-CT and
# hippocampi; less on cords, a prostate and organs in MR, where it mattered little).
_OPEN = 2.0
# Of a marked slice's own error, so little counts as help that it only decides where no other slice is helped.
_OWN = 1e-3
# From this chance on, a slice that is suggested is taken to hold the structure when the next one is chosen.
_LIKELY = 0.5
# Marks that are weighed at once; it bounds the memory.
_BLOCK = 256


@dataclass(frozen=True)
class SliceSuggestion:
    """A slice to mark.

    Attributes:
        index: Slice number along the axis.
        score: How much of the expected error the mark would take from the other slices, 1 for the most of all
            suggestions.
    """

    index: int
    score: float


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a run expects of one label, by slice; arrays are (N,).

    Attributes:
        wrong: Expected number of wrong pixels; 0 where nothing is to be marked.
        area: Expected number of pixels of the structure.
        present: Chance that the structure is there, 0 to 1; it need not be right between filled marks, where it is
            taken to be 1.
        marks: Slice number to whether the structure is there, for the slices on which that is known.
    """

    wrong: np.ndarray
    area: np.ndarray
    present: np.ndarray
    marks: Mapping[int, bool]

    @classmethod
    def of(cls, found: LabelLogits, rows: Iterable[int], marks: Mapping[int, bool], pixel: float = 1.0) -> Outlook:
        """From the logits of a label.

        A pixel's probability is taken at its word: the smaller of p and 1 - p is the chance that it is wrong.
        Disagreement between passes brings p closer to one half, as in the confidence.

        Args:
            found: The label's logits on its square, (N, S, S).
            rows: Slices that were predicted and may be marked.
            marks: Slice number to whether the structure is there.
            pixel: Size of a pixel of the square, in pixels of the volume.
        """
        wrong, area, present = np.zeros((3, len(found.logits)))
        for n in rows:
            logits = found.logits[n].astype(np.float32)
            spread = np.zeros_like(logits) if found.spread is None else found.spread[n].astype(np.float32)
            sure = certainty(np.abs(logits), spread)
            chance = 0.5 + 0.5 * np.copysign(sure, logits)
            wrong[n] = pixel * 0.5 * float((1 - sure).sum())
            area[n] = pixel * float(chance.sum())
            present[n] = float(chance.max()) ** _CAUTION
        return cls(wrong, area, present, dict(marks))


def rank_slices(outlooks: Sequence[Outlook], marked: Iterable[int], count: int = 5) -> list[SliceSuggestion]:
    """Choose the slices whose marking may be expected to take most error from the others.

    The error of a slice is taken to go with the geometric mean of its expected numbers of wrong pixels and of pixels;
    with the way to the marks, because what is wrong close to a mark stays wrong after another one; and with the square
    of the chance that the structure is there, because where that is small, little of the doubt is real and a mark helps
    little. Slices are chosen one by one, each as if those before it were marked, so that the first k also serve to be
    marked at once.

    Args:
        outlooks: One for each label; all of N slices.
        marked: Slices that are marked already, for whatever label; they are never suggested.
        count: How many to suggest at most.

    Returns:
        Suggestions, best first.
    """
    if not outlooks:
        return []
    hopes = [_Hope(outlook) for outlook in outlooks]
    free = np.any([outlook.wrong > 0 for outlook in outlooks], axis=0)
    free[[int(n) for n in marked]] = False
    chosen: list[tuple[int, float]] = []
    while len(chosen) < count and free.any():
        gain = np.where(free, np.sum([hope.gain() for hope in hopes], axis=0), 0.0)
        best = int(gain.argmax())
        # What is too little to be a share of the first one's promises nothing.
        if gain[best] <= 0 or (chosen and gain[best] / chosen[0][1] <= 0):
            break
        # The first mark beyond the outermost ones turns a guess into a gap, after which another may promise more.
        chosen.append((best, min(float(gain[best]), chosen[-1][1] if chosen else np.inf)))
        free[best] = False
        for hope in hopes:
            hope.mark(best)
    return [SliceSuggestion(index, gain / chosen[0][1]) for index, gain in chosen]


class _Hope:
    """The error that is left of one label, as marks are added."""

    def __init__(self, outlook: Outlook) -> None:
        self._marks = {int(n): bool(filled) for n, filled in outlook.marks.items()}
        self._present = np.array(outlook.present, float)
        count = len(self._present)
        way = np.zeros(count)
        for stretch in _stretches(self._marks, count):
            if stretch.closed:
                self._present[stretch.rows] = 1.0
            way[stretch.rows] = stretch.way
        # Roots one by one: the product of two large numbers of pixels may be too large for a float.
        self._error = np.sqrt(outlook.wrong) * np.sqrt(outlook.area) * way * self._present**2

    def gain(self) -> np.ndarray:
        """(N,) how much error a mark on each slice would take from the others, in about pixels."""
        result = np.zeros(len(self._error))
        for stretch in _stretches(self._marks, len(self._error)):
            rows = stretch.rows
            for start in range(0, len(rows), _BLOCK):
                some = rows[start : start + _BLOCK]
                helped = 1 - stretch.left(some, self._present[some], self._present[rows])
                helped[np.arange(len(some)), some - rows[0]] = _OWN
                result[some] = helped @ self._error[rows]
        return result

    def mark(self, index: int) -> None:
        """Go on as if a slice were marked, with the structure on it if that is likely."""
        if index in self._marks:
            return
        filled = bool(self._present[index] >= _LIKELY)
        stretch = next(s for s in _stretches(self._marks, len(self._error)) if s.low < index < s.high)
        present = self._present[stretch.rows]
        self._error[stretch.rows] *= stretch.left(np.array([index]), np.array([float(filled)]), present)[0]
        self._error[index] = 0.0
        self._marks[index] = filled


@dataclass(frozen=True)
class _Stretch:
    """Slices in a row on which nothing is known, with what is known before and behind them.

    Attributes:
        low, high: The slices before and behind them, marked or just outside the volume.
        before, behind: Whether the structure is marked there.
    """

    low: int
    high: int
    before: bool
    behind: bool

    @property
    def rows(self) -> np.ndarray:
        """The slice numbers, (n,)."""
        return np.arange(self.low + 1, self.high)

    @property
    def closed(self) -> bool:
        """Whether the structure is marked on both sides."""
        return self.before and self.behind

    @property
    def way(self) -> np.ndarray:
        """(n,) with what the error goes, in slices.

        The parallel sum of the ways to two filled marks, ``_OPEN`` times the way to one, the root of all without any.
        """
        to_low, to_high = self.rows - self.low, self.high - self.rows
        if self.closed:
            return to_low * to_high / (to_low + to_high)
        if self.before or self.behind:
            return _OPEN * (to_low if self.before else to_high)
        # No mark says that the structure is there, so a long way must not make these outweigh the others.
        return np.full(len(to_low), float(len(to_low)) ** 0.5)

    def left(self, marks: np.ndarray, filled: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Share (m, n) of each slice's error that is left, by mark and slice, after one of ``marks`` (m,) is made.

        Args:
            marks: Slice numbers within the stretch.
            filled: (m,) chances that the structure is found on them.
            present: (n,) the same for all slices of the stretch.
        """
        m, n, chance = marks[:, None], self.rows[None], filled[:, None]
        length = self.high - self.low
        if self.closed:
            return np.where(
                n < m,
                (m - n) * length / ((m - self.low) * (self.high - n)),
                (n - m) * length / ((self.high - m) * (n - self.low)),
            )
        if self.before or self.behind:
            start = self.low if self.before else self.high
            near, far = np.abs(n - start), np.abs(m - start)
            return np.where(near <= far, 1 - chance * near / far, chance * (1 - present[None] * far / near))
        return 1 - chance * (1 - np.abs(n - m) / length)


def _stretches(marks: Mapping[int, bool], count: int) -> Iterator[_Stretch]:
    """The stretches between marks, in order; ``count`` is the number of slices."""
    for low, high in pairwise([-1, *sorted(marks), count]):
        if high - low > 1:
            yield _Stretch(low, high, marks.get(low, False), marks.get(high, False))
