"""The volumes of all cases as points, for the page to draw: plain numbers, no library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..record import CaseRecord

#: Width and height of a plot in its own units, and the room beside the points.
WIDTH, HEIGHT = 520, 132
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 12, 12


@dataclass(frozen=True)
class Point:
    """A case in a plot."""

    number: int
    case: str
    ml: float
    x: float
    y: float


@dataclass(frozen=True)
class Plot:
    """The volumes of one label over the cases, by rising volume.

    Attributes:
        value, name: The label.
        points: One a case.
        ticks: (y, text) of the scale.
        band: (top, height) of the middle half of the cases.
        middle: Height of the median.
        median: The median, ml.
    """

    value: int
    name: str
    points: tuple[Point, ...]
    ticks: tuple[tuple[float, str], ...]
    band: tuple[float, float]
    middle: float
    median: float


def plots_of(records: Sequence[CaseRecord], names: dict[int, str]) -> list[Plot]:
    """One plot for each label that was found somewhere."""
    plots = []
    for value, name in names.items():
        held = [(n, r) for n, r in enumerate(records) if not r.failed and value in r.labels]
        held.sort(key=lambda pair: pair[1].labels[value].ml)
        volumes = np.array([record.labels[value].ml for _, record in held])
        if not len(volumes) or not volumes.any():
            continue
        top = float(volumes.max()) * 1.05

        def height(ml: float, top: float = top) -> float:
            return round(HEIGHT - _BOTTOM - ml / top * (HEIGHT - _TOP - _BOTTOM), 1)

        step = (WIDTH - _LEFT - _RIGHT) / len(held)
        points = tuple(
            Point(n, record.case, record.labels[value].ml, round(_LEFT + (place + 0.5) * step, 1), height(float(ml)))
            for place, ((n, record), ml) in enumerate(zip(held, volumes, strict=True))
        )
        low, median, high = (float(q) for q in np.percentile(volumes, (25, 50, 75)))
        ticks = tuple((height(ml), f"{ml:.3g}") for ml in _round_steps(top))
        band = (height(high), round(max(1.0, height(low) - height(high)), 1))
        plots.append(Plot(value, name, points, ticks, band, height(median), median))
    return plots


def _round_steps(top: float) -> list[float]:
    """About four round numbers from 0 to the top."""
    rough = top / 3
    size = 10 ** np.floor(np.log10(rough))
    step = float(next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.75))
    return [step * n for n in range(int(top / step) + 1)]
