"""Whether a network was trained enough, on enough data, and what an ensemble of support sets adds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from trainer.tasks.pool import DataPool

from ..evaluation.bootstrap import mean_with_interval
from ..evaluation.in_context import mean_over_datasets
from ..loop.checkpoints import averaged_network, list_checkpoints
from ..report import Point, plot_lines, write_csv
from .measure import ComparisonSettings, MethodScore, measure
from .methods import Method, read_record

Report = Callable[[str], None]


@dataclass(frozen=True)
class CurvePoint:
    """Mean Dice over data sets of one checkpoint of a run: where its curve is flat, more training brings nothing."""

    method: str
    step: int
    queries: int
    seconds: float
    support: int
    dice: float


@dataclass(frozen=True)
class EnsembleScore(MethodScore):
    """Dice of one query by the mean probability over ``size`` support sets."""

    size: int


def measure_checkpoints(
    methods: Sequence[Method],
    pool: DataPool,
    settings: ComparisonSettings,
    support: int,
    report: Report = lambda _text: None,
) -> list[CurvePoint]:
    """The curve of every method that is a run, over the checkpoints that it has kept; two queries a task at most."""
    found: list[CurvePoint] = []
    few = replace(settings, supports=(support,), queries=min(settings.queries or 2, 2), draws=1)
    for method in methods:
        for path in [] if method.folder is None else list_checkpoints(method.folder / "checkpoints"):
            record = read_record(path)
            report(f"{method.name} after {record['step']} steps")
            network = averaged_network(path).eval().to(next(method.network.parameters()).device)
            scored = measure([replace(method, network=network)], pool, few, yardstick=False)
            dice = mean_over_datasets([one.alone for one in scored])["mean"]
            found.append(
                CurvePoint(method.name, int(record["step"]), record["samples"], record["seconds"], support, dice)
            )
    return found


def measure_ensembles(
    methods: Sequence[Method],
    pool: DataPool,
    settings: ComparisonSettings,
    support: int,
    sizes: Sequence[int],
    report: Report = lambda _text: None,
) -> list[EnsembleScore]:
    """Dice of every method by the number of support sets whose probabilities are averaged."""
    found: list[EnsembleScore] = []
    for size in sizes:
        report(f"{size} support sets")
        several = replace(settings, supports=(support,), draws=size)
        for one in measure(methods, pool, several, report, yardstick=False):
            if (one.draw < 0) == (size > 1):
                found.append(EnsembleScore(**asdict(one), size=size))
    return found


def write_curves(points: Sequence[CurvePoint], folder: Path) -> None:
    """Write ``curves.csv`` and ``dice_by_training.png``."""
    write_csv(folder / "curves.csv", [asdict(point) for point in points])
    lines: dict[str, list[Point]] = {}
    for point in points:
        lines.setdefault(point.method, []).append((point.queries / 1000, point.dice, point.dice, point.dice))
    # Not minutes: runs may have shared their processor.
    plot_lines(folder / "dice_by_training.png", lines, "thousand queries seen in training", "mean Dice over data sets")


def write_ensembles(scores: Sequence[EnsembleScore], folder: Path) -> None:
    """Write ``ensembles.csv`` and ``dice_by_ensemble.png``."""
    write_csv(folder / "ensembles.csv", [asdict(score) for score in scores])
    lines: dict[str, list[Point]] = {}
    for name in dict.fromkeys(score.method for score in scores):
        for size in sorted({score.size for score in scores}):
            interval = mean_with_interval([s.alone for s in scores if s.method == name and s.size == size])
            lines.setdefault(name, []).append((float(size), interval.mean, interval.low, interval.high))
    plot_lines(
        folder / "dice_by_ensemble.png", lines, "support sets of an ensemble", "mean Dice over data sets", log=True
    )


def plot_by_training_sets(
    scores: Sequence[MethodScore], methods: Sequence[Method], all_sets: int, support: int, path: Path
) -> bool:
    """Plot Dice against the number of data sets that runs of one configuration were trained on.

    Args:
        scores: Of the comparison.
        methods: The methods compared.
        all_sets: Data sets with tasks across subjects, which runs train on that name none.
        support: Support size.
        path: Of the picture.

    Returns:
        Whether there was anything to plot: a configuration with runs on several numbers of sets.
    """
    lines: dict[str, list[Point]] = {}
    for method in methods:
        if method.design is None:
            continue
        chosen = [s.alone for s in scores if s.method == method.name and s.support == support and s.draw >= 0]
        interval = mean_with_interval(chosen)
        sets = all_sets if method.datasets is None else len(method.datasets)
        lines.setdefault(method.design, []).append((float(sets), interval.mean, interval.low, interval.high))
    lines = {name: sorted(points) for name, points in lines.items() if len({point[0] for point in points}) > 1}
    if lines:
        plot_lines(path, lines, "data sets trained on", f"mean Dice over data sets, N = {support}", log=True)
    return bool(lines)
