"""Dice of the product's way with pictures: a first look at whole images, and a closer one at what was found small."""

from __future__ import annotations

import numpy as np
import torch

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
            images, labels = (planes[:, 0].cpu().numpy() for planes in read_at(pool, task, entries, side))
            examples = SupportSet(
                tuple(
                    SupportExample(one, (drawn > 0.5).astype(np.uint16), complete=True)
                    for one, drawn in zip(images, labels, strict=True)
                )
            )
            if not examples.label_values:
                continue
            found = segment_images([image[0, 0].cpu().numpy()], examples, model, label=1, window=_AS_IT_IS)
            logits = at_resolution(torch.from_numpy(found[0])[None, None], pool.resolution)
            described = (task.dataset, task.name, int(task.subjects[query]), query, support, draw)
            scores.append(Score(*described, *dice_both_ways(logits, target)))
    return scores
