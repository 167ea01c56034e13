"""A picture sheet of the best, the median and the worst case of every data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from trainer.tasks.pool import DataPool, Task
from UniverSegSlicerLib.network.families import AnyNetwork

from ..pictures import overlay, save_picture, tile
from .in_context import Score, read_at, support_entries

_TRUTH, _ANSWER = (0, 200, 0), (255, 40, 40)


def pick_cases(scores: Sequence[Score], support: int) -> list[tuple[Score, Score, Score]]:
    """(best, median, worst) single prediction of every data set at one support size."""
    picked = []
    for name in sorted({score.dataset for score in scores}):
        ordered = sorted(
            (s for s in scores if s.dataset == name and s.support == support and s.draw == 0), key=lambda s: -s.dice
        )
        if ordered:
            picked.append((ordered[0], ordered[len(ordered) // 2], ordered[-1]))
    return picked


@torch.no_grad()
def draw_cases(
    network: AnyNetwork,
    pool: DataPool,
    tasks: Mapping[str, Task],
    scores: Sequence[Score],
    support: int,
    side: int,
    seed: int,
    folder: Path,
) -> Path:
    """Write ``cases.png``: a row a data set, three times truth (green) and answer (red): best, median, worst.

    The support of the pictures is a draw of their own, so an answer may differ from the one that was scored.
    """
    rows = []
    for cases in pick_cases(scores, support):
        row: list[np.ndarray] = []
        for case in cases:
            task = tasks[case.task]
            image, truth = read_at(pool, task, np.array([case.query]), side)
            entries = support_entries(task, case.query, support, np.random.default_rng(seed))
            images, labels = read_at(pool, task, entries, side)
            planes = F.pad(image, (0, 0, 0, 0, 0, network.architecture.query_channels - 1))
            answer = torch.sigmoid(network(planes, images[None], labels[None]))[0, 0].cpu().numpy()
            grey = image[0, 0].cpu().numpy()
            row += [overlay(grey, truth[0, 0].cpu().numpy(), _TRUTH), overlay(grey, answer > 0.5, _ANSWER)]
        rows.append(row)
    path = folder / "cases.png"
    save_picture(path, tile(rows))
    return path
