"""Loss and Dice of a network on examples whose labels are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...network.families import AnyNetwork
from .examples import Copies

#: Examples that are held out together at most, in a step and in judging.
MOST_QUERIES = 4


def loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Soft Dice and cross entropy, the mean over queries ``(K, 1, H, W)``."""
    chance = torch.sigmoid(logits).flatten(1)
    wanted = truth.flatten(1)
    # One pixel's weight keeps the answer to an empty mask from counting for all.
    overlap = (2 * (chance * wanted).sum(dim=1) + 1) / (chance.square().sum(dim=1) + wanted.square().sum(dim=1) + 1)
    return 1 - overlap.mean() + functional.binary_cross_entropy_with_logits(logits, truth)


def dice(logits: Tensor, truth: Tensor) -> list[float]:
    """Dice of every query ``(K, 1, H, W)``; 1 where answer and mask are both empty."""
    answer, wanted = (logits > 0).flatten(1), (truth >= 0.5).flatten(1)
    total = answer.sum(dim=1) + wanted.sum(dim=1)
    shared = 2 * (answer & wanted).sum(dim=1)
    return [float(both) / float(all_) if all_ else 1.0 for both, all_ in zip(shared, total, strict=True)]


def held_out(size: int) -> int:
    """Examples of ``size`` that are queries together while the others support them."""
    return max(1, min(MOST_QUERIES, size // 4))


@torch.no_grad()
def judged(
    network: AnyNetwork, copies: Copies, positions: Sequence[int], pause: Callable[[], None] = lambda: None
) -> list[float]:
    """Dice of the examples at ``positions``, a few at a time, with all others as their support set.

    ``pause`` is called before each of the few; what it raises ends the work.
    """
    scores: list[float] = []
    step = held_out(copies.size)
    for start in range(0, len(positions), step):
        pause()
        queries = list(positions[start : start + step])
        support = [n for n in range(copies.size) if n not in queries]
        scores += dice(copies.logits(network, queries, support), copies.truth(queries))
    return scores
