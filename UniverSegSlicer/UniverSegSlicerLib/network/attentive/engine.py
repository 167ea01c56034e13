"""Inference of an attentive network: supports of any size, queries in pieces of bounded memory."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from ..memory import Plan, run_within_memory
from .model import AttentiveUniverSeg, EncodedExamples, join_examples, split_examples
from .seen import Seen, content_of

# Bytes of working memory per pixel of one query, and of one element of the support while it is encoded, in float32:
# measured, with some to spare.
_QUERY_BYTES = 1000
_ELEMENT_BYTES = 800

# Slices at a time on a CPU, whose cache holds their features, and on a GPU, which they keep busy.
_CPU_SLICES = 8
_GPU_SLICES = 128

# Slices and examples of 128 x 128 pixels that a CPU remembers: about 30 and 80 MB.
_SLICES_KEPT, _EXAMPLES_KEPT = 64, 64
# Pixels of the largest slices, enlarged for the encoder, that are remembered.
_LARGEST_KEPT = 128 * 128


class AttentiveEngine:
    """A copy of an attentive network's weights on a device.

    On a CPU it remembers the last slices and examples: they come again from draw to draw, from pass to pass and from
    click to click. A GPU looks at them again, which takes it less than the search for them.

    Args:
        network: The network; later changes of it do not reach the copy.
        device: Where it computes.
        dtype: float32 or bfloat16.
    """

    def __init__(self, network: AttentiveUniverSeg, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        copied = copy.deepcopy(network).requires_grad_(False).eval()
        self.network = copied.to(device=device, dtype=dtype, memory_format=torch.channels_last)
        self._slices: Seen[list[Tensor]] = Seen(_SLICES_KEPT)
        self._examples: Seen[EncodedExamples] = Seen(_EXAMPLES_KEPT)

    def encode(self, planes: Tensor, budget: int) -> EncodedExamples | None:
        """The summaries of a support set ``(S, 2, H, W)``; None for an empty one."""
        size, _, rows, columns = planes.shape
        if not size:
            return None
        chunk = self._fitting(size, _ELEMENT_BYTES * rows * columns, budget)
        whole = self._encode_kept if self._remembers(rows, columns) and size <= _EXAMPLES_KEPT else self._encode
        encoded, _ = run_within_memory(Plan(1, chunk, keep=False), lambda plan: whole(planes, plan.chunk))
        return encoded

    def _encode(self, planes: Tensor, chunk: int) -> EncodedExamples:
        parts = []
        for some in planes.split(chunk):
            part = some.to(self.device, self.dtype)[None]
            parts.append(self.network.encode(part[:, :, :1], part[:, :, 1:], total=len(planes)))
        return join_examples(parts)

    def _encode_kept(self, planes: Tensor, chunk: int) -> EncodedExamples:
        """The same, of examples that are encoded one by one, so that another draw of them can have them too."""

        def compute(places: list[int]) -> list[EncodedExamples]:
            found = []
            for some in planes[places].split(chunk):
                part = some.to(self.device, self.dtype)[:, None]
                features = self._features(some[:, :1])
                encoded = self.network.encode(
                    part[:, :, :1], part[:, :, 1:], [level.transpose(0, 1) for level in features], total=len(planes)
                )
                found.extend(split_examples(encoded))
            return found

        # How far keys are averaged depends on the size of the whole set.
        reductions = str(self.network.reductions(planes.shape[-2], len(planes))).encode()
        return join_examples(self._examples.of([key + reductions for key in content_of(planes)], compute))

    def _features(self, images: Tensor) -> list[Tensor]:
        """The encoder's maps ``(1, n, C, h, w)`` of images ``(n, 1, H, W)``."""

        def compute(places: list[int]) -> list[list[Tensor]]:
            maps = self.network.features(images[places].to(self.device, self.dtype)[None])
            return [[level[0, n : n + 1].clone() for level in maps] for n in range(len(places))]

        return [torch.cat(level)[None] for level in zip(*self._slices.of(content_of(images), compute), strict=True)]

    def plan(self, queries: int, size: int, rows: int, columns: int, budget: int) -> Plan:  # noqa: ARG002
        """As many queries at a time as fit; what the support takes is encoded before."""
        return Plan(self._fitting(queries, _QUERY_BYTES * rows * columns, budget), 1, keep=False)

    def predict(
        self, queries: Tensor, encoding: EncodedExamples | None, plan: Plan, checkpoint: Callable[[float], None]
    ) -> Tensor:
        """Logits ``(N, 1, H, W)`` float32 on the CPU of queries ``(N, Q, H, W)``."""
        del plan
        checkpoint(0.0)
        features = self._features(queries[:, :1]) if self._remembers(*queries.shape[-2:]) else None
        return self.network.decode(queries.to(self.device, self.dtype)[None], encoding, features)[0].float().cpu()

    def _remembers(self, rows: int, columns: int) -> bool:
        return self.device.type == "cpu" and rows * columns * self.network.enlarge**2 <= _LARGEST_KEPT

    def _fitting(self, wanted: int, unit: int, budget: int) -> int:
        most = _CPU_SLICES if self.device.type == "cpu" else _GPU_SLICES
        return max(1, min(wanted, most, budget // (unit * self.dtype.itemsize // 4)))
