"""What inference needs of a network of either family, once it is laid out on a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from .attentive.model import AttentiveUniverSeg
from .families import AnyNetwork
from .memory import Plan

#: Called before every piece of work with the fraction done, in [0, 1); what it raises ends the pass.
Checkpoint = Callable[[float], None]


class Engine(Protocol):
    """A copy of a network's weights on a device, in the layout and the type that it computes in."""

    device: torch.device
    dtype: torch.dtype

    def encode(self, planes: Tensor, budget: int) -> Any:
        """All that depends on the support alone.

        Args:
            planes: Image and label of every element, ``(S, 2, H, W)`` float32 on the CPU; S may be 0.
            budget: Bytes of working memory.
        """

    def plan(self, queries: int, size: int, rows: int, columns: int, budget: int) -> Plan:
        """Pieces of a forward pass of so many queries with S = ``size`` that fit into ``budget`` bytes."""

    def predict(self, queries: Tensor, encoding: Any, plan: Plan, checkpoint: Checkpoint) -> Tensor:
        """Logits ``(N, 1, H, W)`` float32 on the CPU of queries ``(N, Q, H, W)``, N at most ``plan.queries``."""


def engine_for(network: AnyNetwork, device: torch.device, dtype: torch.dtype) -> Engine:
    """The engine of the network's family."""
    if isinstance(network, AttentiveUniverSeg):
        from .attentive.engine import AttentiveEngine

        return AttentiveEngine(network, device, dtype)
    from .published.engine import PublishedEngine

    return PublishedEngine(network, device, dtype)
