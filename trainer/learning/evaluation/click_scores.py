"""Dice after every click of a simulated user, without support and with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from trainer.tasks.pool import DataPool, Task
from trainer.tasks.prompts import correct
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.network.families import AnyNetwork

from ..loop.losses import hard_dice
from .in_context import at_resolution, query_order, read_at, support_entries


@dataclass(frozen=True)
class ClickScore:
    """Dice of one query after ``clicks`` clicks with ``support`` examples."""

    dataset: str
    task: str
    query: int
    support: int
    clicks: int
    dice: float


@torch.no_grad()
def click_curve(
    network: AnyNetwork,
    pool: DataPool,
    task: Task,
    *,
    support: int,
    clicks: int,
    queries: int,
    side: int,
    seed: int = 1,
) -> list[ClickScore]:
    """Dice of queries of one task with 0 to ``clicks`` clicks.

    Every click goes into the middle of the largest connected error of the last answer, which is fed back as the prior.
    Without support the curve begins at one click.

    Raises:
        InputError: The network has no planes for clicks and prior.
    """
    channels = network.architecture.query_channels
    if channels < 4:
        raise InputError(f"The network reads {channels} query planes; clicks and their correction need four.")
    rng = np.random.default_rng([seed, support, len(task.images)])
    entries = query_order(task, rng)[:queries]
    image, truth = read_at(pool, task, entries, side)
    target = (truth > 0.5).float()
    full = pool.read_masks(task.masks[entries])[:, None] > 0.5
    sets = np.stack([support_entries(task, int(query), support, rng) for query in entries])
    images, labels = read_at(pool, task, sets.ravel(), side)
    shape = (len(entries), support, 1, side, side)
    images, labels = images.reshape(shape), labels.reshape(shape)
    positive, negative, prior = (torch.zeros_like(target) for _ in range(3))
    answer = None
    found = []
    for number in range(clicks + 1):
        if number:
            positive, negative = correct(answer, target, positive, negative, None)
        if number or support:
            logits = network(torch.cat([image, positive, negative, prior], dim=1), images, labels)
            answer = prior = torch.sigmoid(logits)
            for query, value in zip(entries, hard_dice(at_resolution(logits, pool.resolution) > 0, full), strict=True):
                found.append(ClickScore(task.dataset, task.name, int(query), support, number, float(value)))
    return found
