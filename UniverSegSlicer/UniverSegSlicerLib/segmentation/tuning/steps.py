"""Gradient steps on the examples, judged as they go by examples that no step asks for."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...network.families import AnyNetwork
from .examples import Copies
from .judging import MOST_QUERIES, judged, loss

_DECAY = 0.01

# Examples that support the queries of one step; what a step costs grows with them.
_MOST_SUPPORT = 8

#: Called between two pieces of work with the share of the steps that is done; what it raises ends the tuning.
Checkpoint = Callable[[float], None]


@dataclass(frozen=True)
class Outcome:
    """The best state that was seen.

    Attributes:
        state: The tuned tensors by name; empty where no state was better than the network as it was.
        steps: The steps that it took.
        before: Dice of every held-out example with the network as it was.
        after: The same with the best tuned state, each with the network that did not ask for it.
        in_time: Whether all steps were made.
    """

    state: Mapping[str, Tensor]
    steps: int
    before: tuple[float, ...]
    after: tuple[float, ...]
    in_time: bool


class Half:
    """A network that is tuned on half of the examples of every label and judged on the other half.

    Args:
        network: Copied; its encoder stays as it is.
        unasked: For every label, the positions of the examples that no step asks for.
        rate: AdamW's learning rate.
    """

    def __init__(self, network: AnyNetwork, unasked: Sequence[Sequence[int]], rate: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.unasked = unasked
        self._tuned = {name: self.network.get_parameter(name).requires_grad_() for name in tuned_names(network)}
        self._begun = self.state()
        self._optimizer = torch.optim.AdamW(self._tuned.values(), lr=rate, weight_decay=_DECAY)

    def step(self, number: int, copies: Copies, generator: torch.Generator) -> None:
        """One step on label ``number``: a few of its examples are queries, others support them."""
        asked = sorted(set(range(copies.size)) - set(self.unasked[number]))
        count = max(1, min(MOST_QUERIES, copies.size // 2, len(asked)))
        queries = [asked[n] for n in torch.randperm(len(asked), generator=generator)[:count].tolist()]
        others = [n for n in range(copies.size) if n not in queries]
        support = [others[n] for n in torch.randperm(len(others), generator=generator)[:_MOST_SUPPORT].tolist()]
        chosen = [copies.draw(positions, generator) for positions in (queries, support)]
        found = loss(copies.logits(self.network, *chosen), copies.truth(chosen[0]))
        self._optimizer.zero_grad(set_to_none=True)
        found.backward()
        self._optimizer.step()

    @torch.no_grad()
    def judged(self, labels: Sequence[Copies], pause: Callable[[], None]) -> list[float]:
        """Dice of the examples of all labels that no step asked for; ``pause`` as in :func:`~.judging.judged`.

        What is judged is half of the way that the weights have gone: just what this half brings to the mean of both.
        The whole way, on so few examples, often does harm where the mean helps.
        """
        reached = self.state()
        self._set({name: (self._begun[name] + tensor) / 2 for name, tensor in reached.items()})
        try:
            pairs = zip(labels, self.unasked, strict=True)
            return [score for copies, positions in pairs for score in judged(self.network, copies, positions, pause)]
        finally:
            self._set(reached)

    def _set(self, state: Mapping[str, Tensor]) -> None:
        for name, parameter in self._tuned.items():
            parameter.copy_(state[name])

    def state(self) -> dict[str, Tensor]:
        """The tuned tensors by name, copied."""
        return {name: parameter.detach().clone() for name, parameter in self._tuned.items()}


def tuned_names(network: AnyNetwork) -> list[str]:
    """The parameters that are tuned: all but the encoder of photographs, which is held still."""
    return [name for name, _ in network.named_parameters() if not name.startswith("encoder.")]


def best_state(
    network: AnyNetwork,
    labels: Sequence[Copies],
    *,
    milestones: Sequence[int],
    rate: float,
    generator: torch.Generator,
    until: float,
    checkpoint: Checkpoint,
) -> Outcome:
    """Tune two copies of a network, each on half of the examples, and take the mean of both.

    Every example is judged by the copy that never had to answer for it (it may have supported others), so that the
    judgement costs no example. The mean of two networks that began as one is as good as either or better, and has
    learnt from all examples (Wortsman et al., Model soups, ICML 2022).

    Args:
        network: Where both begin; stays as it is.
        labels: The examples of every label; labels take turns.
        milestones: Rising numbers of steps after which they are judged.
        rate: The learning rate.
        generator: Of all draws.
        until: Value of ``time.perf_counter()`` at which to stop.
        checkpoint: See there.
    """
    orders = [torch.randperm(copies.size, generator=generator).tolist() for copies in labels]
    halves = [Half(network, [order[part::2] for order in orders], rate) for part in (0, 1)]
    share = 0.0

    def pause() -> None:
        checkpoint(share)

    begin = time.perf_counter()
    before = tuple(score for half in halves for score in half.judged(labels, pause))
    judging = time.perf_counter() - begin
    best = Outcome({}, 0, before, before, in_time=True)
    slowest, in_time = 0.0, True
    for done in range(1, milestones[-1] + 1):
        share = (done - 1) / milestones[-1]
        begin = time.perf_counter()
        in_time = begin + slowest + judging <= until
        if in_time:
            number = (done - 1) % len(labels)
            for half in halves:
                pause()
                half.step(number, labels[number], generator)
            slowest = max(slowest, time.perf_counter() - begin)
        steps = done if in_time else done - 1
        if steps and (steps in milestones or not in_time):
            after = tuple(score for half in halves for score in half.judged(labels, pause))
            if sum(after) > sum(best.after):
                best = Outcome(_mean([half.state() for half in halves]), steps, before, after, in_time)
        if not in_time:
            break
    return replace(best, in_time=in_time)


def _mean(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([state[name] for state in states]).mean(dim=0).cpu() for name in states[0]}
