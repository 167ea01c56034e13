"""Dice of a network tuned on a support set, beside the same network as it is, on the same queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from trainer.tasks.pool import DataPool, Task
from UniverSegSlicerLib.network.inference import InContextModel
from UniverSegSlicerLib.segmentation.tuning import FEWEST_EXAMPLES, TuningSettings, TuningTask, tune_on

from ..loop.losses import hard_dice
from .closer_scores import look_closer
from .in_context import at_resolution, number_of, query_order, read_at, support_entries

#: A query whose Dice falls by more than this counts as hurt.
HURT = 0.02
# The Dice of a TunedScore, in their order.
_DICE = ("untuned", "tuned", "untuned_closer", "tuned_closer")


@dataclass(frozen=True)
class TunedScore:
    """Dice of one query of one task with one support set.

    Attributes:
        support: Size of the support set that was asked for.
        untuned: Dice with the network as it was, by one look.
        tuned: Dice with the network as ``--tune`` leaves it, by one look.
        untuned_closer: Dice of the network as it was, as ``segment`` makes it: after a closer look, and finer where
            the side allows.
        tuned_closer: The same with the network as ``--tune`` leaves it.
        kept: Whether held-out examples gained; where they did not, ``tuned`` is ``untuned``.
        held_out_before: Mean Dice of held-out examples before the steps, and ``held_out_after`` after them.
        steps: Steps of the best state.
        seconds: Time of the tuning.
    """

    dataset: str
    task: str
    query: int
    support: int
    untuned: float
    tuned: float
    untuned_closer: float
    tuned_closer: float
    kept: bool
    held_out_before: float
    held_out_after: float
    steps: int
    seconds: float


def score_tuned(
    model: InContextModel,
    pool: DataPool,
    task: Task,
    *,
    support: int,
    seconds: float,
    queries: int | None = None,
    side: int = 128,
    seed: int = 1,
) -> list[TunedScore]:
    """Dice before and after a tuning on one support set, which serves all queries of other subjects.

    Args:
        model: The model; stays as it is.
        support: Size of the support set; a task with fewer examples to give is measured with these.
        seconds: Time that a tuning may take.
        queries: At most so many queries, of different subjects first (None: 8).
        side: Pixels of a side of the images that `segment` gets; the network's own for tuning and a single look.
        seed: Of queries, support set and tuning.

    Returns:
        Nothing for tasks that give fewer than three examples, or no query beside them.
    """
    rng = np.random.default_rng([seed, number_of(task.name), support])
    order = query_order(task, np.random.default_rng([seed, number_of(task.name)]))
    chosen = np.unique(support_entries(task, int(order[0]), support, rng))
    subjects = set(task.subjects[chosen].tolist())
    asked = [int(entry) for entry in order if task.subjects[entry] not in subjects]
    asked = (asked or [int(entry) for entry in order if entry not in chosen])[: queries or 8]
    if len(chosen) < FEWEST_EXAMPLES or not asked:
        return []
    # Tuning and a single look go by the side that the network is for, as in `segment`.
    least = min(side, model.resolution)
    images, labels = read_at(pool, task, chosen, least)
    planes, _ = read_at(pool, task, np.array(asked), least)
    planes = F.pad(planes, (0, 0, 0, 0, 0, model.query_channels - 1))
    shown = read_at(pool, task, np.array(asked), side)[0], *read_at(pool, task, chosen, side)
    target = pool.read_masks(task.masks[asked])[:, None].cpu() > 0.5

    def dice_of(network: InContextModel) -> tuple[list[float], list[float]]:
        once = torch.as_tensor(network.predict(planes, network.encode_support(images, labels)))
        closer = look_closer(network, *shown)
        found = (at_resolution(each.cpu(), pool.resolution) > 0 for each in (once, once if closer is None else closer))
        first, second = (hard_dice(masks, target).tolist() for masks in found)
        return first, second

    examples = TuningTask(images[:, 0].cpu().numpy(), labels[:, 0].cpu().numpy())
    tuned = tune_on(model, [examples], TuningSettings(seconds, seed=seed))
    report = tuned.report
    assert report.before is not None and report.after is not None
    judged = (report.kept, report.before, report.after, report.steps, report.seconds)
    before = dice_of(model)
    after = dice_of(tuned.model) if report.kept else before
    return [
        TunedScore(task.dataset, task.name, query, support, untuned, better, untuned_closer, better_closer, *judged)
        for query, untuned, untuned_closer, better, better_closer in zip(asked, *before, *after, strict=True)
    ]


def tuned_summary(scores: Sequence[TunedScore]) -> dict[str, float]:
    """Means over data sets of the means over tasks: Dice untuned and tuned, by one look and as ``segment`` makes it,
    shares of tasks kept and hurt (by one look), seconds."""
    tasks: dict[tuple[str, str], list[TunedScore]] = {}
    for score in scores:
        tasks.setdefault((score.dataset, score.task), []).append(score)
    datasets: dict[str, list[list[float]]] = {}
    for (dataset, _), group in tasks.items():
        dice = [float(np.mean([getattr(s, name) for s in group])) for name in _DICE]
        row = [*dice, float(group[0].kept), float(dice[1] < dice[0] - HURT), group[0].seconds]
        datasets.setdefault(dataset, []).append(row)
    means = np.mean([np.mean(rows, axis=0) for rows in datasets.values()], axis=0)
    return dict(zip((*_DICE, "kept", "hurt", "seconds"), map(float, means), strict=True))
