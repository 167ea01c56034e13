"""How well each mark agrees with what the others make of it, for the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from ..mrml.segments import read_part
from .applied_results import slice_digests
from .marks import MarkedSlice

# A Dice below the first is low wherever it is found; below the second it is, where it lies so far below that of the
# other marks. Marks of a structure that tapers or forks are foretold less well than others, without being wrong.
_LOW, _DOUBTFUL, _BEHIND = 0.4, 0.75, 0.15


@dataclass(frozen=True)
class Agreement:
    """What the last run made of the marks.

    Attributes:
        segmentation: Id of the segmentation node.
        axis: The slice axis of the run.
        scores: Segment id to slice to Dice, 0 to 1.
        digests: Segment id to slice to the content that was judged.
    """

    segmentation: str
    axis: str
    scores: Mapping[str, Mapping[int, float]]
    digests: Mapping[str, Mapping[int, int]]

    def of(self, segmentation: Any, rows: list[MarkedSlice], volume: Any) -> dict[int, float]:
        """The lowest score of each of the marked slices ``rows``, where it was judged as it is now."""
        if not rows or rows[0].axis != self.axis or segmentation.GetID() != self.segmentation:
            return {}
        found: dict[int, float] = {}
        for segment_id, scores in self.scores.items():
            here = [row.index for row in rows if segment_id in row.segment_ids and row.index in scores]
            if not here:
                continue
            now = slice_digests(read_part(segmentation, segment_id, volume), self.axis)
            for index in here:
                if now.get(index) == self.digests[segment_id].get(index):
                    found[index] = min(found.get(index, 1.0), scores[index])
        return found


def look_again(index: int, scores: Mapping[int, float]) -> bool:
    """Whether a mark agrees so badly with the others that it should be looked at: a slip, or something of its own."""
    score = scores[index]
    others = [each for other, each in scores.items() if other != index]
    if score < _LOW or not others:
        return score < _LOW
    return score < _DOUBTFUL and score < median(others) - _BEHIND
