"""Inference of an attentive network: supports of any size, queries in pieces of bounded memory."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from ..memory import Plan, run_within_memory
from .model import AttentiveUniverSeg, EncodedExamples, join_examples

# Bytes of working memory per pixel of one query, and of one element of the support while it is encoded, in float32:
# measured, with some to spare.
_QUERY_BYTES = 1000
_ELEMENT_BYTES = 800

# Slices at a time on a CPU, whose cache holds their features, and on a GPU, which they keep busy.
_CPU_SLICES = 8
_GPU_SLICES = 128


class AttentiveEngine:
    """A copy of an attentive network's weights on a device.

    Args:
        network: The network; later changes of it do not reach the copy.
        device: Where it computes.
        dtype: float32 or bfloat16.
    """

    def __init__(self, network: AttentiveUniverSeg, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        copied = copy.deepcopy(network).requires_grad_(False).eval()
        self.network = copied.to(device=device, dtype=dtype, memory_format=torch.channels_last)

    def encode(self, planes: Tensor, budget: int) -> EncodedExamples | None:
        """The summaries of a support set ``(S, 2, H, W)``; None for an empty one."""
        size, _, rows, columns = planes.shape
        if not size:
            return None
        chunk = self._fitting(size, _ELEMENT_BYTES * rows * columns, budget)
        encoded, _ = run_within_memory(Plan(1, chunk, keep=False), lambda plan: self._encode(planes, plan.chunk))
        return encoded

    def _encode(self, planes: Tensor, chunk: int) -> EncodedExamples:
        parts = []
        for some in planes.split(chunk):
            part = some.to(self.device, self.dtype)[None]
            parts.append(self.network.encode(part[:, :, :1], part[:, :, 1:], total=len(planes)))
        return join_examples(parts)

    def plan(self, queries: int, size: int, rows: int, columns: int, budget: int) -> Plan:  # noqa: ARG002
        """As many queries at a time as fit; what the support takes is encoded before."""
        return Plan(self._fitting(queries, _QUERY_BYTES * rows * columns, budget), 1, keep=False)

    def predict(
        self, queries: Tensor, encoding: EncodedExamples | None, plan: Plan, checkpoint: Callable[[float], None]
    ) -> Tensor:
        """Logits ``(N, 1, H, W)`` float32 on the CPU of queries ``(N, Q, H, W)``."""
        del plan
        checkpoint(0.0)
        return self.network.decode(queries.to(self.device, self.dtype)[None], encoding)[0].float().cpu()

    def _fitting(self, wanted: int, unit: int, budget: int) -> int:
        most = _CPU_SLICES if self.device.type == "cpu" else _GPU_SLICES
        return max(1, min(wanted, most, budget // (unit * self.dtype.itemsize // 4)))
