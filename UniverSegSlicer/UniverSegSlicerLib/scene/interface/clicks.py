"""Click to segment, as it stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClickState:
    """Click to segment: where, and with which points ((row, col) of the slice)."""

    axis: str
    index: int
    segment_id: str
    include: tuple[tuple[int, int], ...] = ()
    exclude: tuple[tuple[int, int], ...] = ()
