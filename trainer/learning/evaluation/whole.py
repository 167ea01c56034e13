"""The whole evaluation of a network on a store: in context, with clicks, slice to volume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.tasks.pool import build_pool, volume_datasets
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.network.inference import InContextModel
from UniverSegSlicerLib.segmentation.tuning import FEWEST_EXAMPLES

from .case_pictures import draw_cases
from .click_scores import click_curve
from .closer_scores import score_closer
from .in_context import MeanOfSupport, Score, choose_tasks, score_task
from .summary import Evaluation, write_evaluation
from .tuned_scores import score_tuned
from .volume_scores import choose_volumes, score_volume

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


def evaluate(
    model: InContextModel, store: Store, settings: EvaluationSettings, folder: Path, report: Report | None = None
) -> Evaluation:
    """Measure a model and write ``scores.csv``, ``clicks.csv``, ``volumes.csv``, ``summary.md``, plots and pictures.

    Raises:
        InputError: The store has nothing of the role, or the side does not fit the network. A side beyond the store's
            shows its images enlarged.
    """
    network, said = model.network.to(model.device), report or (lambda _text: None)
    resolution = max(store.resolutions)
    side = settings.side or network.architecture.resolution
    if side % network.architecture.size_multiple:
        raise InputError(f"side is {side}; it must be a multiple of {network.architecture.size_multiple}.")
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
            ways: list[tuple[list[Score], Callable[..., list[Score]], object]] = [
                (result.scores, score_task, network),
                (result.yardstick, score_task, MeanOfSupport()),
                (result.closer, score_closer, model),
            ]
            for scores, score, answering in ways:
                scores.extend(
                    score(
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
