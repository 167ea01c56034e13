"""Which slice is most worth marking next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

# A marked slice helps its neighbours: half as much at this share of the structure's length.
_REACH = 0.08


@dataclass(frozen=True)
class SliceSuggestion:
    """A slice to mark.

    Attributes:
        index: Slice number along the axis.
        score: How much doubt the mark would remove, 1 for the most of all suggestions.
    """

    index: int
    score: float


def rank_slices(doubt: np.ndarray, marked: Iterable[int], count: int = 5) -> list[SliceSuggestion]:
    """Choose slices whose marking would remove most doubt, spread apart from one another and from the marks.

    A mark is taken to remove the doubt of its own slice, and of its neighbours the less the farther they are. Slices
    are chosen one by one, each for the doubt that those before it leave.

    Args:
        doubt: (N,) expected number of wrong pixels per slice, 0 where nothing is to be marked.
        marked: Slices that are marked already; they are never suggested.
        count: How many to suggest at most.

    Returns:
        Suggestions, best first.
    """
    doubt = np.array(doubt, dtype=float)
    taken = [int(n) for n in marked]
    doubt[taken] = 0
    places = np.arange(len(doubt))
    alive = np.flatnonzero(doubt > 0)
    if not alive.size:
        return []
    reach = max(1.0, _REACH * (alive[-1] - alive[0] + 1))
    helps = 0.5 ** (np.abs(places[:, None] - places[alive]) / reach)  # (N, alive)
    covered = helps[taken].max(axis=0, initial=0.0)
    suggestions: list[SliceSuggestion] = []
    for _ in range(min(count, len(alive))):
        gain = np.full(len(doubt), -1.0)
        gain[alive] = np.maximum(helps[alive] - covered, 0) @ doubt[alive]
        gain[taken] = -1.0
        best = int(gain.argmax())
        if gain[best] <= 0:
            break
        suggestions.append(SliceSuggestion(best, float(gain[best])))
        taken.append(best)
        covered = np.maximum(covered, helps[best])
    return [SliceSuggestion(s.index, s.score / suggestions[0].score) for s in suggestions]
