"""From episodes to the query planes that the network sees, over one or several rounds."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from trainer.tasks.draws import coin
from trainer.tasks.episodes import Episodes
from trainer.tasks.prompts import correct, first_clicks

from .config import PromptSettings

#: Logits (T, K, 1, H, W) of queries (T, K, Q, H, W).
Predict = Callable[[Tensor], Tensor]


def query_planes(
    episodes: Episodes, settings: PromptSettings, channels: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Clicks and priors before the network has answered anything, each dropped at random.

    A query without support always gets a prior or a click, since nothing else says what is wanted.

    Args:
        channels: Planes of the network's queries; planes beyond are left out.

    Returns:
        Positive clicks, negative clicks and priors, ``(T * K, 1, H, W)`` each.
    """
    target = episodes.query_labels.flatten(0, 1)
    tasks, queries = episodes.has_prior.shape
    count = tasks * queries
    keep = episodes.has_prior.flatten() & (channels > 3)
    keep &= ~coin(generator, (count,), settings.drop_prior_p)
    clicked = coin(generator, (tasks, 1), settings.click_p).expand(tasks, queries).flatten() & (channels > 1)
    if episodes.support_images.shape[1] == 0 and channels > 1:
        clicked = clicked | ~keep
    prior = episodes.priors.flatten(0, 1) * keep[:, None, None, None]
    positive, negative = torch.zeros_like(target), torch.zeros_like(target)
    rows = clicked.nonzero()[:, 0]
    if len(rows):
        positive[rows], negative[rows] = first_clicks(
            prior[rows], keep[rows], target[rows], settings.most_clicks, generator
        )
    return positive, negative, prior


def assemble(episodes: Episodes, positive: Tensor, negative: Tensor, prior: Tensor, channels: int) -> Tensor:
    """Queries ``(T, K, channels, H, W)`` in the order image, positive clicks, negative clicks, prior."""
    tasks, queries = episodes.has_prior.shape
    planes = torch.cat([episodes.query_images.flatten(0, 1), positive, negative, prior], dim=1)
    return planes[:, :channels].unflatten(0, (tasks, queries))


def prompted_queries(
    episodes: Episodes, settings: PromptSettings, channels: int, generator: torch.Generator, predict: Predict
) -> Tensor:
    """Queries of the last of a random number of rounds.

    After every round but the last, the answer (as probability) becomes the prior and its largest error gets a click.
    The earlier rounds are computed without gradients: they only make the situation that the last one learns from.

    Returns:
        ``(T, K, channels, H, W)``.
    """
    positive, negative, prior = query_planes(episodes, settings, channels, generator)
    rounds = 1
    if channels > 3 and settings.rounds > 1 and bool(coin(generator, (), settings.more_rounds_p)):
        rounds = int(torch.randint(2, settings.rounds + 1, (), generator=generator, device=generator.device))
    target = episodes.query_labels.flatten(0, 1)
    for _ in range(rounds - 1):
        with torch.no_grad():
            queries = assemble(episodes, positive, negative, prior, channels)
            prior = torch.sigmoid(predict(queries).float()).flatten(0, 1)
        positive, negative = correct(prior, target, positive, negative, generator)
    return assemble(episodes, positive, negative, prior, channels)
