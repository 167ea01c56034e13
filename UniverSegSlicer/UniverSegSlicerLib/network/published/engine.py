"""Inference of a published network: its prepared weights, encoded supports and planned passes behind one interface."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..memory import Plan, run_within_memory
from .encoding import Encoding, encode
from .forward_pass import ForwardPass
from .model import UniverSeg
from .planning import feature_bytes, plan_passes
from .prepared import PreparedNetwork


class PublishedEngine:
    """A copy of a published network's weights on a device; see :class:`~..engines.Engine`.

    Args:
        network: The network; later changes of it do not reach the copy.
        device: Where it computes.
        dtype: float32 or bfloat16.
    """

    def __init__(self, network: UniverSeg, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        self.prepared = PreparedNetwork.of(network, device, dtype)

    def encode(self, planes: Tensor, budget: int) -> Encoding:
        """The support's share of the first block, of planes ``(S, 2, H, W)``."""
        size, _, rows, columns = planes.shape
        # Half of the memory is left to the pass itself.
        keep = size * feature_bytes(self.prepared, rows, columns) <= budget // 2
        plan = Plan(1, self.plan(1, size, rows, columns, budget).chunk, keep)
        encoding, _ = run_within_memory(
            plan, lambda plan: encode(self.prepared, planes, keep=plan.keep, chunk=plan.chunk)
        )
        return encoding

    def plan(self, queries: int, size: int, rows: int, columns: int, budget: int) -> Plan:
        """See :func:`~.planning.plan_passes`."""
        return plan_passes(self.prepared, queries, size, rows, columns, budget)

    def predict(self, queries: Tensor, encoding: Encoding, plan: Plan, checkpoint: Callable[[float], None]) -> Tensor:
        """Logits ``(N, 1, H, W)`` float32 on the CPU of queries ``(N, Q, H, W)``."""
        forward = ForwardPass(encoding, chunk=plan.chunk, keep=plan.keep, checkpoint=checkpoint)
        return forward(queries.to(self.device)).cpu()
