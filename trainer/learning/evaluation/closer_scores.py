"""Dice of the product's way with pictures: a first look at whole images, and a closer one at what was found small."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from trainer.tasks.pool import DataPool, Task
from UniverSegSlicerLib.imaging import IntensityWindow
from UniverSegSlicerLib.network.inference import InContextModel
from UniverSegSlicerLib.segmentation import SupportExample, SupportSet, segment_images

from .in_context import Score, at_resolution, dice_both_ways, queries_with_support, read_at

# The store's images went through their window before.
_AS_IT_IS = IntensityWindow(0.0, 1.0)


def score_closer(
    model: InContextModel,
    pool: DataPool,
    task: Task,
    *,
    support: int,
    draws: int = 1,
    queries: int | None = None,
    side: int = 128,
    seed: int = 1,
) -> list[Score]:
    """Dice of the same queries with the same support sets as :func:`~.in_context.score_task`, after a closer look.

    Args:
        model: The model.
        support: Size of the support set.
        draws: Support sets a query.
        queries: At most so many queries, of different subjects first (None: all images).
        side: Pixels of a side.
        seed: Of the queries and the draws.
    """
    scores = []
    for query, sets in queries_with_support(task, support=support, draws=draws, queries=queries, seed=seed):
        image, _ = read_at(pool, task, np.array([query]), side)
        target = pool.read_masks(task.masks[[query]])[:, None].cpu() > 0.5
        for draw, entries in enumerate(sets):
            images, labels = read_at(pool, task, entries, side)
            found = look_closer(model, image, images, labels)
            if found is None:
                continue
            logits = at_resolution(found, pool.resolution)
            described = (task.dataset, task.name, int(task.subjects[query]), query, support, draw)
            scores.append(Score(*described, *dice_both_ways(logits, target)))
    return scores


def look_closer(model: InContextModel, queries: Tensor, images: Tensor, labels: Tensor) -> Tensor | None:
    """Logits ``(n, 1, side, side)`` of pictures ``(n, 1, side, side)``, as ``segment`` makes them.

    Args:
        model: The model.
        queries: The pictures, in [0, 1].
        images: The examples ``(S, 1, side, side)``, in [0, 1].
        labels: Their labels, likewise.

    Returns:
        None where no example shows the structure.
    """
    pairs = zip(images[:, 0].cpu().numpy(), labels[:, 0].cpu().numpy(), strict=True)
    examples = SupportSet(
        tuple(SupportExample(one, (drawn > 0.5).astype(np.uint16), complete=True) for one, drawn in pairs)
    )
    if not examples.label_values:
        return None
    pictures = list(queries[:, 0].cpu().numpy())
    found = segment_images(pictures, examples, model, label=1, window=_AS_IT_IS)
    return torch.from_numpy(np.stack(found))[:, None]
