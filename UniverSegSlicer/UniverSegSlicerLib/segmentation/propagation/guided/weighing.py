"""Slices are given what marks, image and network say of them, weighed by :mod:`.fusion`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ....imaging import SliceFrame
from ...predictor import PRIOR_CHANNELS, planes
from ...support.choice import Draw, draw_support
from ..task import LabelTask
from .evidence import Mark, gather
from .fields import device_of
from .fusion import Place, Trust, terms_of, weights_for

if TYPE_CHECKING:
    from torch import Tensor


def weigh(
    task: LabelTask,
    network: Network,
    sources: Sequence[tuple[Mark, Tensor]],
    rows: np.ndarray,
    place: Place,
    trust: Trust | None,
    *,
    without: int | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Logits (n, S, S) of slices, and the spread of the network's passes.

    Args:
        task: The label. Its ``watch`` is told of slices that are to be predicted.
        network: Of the task.
        sources: The one or two marks next to the slices, or what was found on the way, each with the fields
            (n, 2, C, C) from them to it.
        rows: Numbers of the slices, (n,).
        place: Of the slices.
        trust: In the marks; None where only one is filled.
        without: A marked slice that is held back.
    """
    import torch

    images = torch.as_tensor(task.images[rows], device=device_of(task))[:, None]
    near = np.stack([mark.weight / np.abs(rows - mark.index) for mark, _ in sources])
    evidence = gather(images, sources, near / near.sum(axis=0))
    weights = weights_for(place, trust)
    prior = torch.sigmoid(2 * evidence.shape)
    for _ in range(task.settings.passes_of("guided")):
        logits, spread = network(rows, prior[:, 0].cpu().numpy(), without)
        heard = torch.as_tensor(logits, device=images.device)[:, None]
        terms = terms_of(evidence, heard, place, trust, task.settings.ending)
        if task.watch is not None and without is None:
            task.watch(rows, terms, weights)
        fused = terms.answer(weights)
        prior = torch.sigmoid(fused)
    return fused[:, 0].cpu().numpy(), spread


class Network:
    """The network on its own grid, for slices on the working square."""

    def __init__(self, task: LabelTask) -> None:
        self._task = task
        model = task.support.model
        side = task.images.shape[-1]
        self._frame = SliceFrame.fit((side, side), (1.0, 1.0), size=model.resolution)
        self._reads_prior = model.query_channels >= PRIOR_CHANNELS

    def __call__(
        self, rows: np.ndarray, prior: np.ndarray, without: int | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Logits (n, S, S) and their spread for slices, with a prior (n, S, S) of probabilities.

        The example from the slice ``without`` is kept from the network.
        """
        task, frame = self._task, self._frame
        seen = task.images if task.seen is None else task.seen
        queries = planes(seen[rows], prior=frame.to_network(prior) if self._reads_prior else None)
        groups: dict[tuple[Draw, ...], list[int]] = {}
        for row, index in enumerate(rows):
            groups.setdefault(self._draws(int(index), without), []).append(row)
        logits = np.zeros((len(rows), frame.size, frame.size), np.float32)
        spread: np.ndarray | None = None
        for draws, some in groups.items():
            logits[some], between = task.support.predict(
                queries[some], draws, flips=task.settings.flips, meter=task.meter, message=task.name
            )
            if between is not None:
                spread = np.zeros_like(logits) if spread is None else spread
                spread[some] = between
        return frame.from_network(logits), None if spread is None else frame.from_network(spread)

    def _draws(self, index: int, without: int | None) -> tuple[Draw, ...]:
        places = self._task.support.places
        known = np.flatnonzero(places != without) if without is not None else np.arange(len(places))
        draws = draw_support(places[known], index, self._task.settings)
        return tuple(tuple(int(known[n]) for n in draw) for draw in draws)
