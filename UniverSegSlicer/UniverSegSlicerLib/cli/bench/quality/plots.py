"""Plots of the raw numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ....writing import replacing
from .confidence import expected_calibration_error, pooled
from .methods import BASELINES, TITLES
from .record import Bin, Score
from .tables import comparable, over_cases


def draw_dice(path: Path, scores: Sequence[Score], placement: str) -> None:
    """Dice by number of marks: ours, the baselines, and (dashed) what is told the ends."""
    from matplotlib.figure import Figure

    scores = [s for s in comparable(scores) if s.placement == placement]
    counts = sorted({s.marks for s in scores})
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    methods = [m for m in TITLES if any(s.method == m for s in scores)]
    for number, method in enumerate(methods):
        means = [over_cases([s for s in scores if s.method == method and s.marks == n], _dice) for n in counts]
        ours, told = method.startswith("default"), method not in BASELINES and method != "default"
        axes.plot(
            range(len(counts)), means, marker="o", markersize=4, label=TITLES[method],
            color="black" if ours else f"C{number % 10}", linestyle="--" if told else "-",
            linewidth=2.5 if method == "default" else 1.2,
        )  # fmt: skip
    axes.set_xticks(range(len(counts)), [str(n) for n in counts])
    axes.set(xlabel="marked slices", ylabel="mean Dice on the unmarked slices")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize="x-small", frameon=False)
    _save(figure, path)


def draw_reliability(path: Path, bins: Sequence[Bin]) -> None:
    """Share of voxels in the structure over the probability that was given, by number of marks."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for count in sorted({b.marks for b in bins}):
        some = [b for b in bins if b.marks == count]
        points = np.array(pooled(some))
        error = expected_calibration_error(some)
        axes.plot(points[:, 0], points[:, 1], marker="o", markersize=4, label=f"{count} marked (error {error:.3f})")
    axes.set(xlabel="probability given", ylabel="share inside the structure", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend(frameon=False)
    _save(figure, path)


def _dice(score: Score) -> float:
    return score.dice


def _save(figure: object, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        # Without the date and the version of matplotlib, the same numbers give the same file.
        figure.savefig(beside, format="png", dpi=110, metadata={"Software": None})  # type: ignore[attr-defined]
