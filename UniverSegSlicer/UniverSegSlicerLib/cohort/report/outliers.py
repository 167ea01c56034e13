"""Which cases to look at first, and why, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..record import CaseRecord

# From so many spreads off the median on a case is worth a word.
_WORTH_A_WORD = 3.5
# A median absolute deviation times this is a standard deviation, for normally distributed values.
_PER_DEVIATION = 1.4826
# What counts as no spread: a share of the median, or of 1.
_LEAST_SPREAD = 0.02
#: Scores of cases that failed, and of those in which a label was not found.
FAILED, MISSING = 1000.0, 500.0
# Of fewer cases no median says what is usual.
_FEWEST = 5


@dataclass(frozen=True)
class Outlier:
    """How unusual a case is.

    Attributes:
        score: Largest distance from the median in robust standard deviations, of volumes and of what speaks against the
            case (low confidence or agreement, large distance).
        reasons: What is unusual, shortly.
    """

    score: float
    reasons: tuple[str, ...]


def find_outliers(records: Sequence[CaseRecord]) -> list[Outlier]:
    """One for each record, in their order."""
    scores = np.zeros(len(records))
    reasons: list[list[str]] = [[] for _ in records]
    done = [n for n, record in enumerate(records) if not record.failed]
    for value in sorted({value for n in done for value in records[n].labels}):
        holding = [n for n in done if value in records[n].labels and records[n].labels[value].voxels]
        volumes = np.array([records[n].labels[value].ml for n in holding])
        for n, z in zip(holding, _apart(np.log(np.maximum(volumes, 1e-9))), strict=True):
            scores[n] = max(scores[n], abs(z))
            if abs(z) > _WORTH_A_WORD:
                size = "large" if z > 0 else "small"
                reasons[n].append(f"{records[n].labels[value].name} is {size}: {records[n].labels[value].ml:.3g} ml")
    for name, sign, word in (
        ("confidence", -1, "unsure"),
        ("agreement", -1, "draws disagree"),
        ("distance", 1, "looks unlike the support"),
    ):
        known = [n for n in done if getattr(records[n], name) is not None]
        for n, z in zip(known, _apart(np.array([getattr(records[n], name) for n in known])), strict=True):
            scores[n] = max(scores[n], sign * z)
            if sign * z > _WORTH_A_WORD:
                reasons[n].append(f"{word}: {name} {getattr(records[n], name):.2f}")
    for n, record in enumerate(records):
        if record.failed:
            scores[n], reasons[n] = FAILED, ["failed"]
        missing = [facts.name for facts in record.labels.values() if not facts.voxels]
        if missing:
            scores[n] = MISSING
            reasons[n].append(f"nothing found of {', '.join(missing)}")
    return [Outlier(round(float(score), 2), tuple(words)) for score, words in zip(scores, reasons, strict=True)]


def _apart(values: np.ndarray) -> np.ndarray:
    """How many robust standard deviations each value lies from the median; zeros where there are too few."""
    if len(values) < _FEWEST:
        return np.zeros(len(values))
    middle = np.median(values)
    spread = _PER_DEVIATION * float(np.median(np.abs(values - middle)))
    return (values - middle) / max(spread, _LEAST_SPREAD * max(1.0, abs(float(middle))))
