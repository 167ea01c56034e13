"""In-context Dice on 2D tasks that were not trained on: the paper's protocol at one or many support sizes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from trainer.tasks.pool import DataPool, Task
from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.segmentation.cutoff import present_cutoff

from ..loop.losses import hard_dice
from ..networks.kinds import TrainedNetwork


@dataclass(frozen=True)
class Score:
    """Dice of one query. ``draw`` is the number of the support set, or -1 for the ensemble over all draws.

    ``present`` is the Dice of the same logits cut as for an image that is known to show the structure
    (:func:`~UniverSegSlicerLib.segmentation.cutoff.present_cutoff`).
    """

    dataset: str
    task: str
    subject: int
    query: int
    support: int
    draw: int
    dice: float
    present: float


class MeanOfSupport:
    """A yardstick: the mean of the support's labels, whatever the images show. It stands in for a network."""

    architecture = Architecture()

    def __call__(self, _query: Tensor, _images: Tensor, labels: Tensor) -> Tensor:
        """Logits ``(B, 1, H, W)`` of the mean over S of ``labels (B, S, 1, H, W)``."""
        return torch.logit(labels.mean(dim=1), eps=1e-4)


def choose_tasks(tasks: Sequence[Task], per_dataset: int | None, seed: int) -> list[Task]:
    """At most ``per_dataset`` tasks of every data set (None: all), the same for the same seed."""
    chosen: list[Task] = []
    for name in sorted({task.dataset for task in tasks}):
        group = sorted((task for task in tasks if task.dataset == name), key=lambda task: task.name)
        if per_dataset is not None and len(group) > per_dataset:
            picks = np.random.default_rng(seed).permutation(len(group))[:per_dataset]
            group = [group[i] for i in sorted(picks)]
        chosen += group
    return chosen


def read_at(pool: DataPool, task: Task, entries: np.ndarray, side: int) -> tuple[Tensor, Tensor]:
    """Images and labels ``(n, 1, side, side)`` of entries of a task, reduced by area averaging."""
    images = pool.read_images(task.images[entries])[:, None]
    labels = pool.read_masks(task.masks[entries])[:, None]
    if side == pool.resolution:
        return images, labels
    if pool.resolution % side == 0:
        size = (side, side)
        return F.adaptive_avg_pool2d(images, size), F.adaptive_avg_pool2d(labels, size)
    images = F.interpolate(images, size=(side, side), mode="bilinear", antialias=True)
    return images, F.interpolate(labels, size=(side, side), mode="bilinear", antialias=True)


def at_resolution(logits: Tensor, side: int) -> Tensor:
    """Logits ``(n, 1, H, H)`` bilinearly enlarged to ``(n, 1, side, side)``."""
    if logits.shape[-1] == side:
        return logits
    return F.interpolate(logits, size=(side, side), mode="bilinear", align_corners=False)


def support_entries(task: Task, query: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """``size`` entries of other subjects than the query's (of other images where there is one subject).

    Without replacement as far as there are entries; a larger support repeats all of them.
    """
    others = np.flatnonzero(task.subjects != task.subjects[query])
    if len(others) == 0:
        others = np.setdiff1d(np.arange(len(task.images)), [query])
    return np.resize(rng.permutation(others), size)


def queries_with_support(
    task: Task, *, support: int, draws: int, queries: int | None, seed: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Queries of a task, each with the entries ``(draws, support)`` of its support sets; arguments as in score_task."""
    rng = np.random.default_rng([seed, number_of(task.name), support])
    order = query_order(task, np.random.default_rng([seed, number_of(task.name)]))
    for query in order if queries is None else order[:queries]:
        yield int(query), np.stack([support_entries(task, int(query), support, rng) for _ in range(draws)])


@torch.no_grad()
def score_task(
    network: TrainedNetwork | MeanOfSupport,
    pool: DataPool,
    task: Task,
    *,
    support: int,
    draws: int = 1,
    queries: int | None = None,
    side: int = 64,
    seed: int = 1,
) -> list[Score]:
    """Dice of queries of one task with ``draws`` support sets each, one by one and as an ensemble of probabilities.

    The answer is enlarged to the pool's resolution and compared there: at a smaller side the smallest structures vanish
    from the truth, and empty answers would score for them.

    Args:
        network: In evaluation mode, on the pool's device.
        support: Size of the support set.
        queries: At most so many queries, of different subjects first (None: all images).
        side: Pixels of a side; multiple of the network's.
        seed: Of the queries and the draws; the same seed gives the same support sets to every network.
    """
    scores = []
    for query, sets in queries_with_support(task, support=support, draws=draws, queries=queries, seed=seed):
        image, _ = read_at(pool, task, np.array([query]), side)
        images, labels = read_at(pool, task, sets.ravel(), side)
        planes = F.pad(image, (0, 0, 0, 0, 0, network.architecture.query_channels - 1))
        shape = (draws, support, 1, side, side)
        logits = torch.cat(
            [
                network(planes, *pair)
                for pair in zip(images.reshape(shape).split(1), labels.reshape(shape).split(1), strict=True)
            ]
        )
        logits = at_resolution(logits, pool.resolution)
        target = pool.read_masks(task.masks[[query]])[:, None] > 0.5
        described = (task.dataset, task.name, int(task.subjects[query]), int(query), support)
        scores += [Score(*described, draw, *dice_both_ways(one[None], target)) for draw, one in enumerate(logits)]
        if draws > 1:
            together = torch.logit(torch.sigmoid(logits).mean(dim=0, keepdim=True))
            scores.append(Score(*described, -1, *dice_both_ways(together, target)))
    return scores


def dice_both_ways(logits: Tensor, target: Tensor) -> tuple[float, float]:
    """Dice of logits ``(1, 1, H, W)`` cut at 0, and cut as for an image that shows the structure."""
    return tuple(  # type: ignore[return-value]
        float(hard_dice(logits > cut, target)[0]) for cut in (0.0, present_cutoff(logits.cpu().numpy()))
    )


def query_order(task: Task, rng: np.random.Generator) -> np.ndarray:
    """Entries in random order, one of every subject before any second one."""
    shuffled = rng.permutation(len(task.images))
    seen: dict[int, int] = {}
    ranks = []
    for entry in shuffled:
        subject = int(task.subjects[entry])
        ranks.append(seen.get(subject, 0))
        seen[subject] = ranks[-1] + 1
    return shuffled[np.argsort(ranks, kind="stable")]


def mean_over_datasets(scores: Sequence[Score], draw: Callable[[Score], bool] | None = None) -> dict[str, float]:
    """Mean Dice of every data set: over queries and draws, then over its tasks. The key "mean" is over data sets."""
    tasks: dict[tuple[str, str], list[float]] = {}
    for score in scores:
        if (draw is None and score.draw < 0) or (draw is not None and not draw(score)):
            continue
        tasks.setdefault((score.dataset, score.task), []).append(score.dice)
    datasets: dict[str, list[float]] = {}
    for (dataset, _), values in tasks.items():
        datasets.setdefault(dataset, []).append(float(np.mean(values)))
    means = {name: float(np.mean(values)) for name, values in sorted(datasets.items())}
    return {"mean": float(np.mean(list(means.values()))) if means else float("nan"), **means}


def number_of(text: str) -> int:
    """A number that is the same for the same text in every process (Python's own hash is not)."""
    return zlib.crc32(text.encode())
