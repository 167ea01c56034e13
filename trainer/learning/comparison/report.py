"""Tables, plots and pictures of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from trainer.tasks.pool import DataPool
from UniverSegSlicerLib.writing import write_whole

from ..evaluation.bootstrap import mean_with_interval
from ..evaluation.in_context import Score, mean_over_datasets, number_of, query_order, read_at, support_entries
from ..pictures import overlay, save_picture, tile
from ..report import markdown_table, plot_lines, write_csv
from .bound import BoundScore
from .measure import ComparisonSettings, MethodScore, chosen_tasks
from .methods import Method

_TRUTH, _ANSWER = (0, 200, 0), (255, 40, 40)


def write_comparison(
    scores: Sequence[MethodScore], methods: Sequence[Method], bound: Sequence[BoundScore], folder: Path
) -> None:
    """Write ``scores.csv``, ``compare.md`` and ``dice_by_support.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "scores.csv", [asdict(score) for score in scores])
    names = list(dict.fromkeys(score.method for score in scores))
    supports = sorted({score.support for score in scores})
    rows, lines = [], {}
    for name in names:
        for kind, ensemble in (("", False), (", ensemble", True)):
            chosen = [s for s in scores if s.method == name and (s.draw < 0) == ensemble]
            if not chosen:
                continue
            intervals = [mean_with_interval([s.alone for s in chosen if s.support == size]) for size in supports]
            rows.append([name + kind, *(f"{i.mean:.3f} ({i.low:.3f} to {i.high:.3f})" for i in intervals)])
            lines[name + kind] = [
                (float(size), i.mean, i.low, i.high) for size, i in zip(supports, intervals, strict=True)
            ]
    if bound:
        interval = mean_with_interval([_of_bound(score) for score in bound])
        cell = f"{interval.mean:.3f} ({interval.low:.3f} to {interval.high:.3f})"
        rows.append(["a U-Net per task, trained on all its images", *[cell] * len(supports)])
        lines["a U-Net per task"] = [(float(n), interval.mean, interval.low, interval.high) for n in supports]
    plot_lines(folder / "dice_by_support.png", lines, "support images", "mean Dice over data sets", log=True)
    sets = sorted({score.dataset for score in scores})
    middle = min(supports, key=lambda size: abs(size - 16))
    text = [
        f"# {len(names)} methods on {len(sets)} data sets that were not trained on\n",
        "Mean Dice over data sets of the mean over tasks, 95 % bootstrap interval over subjects. Tasks, queries and "
        "support sets are the same for all.\n",
        markdown_table(["method", *(f"N = {size}" for size in supports)], rows),
        f"By data set, N = {middle}:\n",
        _by_dataset(scores, bound, names, sets, middle),
        "Size and time (a query with its support set, which is encoded anew for each; the bound's seconds are those of "
        "a task's training):\n",
        _costs(scores, methods, bound, middle),
    ]
    write_whole(folder / "compare.md", "\n".join(text))


def _by_dataset(
    scores: Sequence[MethodScore], bound: Sequence[BoundScore], names: Sequence[str], sets: Sequence[str], support: int
) -> str:
    columns = [
        mean_over_datasets([s.alone for s in scores if s.method == n and s.support == support and s.draw >= 0])
        for n in names
    ]
    header = ["data set", *names]
    if bound:
        columns.append(mean_over_datasets([_of_bound(score) for score in bound]))
        header.append("U-Net per task")
    return markdown_table(header, [[name, *(f"{c[name]:.3f}" if name in c else "-" for c in columns)] for name in sets])


def _costs(scores: Sequence[MethodScore], methods: Sequence[Method], bound: Sequence[BoundScore], support: int) -> str:
    rows = []
    for method in methods:
        times = [s.seconds for s in scores if s.method == method.name and s.support == support]
        rows.append(
            [
                method.name,
                f"{method.parameters / 1e6:.2f}",
                "-" if method.queries is None else f"{method.queries:,}",
                "-" if method.seconds is None else f"{method.seconds:.0f}",
                f"{1000 * float(np.median(times)):.0f}",
            ]
        )
    if bound:
        first = bound[0]
        seconds = float(np.median([score.seconds for score in bound]))
        rows.append(
            ["a U-Net per task", f"{first.parameters / 1e6:.2f}", f"{first.images_seen:,}", f"{seconds:.0f}", "-"]
        )
    header = ["method", "million parameters", "queries seen", "seconds of training", f"ms a query, N = {support}"]
    return markdown_table(header, rows)


@torch.no_grad()
def draw_comparison(
    methods: Sequence[Method], pool: DataPool, settings: ComparisonSettings, folder: Path, support: int = 16
) -> Path:
    """Write ``cases.png``: a row a data set, truth (green), then the answer of every method (red), in their order."""
    rows, seen = [], set()
    for task in chosen_tasks(pool, settings):
        if task.dataset in seen:
            continue
        seen.add(task.dataset)
        query = query_order(task, np.random.default_rng([settings.seed, number_of(task.name)]))[:1]
        image, truth = read_at(pool, task, query, settings.side)
        chosen = support_entries(task, int(query[0]), support, np.random.default_rng(settings.seed))
        images, labels = read_at(pool, task, chosen, settings.side)
        grey = image[0, 0].cpu().numpy()
        row = [overlay(grey, truth[0, 0].cpu().numpy(), _TRUTH)]
        for method in methods:
            planes = F.pad(image, (0, 0, 0, 0, 0, method.network.architecture.query_channels - 1))
            answer = method.network(planes, images[None], labels[None])[0, 0].cpu().numpy() > 0
            row.append(overlay(grey, answer, _ANSWER))
        rows.append(row)
    path = folder / "cases.png"
    save_picture(path, tile(rows))
    return path


def _of_bound(score: BoundScore) -> Score:
    return Score(score.dataset, score.task, score.subject, score.query, 0, 0, score.dice, score.dice)
