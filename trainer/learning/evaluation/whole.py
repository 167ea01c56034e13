"""The whole evaluation of a network on a store: in context, with clicks, slice to volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trainer.tasks.pool import build_pool, volume_datasets
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.network.inference import InContextModel
from UniverSegSlicerLib.segmentation.tuning import FEWEST_EXAMPLES
from UniverSegSlicerLib.writing import write_whole

from ..report import markdown_table, plot_lines, write_csv
from .bootstrap import mean_with_interval
from .case_pictures import draw_cases
from .click_scores import ClickScore, click_curve
from .in_context import MeanOfSupport, Score, choose_tasks, mean_over_datasets, score_task
from .tuned_scores import TunedScore, score_tuned, tuned_summary
from .volume_scores import METHODS, VolumeScore, choose_volumes, mean_volume_dice, score_volume

if TYPE_CHECKING:
    from trainer.megamedical.store import Store

Report = Callable[[str], None]


@dataclass(frozen=True)
class EvaluationSettings:
    """What is measured.

    Args:
        role: Role of the data sets.
        supports: Support sizes.
        draws: Support sets a query; their probabilities also make an ensemble.
        queries: At most so many queries a task (None: all images).
        tasks: At most so many tasks a data set (None: all).
        side: Side of the images (None: the network's).
        min_area: Labels that cover no more than this share of an image are left out, [0, 1).
        click_supports: Support sizes of the click curves; none skips them.
        clicks: Clicks of these curves.
        marks: Numbers of marked slices of the volumes; none skips them.
        volumes: At most so many labels a data set of volumes (None: all).
        tune: Seconds for a tuning on a support set of three or more; None leaves these rows out.
    """

    role: str = "val"
    supports: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    draws: int = 5
    queries: int | None = None
    tasks: int | None = None
    side: int | None = None
    min_area: float = 0.0
    click_supports: tuple[int, ...] = (0, 1, 4, 16)
    clicks: int = 10
    marks: tuple[int, ...] = (1, 3, 5, 10)
    volumes: int | None = None
    seed: int = 1
    datasets: tuple[str, ...] | None = None
    tune: float | None = None


@dataclass
class Evaluation:
    """All scores; ``yardstick`` holds those of the support's mean label."""

    scores: list[Score] = field(default_factory=list)
    clicks: list[ClickScore] = field(default_factory=list)
    volumes: list[VolumeScore] = field(default_factory=list)
    yardstick: list[Score] = field(default_factory=list)
    tuned: list[TunedScore] = field(default_factory=list)


def evaluate(
    model: InContextModel, store: Store, settings: EvaluationSettings, folder: Path, report: Report | None = None
) -> Evaluation:
    """Measure a model and write ``scores.csv``, ``clicks.csv``, ``volumes.csv``, ``summary.md``, plots and pictures.

    Raises:
        InputError: The store has nothing of the role, or the side does not fit the network.
    """
    network, said = model.network.to(model.device), report or (lambda _text: None)
    resolution = max(store.resolutions)
    side = settings.side or network.architecture.resolution
    if side % network.architecture.size_multiple or side > resolution:
        raise InputError(
            f"side is {side}; it must be a multiple of {network.architecture.size_multiple} and at most the "
            f"store's {resolution}."
        )
    pool = build_pool(
        store,
        role=settings.role,
        resolution=resolution,
        datasets=settings.datasets,
        min_area=settings.min_area,
        device=model.device,
    )
    flat_sets = {task.dataset for task in pool.tasks} - volume_datasets(store.images)
    tasks = choose_tasks([task for task in pool.tasks if task.dataset in flat_sets], settings.tasks, settings.seed)
    if not settings.supports and not settings.click_supports:
        tasks = []
    result = Evaluation()
    for number, task in enumerate(tasks):
        said(f"{number + 1} of {len(tasks)} tasks: {task.name}")
        for support in settings.supports:
            for scores, answering in ((result.scores, network), (result.yardstick, MeanOfSupport())):
                scores.extend(
                    score_task(
                        answering,
                        pool,
                        task,
                        support=support,
                        draws=settings.draws,
                        queries=settings.queries,
                        side=side,
                        seed=settings.seed,
                    )
                )
            if settings.tune is not None and support >= FEWEST_EXAMPLES:
                result.tuned += score_tuned(
                    model,
                    pool,
                    task,
                    support=support,
                    seconds=settings.tune,
                    queries=settings.queries,
                    side=side,
                    seed=settings.seed,
                )
        if network.architecture.query_channels >= 4:
            for support in settings.click_supports:
                result.clicks += click_curve(
                    network,
                    pool,
                    task,
                    support=support,
                    clicks=settings.clicks,
                    queries=settings.queries or 8,
                    side=side,
                    seed=settings.seed,
                )
    volumes = choose_volumes(pool.volumes, settings.volumes, settings.seed) if settings.marks else []
    for number, volume in enumerate(volumes):
        said(f"{number + 1} of {len(volumes)} volumes: {volume.name}")
        result.volumes += score_volume(model, pool, volume, settings.marks)
    write_evaluation(result, folder, model.name, side)
    if tasks and settings.supports:
        support = min(settings.supports, key=lambda size: abs(size - 16))
        draw_cases(
            network, pool, {task.name: task for task in tasks}, result.scores, support, side, settings.seed, folder
        )
    return result


def write_evaluation(result: Evaluation, folder: Path, name: str, side: int) -> None:
    """Write the tables and plots of an evaluation."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "scores.csv", [asdict(score) for score in result.scores])
    write_csv(folder / "yardstick.csv", [asdict(score) for score in result.yardstick])
    write_csv(folder / "clicks.csv", [asdict(score) for score in result.clicks])
    write_csv(folder / "volumes.csv", [asdict(score) for score in result.volumes])
    write_csv(folder / "tuned.csv", [asdict(score) for score in result.tuned])
    parts = [f"# Evaluation of {name}, {side} pixels a side\n"]
    if result.scores:
        parts += _in_context_parts(result, folder)
    if result.tuned:
        parts += _tuned_parts(result.tuned)
    if result.clicks:
        parts += _click_parts(result.clicks, folder)
    if result.volumes:
        parts += _volume_parts(result.volumes, folder)
    write_whole(folder / "summary.md", "\n".join(parts))


def _in_context_parts(result: Evaluation, folder: Path) -> list[str]:
    scores = result.scores
    supports = sorted({score.support for score in scores})
    ensembles = any(score.draw < 0 for score in scores)
    kinds = {"single": [s for s in scores if s.draw >= 0]}
    if ensembles:
        kinds["ensemble"] = [s for s in scores if s.draw < 0]
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
        f"## In context, {len(names)} data sets of pictures that were not trained on\n",
        f"Mean Dice over data sets of the mean over tasks, {draws} support sets a query, 95 % bootstrap interval over "
        "subjects; the support comes from other subjects of the same data set. A structure that is known to be present "
        "is cut at half of the image's largest probability where that is below one half (`present_cutoff`).\n",
        markdown_table(header, rows),
        "Single predictions by data set:\n",
        markdown_table(["data set", *header[1:]], table),
    ]


def _tuned_parts(scores: Sequence[TunedScore]) -> list[str]:
    rows = []
    for support in sorted({score.support for score in scores}):
        means = tuned_summary([score for score in scores if score.support == support])
        shares = (f"{100 * means[name]:.0f} %" for name in ("kept", "hurt"))
        rows.append(
            [str(support), f"{means['untuned']:.3f}", f"{means['tuned']:.3f}", *shares, f"{means['seconds']:.1f}"]
        )
    return [
        "## Tuned on the examples\n",
        "One support set a task serves all its queries, which are of other subjects; the same queries untuned and "
        "tuned. Tuned weights are kept where held-out examples gain; a task is hurt where its mean Dice falls by more "
        "than 0.02.\n",
        markdown_table(["support", "untuned", "tuned", "kept", "hurt", "seconds"], rows),
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
