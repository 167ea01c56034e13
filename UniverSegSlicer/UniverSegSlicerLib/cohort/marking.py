"""Which scan to mark next, and where: the one that brings the others most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import read_volume, write_label_map
from ..writing import write_whole
from .folder import CohortFolder
from .inputs.case import Case
from .looks import distance
from .record import CaseRecord

#: Where suggestions are written, within the cohort's folder.
NEXT = "next"
# Even a case on which all agree counts a little: all may be wrong together.
_LEAST_DOUBT = 0.1


@dataclass(frozen=True)
class Suggestion:
    """A scan that is worth marking.

    Attributes:
        case: Its name.
        volume: Its file.
        gain: How much nearer to a marked scan it brings the cohort, each case weighed by its doubt; only to compare.
        axis: Slice axis.
        slices: Slices worth marking, best first.
        marks: The empty label map on its grid, once :func:`suggest` has written it.
    """

    case: str
    volume: Path
    gain: float
    axis: str
    slices: tuple[int, ...]
    marks: Path | None = None


def rank_next(
    records: Sequence[CaseRecord], looks: dict[str, np.ndarray], count: int, slices: int = 3
) -> list[Suggestion]:
    """The scans to mark, best first; each counts on those before it being marked.

    A marked scan helps the cases that look more like it than like the support, and helps most where the draws of the
    support disagree. So the scan is taken that shortens the cohort's distances most, weighed by doubt (as in facility
    location).

    Args:
        records: Of the cohort; failed ones take no part.
        looks: Case to what it looks like.
        count: How many scans.
        slices: How many slices of each.
    """
    known = [r for r in records if not r.failed and r.case in looks and r.distance is not None]
    if not known:
        return []
    sure = [r.agreement if r.agreement is not None else r.confidence or 0.0 for r in known]
    doubt = _LEAST_DOUBT + 1 - np.array(sure)
    apart = np.array([[distance(looks[a.case], looks[b.case]) for b in known] for a in known])
    apart = np.nan_to_num(apart, nan=2.0)
    least = np.array([r.distance for r in known], float)
    chosen: list[Suggestion] = []
    left = set(range(len(known)))
    while left and len(chosen) < count:
        gains = doubt @ np.maximum(0, least[:, None] - apart)
        best = max(sorted(left), key=lambda n: gains[n])
        left.remove(best)
        least = np.minimum(least, apart[:, best])
        record = known[best]
        chosen.append(
            Suggestion(
                record.case, Path(record.volume), round(float(gains[best]), 4), record.axis, record.suggested[:slices]
            )
        )
    return chosen


def suggest(output: str | Path, count: int = 1, slices: int = 3) -> list[Suggestion]:
    """Write an empty label map on the grid of each scan that is worth marking, and what to do with it.

    Args:
        output: The cohort's folder.
        count: How many scans.
        slices: How many slices of each.

    Raises:
        InputError: No cohort, or none of its cases was segmented.
        OutputError: The folder cannot be written.
    """
    folder = CohortFolder(Path(output))
    cases = {case.name: case for case in folder.cases()}
    looks = {name: found for name, case in cases.items() if (found := folder.looks_of(case)) is not None}
    chosen = rank_next(folder.records(), looks, count, slices)
    if not chosen:
        raise InputError(f"{folder.path} has no segmented case yet, so that nothing tells them apart.")
    return [_written(folder, cases[one.case], one) for one in chosen]


def _written(folder: CohortFolder, case: Case, one: Suggestion) -> Suggestion:
    volume = read_volume(case.volume)
    place = folder.path / NEXT / f"{case.key}_marks.nii.gz"
    place.parent.mkdir(exist_ok=True)
    if not place.exists():  # somebody may have begun to mark
        write_label_map(place, np.zeros(volume.array.shape, np.uint8), volume.geometry)
    one = Suggestion(one.case, one.volume, one.gain, one.axis, one.slices, place)
    write_whole(place.with_name(f"{case.key}.txt"), f"{what_to_do(one)}\n")
    return one


def what_to_do(one: Suggestion, support: str = "SUPPORT.npz") -> str:
    """One line for a person."""
    where = ", ".join(f"{one.axis}:{n}" for n in one.slices) or "the slices where the structure is seen best"
    return (
        f"Mark the slices {where} of {one.volume} (or all of them) in {one.marks}, then run: "
        f"universeg-slicer support add {support} {one.volume} {one.marks}"
    )
