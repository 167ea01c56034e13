"""The support set as a table, and as it was saved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class SupportRow:
    """One line of the support table.

    Attributes:
        key: Names the row in :meth:`Logic.set_used`, :meth:`Logic.remove` and :meth:`Logic.thumbnail`.
        kind: A slice marked here, another volume with its segmentation, or a support set from a file.
        title: "Axial 42"-like text for a marked slice, otherwise the name of the source.
        axis: Axis of a marked slice, else "".
        index: 0-based slice of a marked slice, else -1.
        area_mm2: Marked area of a marked slice, else 0.
        examples: How many examples the row brings; 0 when the row cannot be used, and then ``note`` tells why.
        used: Whether the next run uses it.
        note: A warning, "" for none.
        agreement: Dice, 0 to 1, of a marked slice with what the other marks made of it in the last run; None where it
            was not asked (the outermost marks), or the slice has changed since.
    """

    key: str
    kind: Literal["marked", "pair", "file"]
    title: str
    axis: str
    index: int
    area_mm2: float
    examples: int
    used: bool
    note: str = ""
    agreement: float | None = None


@dataclass(frozen=True)
class SupportTable:
    """The rows, and one sentence when the marks cannot be used as they are ("" when they can).

    ``unmarked`` tells whether it only says that there are none yet.
    """

    rows: tuple[SupportRow, ...] = ()
    message: str = ""
    unmarked: bool = False


@dataclass(frozen=True)
class SavedSupport:
    """A support set that was written: the file, how many slices are in it, and how many whole scans."""

    path: Path
    slices: int
    scans: int
