"""Learning rate and averaged weights over a run."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .config import OptimizerSettings


def learning_rate(step: int, progress: float, settings: OptimizerSettings) -> float:
    """Rate of update ``step`` (from 0) at ``progress`` in [0, 1] of the run: linear warm-up, then the schedule."""
    rate = settings.learning_rate * min(1.0, (step + 1) / max(1, settings.warmup_steps))
    if settings.schedule == "constant":
        return rate
    shape = 0.5 * (1 + math.cos(math.pi * progress)) if settings.schedule == "cosine" else 1 - progress
    return rate * (settings.final_share + (1 - settings.final_share) * shape)


class AveragedWeights:
    """Exponential moving average of a network's parameters.

    The decay grows with the number of updates up to its final value, so that early averages forget the start.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.values = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the network's present parameters."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in network.state_dict().items():
            self.values[name].lerp_(value.detach(), 1 - decay)

    def copy_to(self, network: nn.Module) -> None:
        """Put the averages into a network."""
        network.load_state_dict(self.values)

    def load(self, values: dict[str, Tensor], updates: int) -> None:
        """Continue from saved averages."""
        self.updates = updates
        for name, value in values.items():
            self.values[name].copy_(value)
