"""How far a structure goes on beyond its marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...shapes import end_of_ellipsoid, gap_and_rest, width_of
from .evidence import Mark

# Around a single mark, so many times the expected length is looked at.
_FARTHEST_GUESSED = 2.0
# Gaps, in widths of the structure, from which up marks are not crowded at all, and from which down they are in full.
_ROOMY, _CROWDED = 0.8, 0.3
# How crowded marks that go from a tip inwards are where they count in full as all at one end.
_RATHER_CROWDED = 0.3
# An ellipsoid that would go on for so many half gaps is none.
_HARDLY_NARROWED = 4.0
# Evenly spread marks: at least so many gaps of so many slices on average; the deviation of the gaps, as a share of the
# mean one, that makes them uneven; the span, and the gap below which and from which on it says so in full, in widths.
_FEWEST_GAPS, _DENSE = 2, 2.0
_UNEVEN, _HUDDLED = 0.25, 0.6
_TIGHT, _LOOSE = 0.08, 0.14
_RATHER = 0.5
# Shares of the largest area that are gone on both outermost marks, from which on they begin to show that the marks span
# the structure, and from which on they do so in full.
_NARROWER, _NARROW = 0.25, 0.6
# Marks at one end of a structure go from its tip to where it is wider, by this share of its largest area.
_WIDER = 0.4
# Where an ellipsoid would end, as seen from what was found on the way, may double or halve the expected way.
_LEAST_CHANGE, _MOST_CHANGE = 0.5, 2.0


@dataclass(frozen=True)
class Ending:
    """How far a structure may go on beyond a mark.

    Attributes:
        expected: Slices to where the end is expected, at least 1.
        guessed: Whether that follows from the structure's width, because the marks say nothing about its length.
        farthest: Slices beyond which nothing is looked for.
        closing: Share of the largest marked area that is already gone on the mark, 0 to 1.
        crowded: Whether marks are so close to one another that their gaps say little about the end, 0 to 1.
        wider: How much wider the structure is there than on the outermost mark of the other side, 0 to 1 (share of its
            largest area): marks at one end of a structure go from its tip to where it is wide.
        width: Of the structure, in slices; infinite where it does not matter.
        even: How surely marks were spread evenly over the whole structure, 0 to 1: then it ends half a gap beyond them.
        half_gap: Whole slices in half the mean gap between marks.
        led_on: How surely brightness alone shows where the structure goes on, 0 to 1.
    """

    expected: float
    guessed: bool
    farthest: float
    closing: float = 0.0
    crowded: float = 0.0
    wider: float = 0.0
    width: float = np.inf
    even: float = 0.0
    half_gap: int = 0
    led_on: float = 0.0

    @property
    def open(self) -> float:
        """``wider``, in proportion to ``crowded``: marks that begin at one end leave a structure open at the other."""
        return self.crowded * self.wider

    @classmethod
    def expected_beyond(cls, marks: Iterable[Mark], outermost: Mark, step: float, plain: float = 0.0) -> Ending:
        """Beyond an outermost mark.

        Marks that are spread over a structure show where it is: it ends about half a gap beyond them. So does the way
        in which it has narrowed on them; the two have equal say. Where marks span less than a structure of that width
        would be long, or where there is only one, it may go on for the rest of that length.

        Args:
            marks: The filled marks.
            outermost: The first or the last of them.
            step: Distance between neighbouring slices, in pixels.
            plain: How surely brightness alone shows the structure, 0 to 1.
        """
        areas = {mark.index: mark.area for mark in marks}
        largest = max(areas.values())
        other = areas[min(areas) if outermost.index == max(areas) else max(areas)]
        closing, elsewhere = 1 - outermost.area / largest, 1 - other / largest
        width = max(1.0, width_of(largest) / step)
        gap, rest = gap_and_rest(areas, step)
        rest = max(1.0, rest)
        spanned = _spanned(min(closing, elsewhere))
        guessed = rest > gap and spanned < _RATHER
        expected = rest if guessed else _spread_and_narrowing(gap / 2, areas, outermost.index)
        farthest = float(np.ceil(_FARTHEST_GUESSED * rest)) if len(areas) == 1 and not plain else np.inf
        crowded = 1.0 if guessed else float(np.clip((_ROOMY - gap / width) / (_ROOMY - _CROWDED), 0, 1))
        wider = max(0.0, elsewhere - closing)
        even = _evenness(sorted(areas), width, spanned)
        # Marks are all at one end where every slice is marked, or where they are crowded, rather so where they go from
        # a tip inwards besides; even ones that do not go from a tip show a structure from end to end.
        from_tip = min(1.0, wider / _WIDER)
        at_one_end = 1.0 if gap <= 1 else max(crowded, from_tip * min(1.0, crowded / _RATHER_CROWDED))
        led_on = plain * at_one_end * (1 - even * (1 - from_tip))
        return cls(expected, guessed, farthest, closing, crowded, wider, width, even, int(gap / 2), led_on)

    def as_found(self, areas: Mapping[int, float], mark: int, step: float) -> Ending:
        """What is expected once the structure has been found on slices beyond a single mark.

        Half of the change (in its logarithm) to where an ellipsoid with these sections would end, which is no farther
        than a structure of that width would go on from there.

        Args:
            areas: Slice number to the area, of the mark and of what was found on one side of it.
            mark: Number of the marked slice.
            step: Distance between neighbouring slices, in pixels.
        """
        farthest = max(areas, key=lambda n: abs(n - mark))
        _, rest = gap_and_rest({mark: max(areas.values())}, step)
        end = abs(farthest - mark) + min(rest, max(1.0, end_of_ellipsoid(areas, farthest)))
        change = float(np.clip(end / self.expected, _LEAST_CHANGE, _MOST_CHANGE))
        return replace(self, expected=self.expected * float(np.sqrt(change)))

    @classmethod
    def before_empty_mark(cls, gap: int) -> Ending:
        """Between a filled mark and an empty one, ``gap`` slices apart: half-way, if nothing else is known."""
        return cls(max(1.0, gap / 2), False, float(gap))


def _spread_and_narrowing(half_gap: float, areas: Mapping[int, float], outermost: int) -> float:
    """Slices from an outermost mark to the end: the geometric mean of half a gap and of where an ellipsoid would end.

    Marks in the middle make gaps shorter and say nothing about the end; an ellipsoid's sections say more, but few
    structures are one, so they may at most double or halve the first estimate, and one that has hardly narrowed says
    nothing.
    """
    half_gap = max(1.0, half_gap)
    ratio = end_of_ellipsoid(areas, outermost) / half_gap
    return half_gap if ratio > _HARDLY_NARROWED else max(1.0, half_gap * float(np.sqrt(np.clip(ratio, 0.5, 2.0))))


def _spanned(gone: float) -> float:
    """How surely the marks show a structure from end to end, 0 to 1: it is widest between them, flat as it may be.

    Args:
        gone: Share of the largest area that is gone on the wider one of the outermost marks.
    """
    return float(np.clip((gone - _NARROWER) / (_NARROW - _NARROWER), 0, 1))


def _evenness(marked: Sequence[int], width: float, spanned: float) -> float:
    """How surely marks were spread evenly over the whole structure, 0 to 1.

    Gaps are alike but for rounding, and neither do the marks span less than the structure is wide (unless it has
    narrowed on both outermost ones), nor is every slice or every other one marked: so look marks that are all at one
    end of a structure.

    Args:
        marked: Rising slice numbers.
        width: Of the structure, in slices.
        spanned: See :func:`_spanned`.
    """
    gaps = np.diff(marked)
    if len(gaps) < _FEWEST_GAPS or gaps.mean() < _DENSE:
        return 0.0
    uneven = np.sqrt(np.square(np.maximum(0.0, np.abs(gaps - gaps.mean()) - 0.5)).mean()) / gaps.mean()
    spread = np.clip(((marked[-1] - marked[0]) / width - _HUDDLED) / (1 - _HUDDLED), 0, 1)
    spread = max(spread, spanned)
    loose = np.clip((gaps.mean() / width - _TIGHT) / (_LOOSE - _TIGHT), 0, 1)
    return float(np.clip(1 - uneven / _UNEVEN, 0, 1) * spread * loose)
