"""Tables, plots and the page of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from UniverSegSlicerLib.writing import write_whole

from ..report import markdown_table, plot_lines, write_csv
from .bootstrap import mean_with_interval
from .click_scores import ClickScore
from .in_context import Score, mean_over_datasets
from .tuned_scores import TunedScore, tuned_summary
from .volume_scores import METHODS, VolumeScore, mean_volume_dice


@dataclass
class Evaluation:
    """All scores; ``yardstick`` holds those of the support's mean label, ``closer`` those after a second look."""

    scores: list[Score] = field(default_factory=list)
    closer: list[Score] = field(default_factory=list)
    clicks: list[ClickScore] = field(default_factory=list)
    volumes: list[VolumeScore] = field(default_factory=list)
    yardstick: list[Score] = field(default_factory=list)
    tuned: list[TunedScore] = field(default_factory=list)


def write_evaluation(result: Evaluation, folder: Path, name: str, side: int) -> None:
    """Write the tables and plots of an evaluation."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "scores.csv", [asdict(score) for score in result.scores])
    write_csv(folder / "closer.csv", [asdict(score) for score in result.closer])
    write_csv(folder / "yardstick.csv", [asdict(score) for score in result.yardstick])
    write_csv(folder / "clicks.csv", [asdict(score) for score in result.clicks])
    write_csv(folder / "volumes.csv", [asdict(score) for score in result.volumes])
    write_csv(folder / "tuned.csv", [asdict(score) for score in result.tuned])
    parts = [f"# Evaluation of {name}, {side} pixels a side\n"]
    if result.scores:
        parts += _in_context_parts(result, folder, side)
    if result.tuned:
        parts += _tuned_parts(result.tuned)
    if result.clicks:
        parts += _click_parts(result.clicks, folder)
    if result.volumes:
        parts += _volume_parts(result.volumes, folder)
    write_whole(folder / "summary.md", "\n".join(parts))


def _in_context_parts(result: Evaluation, folder: Path, side: int) -> list[str]:
    scores = result.scores
    supports = sorted({score.support for score in scores})
    ensembles = any(score.draw < 0 for score in scores)
    kinds = {"single": [s for s in scores if s.draw >= 0]}
    if ensembles:
        kinds["ensemble"] = [s for s in scores if s.draw < 0]
    if result.closer:
        kinds["single, after a closer look"] = list(result.closer)
    if result.yardstick:
        kinds["mean label of the support"] = [s for s in result.yardstick if s.draw >= 0]
    for kind in list(kinds):
        kinds[f"{kind}, structure known to be present"] = [replace(s, dice=s.present) for s in kinds[kind]]
    rows, lines = [], {}
    for kind, chosen in kinds.items():
        intervals = [mean_with_interval([s for s in chosen if s.support == size]) for size in supports]
        rows.append([kind, *(f"{i.mean:.3f} ({i.low:.3f} to {i.high:.3f})" for i in intervals)])
        lines[kind] = [(float(size), i.mean, i.low, i.high) for size, i in zip(supports, intervals, strict=True)]
    plot_lines(folder / "dice_by_support.png", lines, "support images", "mean Dice over data sets", log=True)
    draws = len({s.draw for s in scores if s.draw >= 0})
    header = ["prediction", *(f"N = {size}" for size in supports)]
    by_dataset = {size: mean_over_datasets([s for s in kinds["single"] if s.support == size]) for size in supports}
    names = sorted({score.dataset for score in scores})
    table = [[name, *(f"{by_dataset[size][name]:.3f}" for size in supports)] for name in names]
    return [
        f"## In context at {side} pixels a side, {len(names)} data sets of pictures that were not trained on\n",
        f"Mean Dice over data sets of the mean over tasks, {draws} support sets a query, 95 % bootstrap interval over "
        "subjects; the support comes from other subjects of the same data set. A structure that is known to be present "
        "is cut at half of the image's largest probability where that is below one half (`present_cutoff`). A closer "
        "look is the product's second one at what whole images show small (`segmentation/looking.py`); images of many "
        "pixels are shown to it at the network's own side, too, and the mean counts (`segmentation/images.py`).\n",
        markdown_table(header, rows),
        "Single predictions by data set:\n",
        markdown_table(["data set", *header[1:]], table),
    ]


def _tuned_parts(scores: Sequence[TunedScore]) -> list[str]:
    rows = []
    for support in sorted({score.support for score in scores}):
        means = tuned_summary([score for score in scores if score.support == support])
        shares = (f"{100 * means[name]:.0f} %" for name in ("kept", "hurt"))
        dice = (f"{means[name]:.3f}" for name in ("untuned", "tuned", "untuned_closer", "tuned_closer"))
        rows.append([str(support), *dice, *shares, f"{means['seconds']:.1f}"])
    return [
        "## Tuned on the examples\n",
        "One support set a task serves all its queries, which are of other subjects; the same queries untuned and "
        "tuned, by one look and after a closer look, as `segment` makes it. Tuned weights are kept where held-out "
        "examples gain; a task is hurt where its mean Dice falls by more than 0.02.\n",
        markdown_table(
            ["support", "untuned", "tuned", "untuned, closer", "tuned, closer", "kept", "hurt", "seconds"], rows
        ),
    ]


def _click_parts(clicks: Sequence[ClickScore], folder: Path) -> list[str]:
    supports = sorted({score.support for score in clicks})
    numbers = sorted({score.clicks for score in clicks})
    rows, lines = [], {}
    for support in supports:
        means = []
        for number in numbers:
            chosen = [s for s in clicks if s.support == support and s.clicks == number]
            means.append(_mean_by_dataset(chosen))
        rows.append([str(support), *("" if np.isnan(mean) else f"{mean:.3f}" for mean in means)])
        lines[f"{support} support images"] = [
            (float(number), mean, mean, mean) for number, mean in zip(numbers, means, strict=True) if not np.isnan(mean)
        ]
    plot_lines(folder / "dice_by_clicks.png", lines, "clicks", "mean Dice over data sets")
    header = ["support", *(f"{number} clicks" for number in numbers)]
    return [
        "## Clicks, each in the middle of the largest connected error of the last answer\n",
        markdown_table(header, rows),
    ]


def _mean_by_dataset(scores: Sequence[ClickScore]) -> float:
    tasks: dict[tuple[str, str], list[float]] = {}
    for score in scores:
        tasks.setdefault((score.dataset, score.task), []).append(score.dice)
    datasets: dict[str, list[float]] = {}
    for (dataset, _), values in tasks.items():
        datasets.setdefault(dataset, []).append(float(np.mean(values)))
    return float(np.mean([np.mean(values) for values in datasets.values()])) if datasets else float("nan")


def _volume_parts(volumes: Sequence[VolumeScore], folder: Path) -> list[str]:
    means = mean_volume_dice(volumes)
    marks = sorted({score.marks for score in volumes})
    rows = [[method, *(f"{means[method, count]:.3f}" for count in marks)] for method in METHODS]
    lines = {
        method: [(float(n), means[method, n], means[method, n], means[method, n]) for n in marks] for method in METHODS
    }
    plot_lines(folder / "dice_by_marks.png", lines, "marked slices", "mean Dice over data sets")
    names = sorted({score.dataset for score in volumes})
    table = []
    for name in names:
        own = mean_volume_dice([score for score in volumes if score.dataset == name])
        table.append(
            [name, *(" / ".join(f"{own[m, n]:.3f}" if (m, n) in own else "-" for m in METHODS) for n in marks)]
        )
    header = [f"{count} marked" for count in marks]
    return [
        f"## Slice to volume, {len(names)} data sets of volumes that were not trained on\n",
        "Dice over the slices that are not marked; marks in the middles of equal parts of the structure's slices. "
        "Shape interpolation and nearest copy are told its first and last slice; interpolation between the marks ends "
        "there, and the network has to find the ends.\n",
        markdown_table(["method", *header], rows),
        f"By data set ({' / '.join(METHODS)}):\n",
        markdown_table(["data set", *header], table),
    ]
