"""The forward pass for a few queries against one encoded support set, in pieces of bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from .blocks import NEGATIVE_SLOPE, upsample
from .encoding import Encoding
from .kernels import convolve, downsample
from .prepared import PreparedBlock, PreparedNetwork


@dataclass
class _Pairs:
    """The features of every pair of a query and an element of one chunk of the support set, before block ``depth``.

    ``current`` is (N * s, C, H, W) with the elements of one query side by side; ``skips`` are those of earlier blocks.
    """

    depth: int
    current: Tensor | None = None
    skips: list[Tensor] = field(default_factory=list)


class ForwardPass:
    """Logits of N queries against one support set.

    The new query features of a block need the mean over the whole support set, so every block goes over all chunks
    before the next one starts. What a chunk needs for the next block is kept, or, to save memory, computed again.

    Args:
        encoding: The support set and the weights.
        chunk: Elements of the support set to work on at a time.
        keep: Whether features of support elements are kept from block to block (faster) or computed again (smaller).
        checkpoint: Called before every piece of work with the fraction done, in [0, 1); what it raises ends the pass.
    """

    def __init__(self, encoding: Encoding, *, chunk: int, keep: bool, checkpoint: Callable[[float], None]) -> None:
        self._encoding = encoding
        self._network: PreparedNetwork = encoding.network
        self._keep = keep
        self._checkpoint = checkpoint
        self._chunks = [(start, min(start + chunk, encoding.size)) for start in range(0, encoding.size, chunk)]
        self._composed = encoding.network.first is not None
        self._states = [_Pairs(1 if self._composed else 0) for _ in self._chunks]
        self._terms: list[Tensor] = []
        self._support_means: dict[int, Tensor] = {}

    def __call__(self, queries: Tensor) -> Tensor:
        """Logits (N, 1, H, W) in float32 of queries (N, Q, H, W), both on the network's device."""
        network = self._network
        queries = queries.to(network.dtype).contiguous(memory_format=torch.channels_last)
        self._count = len(queries)
        parts, skips = [queries], []
        for depth, block in enumerate(network.blocks):
            result = self._block(depth, block, parts)
            parts.clear()
            if depth < len(network.encoder) - 1:
                skips.append(result)
                parts.append(downsample(result))
            elif depth < len(network.blocks) - 1:
                parts.extend([upsample(result), skips.pop()])
        return functional.conv2d(result.float(), *network.output)

    def _block(self, depth: int, block: PreparedBlock, parts: list[Tensor]) -> Tensor:
        """The new query features of one block; those of the pairs are kept or dropped."""
        self._reached(depth)
        encoding, last = self._encoding, self._is_last(depth)
        if depth == 0 and self._network.first is not None:
            query, term = self._network.first.query(parts[0]).chunk(2, dim=1)
            self._terms.append(term + encoding.support_constant)
            for index in range(len(self._chunks)):
                self._reached(depth, index)
                pairs = self._entered(index, mean=True)
                if self._keep:
                    self._states[index] = pairs
            return block.activate(query + encoding.query_constant)
        if last and not block.cross_activation:
            kernels = block.query_kernels
            if encoding.size:
                parts, kernels = [*parts, *self._mean_parts(depth)], kernels + block.support_kernels
            return block.convolve_target(convolve(parts, kernels, block.cross_bias))
        half = convolve(parts, block.query_kernels, block.cross_bias)
        if block.cross_activation:
            self._terms.append(half)
            total = self._go_over_chunks(depth, last)
            mixed = functional.leaky_relu(half, NEGATIVE_SLOPE) if total is None else total / encoding.size
            return block.convolve_target(mixed.to(half.dtype))
        kernel, bias = block.support
        self._terms.append(convolve([half], [kernel], bias))
        total = self._go_over_chunks(depth, last)
        return block.convolve_target(half if total is None else half.add_(total / encoding.size))

    def _go_over_chunks(self, depth: int, last: bool) -> Tensor | None:
        """Bring every chunk behind block ``depth``; the sum over the support set of the crossed features, if any."""
        total: Tensor | None = None
        for index in range(len(self._chunks)):
            self._reached(depth, index)
            pairs = self._before(index, depth)
            crossed, features = self._step(index, pairs, last)
            total = _added(total, self._sum_over_support(crossed))
            if features is not None and self._mean_is_needed(depth):
                mean = self._sum_over_support(features) / self._encoding.size
                self._support_means[depth] = _added(self._support_means.get(depth), mean)
            if self._keep and features is not None:
                self._states[index] = self._advanced(pairs, features)
        return total

    def _before(self, index: int, depth: int) -> _Pairs:
        """The pairs of one chunk as block ``depth`` needs them."""
        pairs = self._states[index]
        if pairs.depth == 1 and pairs.current is None:
            pairs = self._entered(index, mean=False)
        while pairs.depth < depth:
            self._checkpoint(self._fraction)
            _, features = self._step(index, pairs, last=False)
            assert features is not None
            pairs = self._advanced(pairs, features)
        return pairs

    def _entered(self, index: int, *, mean: bool) -> _Pairs:
        """The pairs of one chunk behind a composed first block, and on request the mean of its features added up."""
        block, term, (start, stop) = self._network.encoder[0], self._terms[0], self._chunks[index]
        step = 1 if term.device.type == "cpu" else stop - start
        first = self._encoding.first_of(start, stop)
        shape = (len(term), stop - start, first.shape[2] // 2, first.shape[3] // 2, first.shape[1])
        pooled = first.new_empty(shape).permute(0, 1, 4, 2, 3)
        buffer: Tensor | None = None
        for offset in range(0, stop - start, step):
            # At full resolution the processor's cache holds one element, and fresh memory costs more than the sums.
            buffer = self._joined(first[offset : offset + step], term, buffer)
            features = block.activate(buffer)
            pooled[:, offset : offset + step] = self._of_query(downsample(features))
            if mean:
                total = self._of_query(features)[:, 0] if step == 1 else self._sum_over_support(features)
                if 0 in self._support_means:
                    self._support_means[0].add_(total, alpha=1 / self._encoding.size)
                else:
                    self._support_means[0] = total.float() / self._encoding.size
        return _Pairs(1, pooled.flatten(0, 1))

    def _step(self, index: int, pairs: _Pairs, last: bool) -> tuple[Tensor, Tensor | None]:
        """One block on one chunk: crossed features, and new support features unless it is the last."""
        block, term = self._network.blocks[pairs.depth], self._terms[pairs.depth]
        if pairs.depth == 0:
            crossed = self._joined(self._encoding.first_of(*self._chunks[index]), term)
        else:
            assert pairs.current is not None
            decoding = pairs.depth >= len(self._network.encoder)
            parts = [upsample(pairs.current), pairs.skips[-1]] if decoding else [pairs.current]
            crossed = convolve(parts, block.support_kernels)
            del parts
            if block.cross_activation:
                self._of_query(crossed).add_(term.unsqueeze(1))
        if block.cross_activation:
            functional.leaky_relu_(crossed, NEGATIVE_SLOPE)
        if last:
            return crossed, None
        kernel, bias = block.support
        if block.cross_activation:
            return crossed, block.activate(convolve([crossed], [kernel], bias))
        features = convolve([crossed], [kernel])
        self._of_query(features).add_(term.unsqueeze(1))
        return crossed, block.activate(features)

    def _advanced(self, pairs: _Pairs, features: Tensor) -> _Pairs:
        """The pairs before the next block."""
        depth, encoder = pairs.depth, len(self._network.encoder)
        if depth < encoder - 1:
            # The last block reads only the mean of the first block's features, unless it has an activation in between.
            skips = [*pairs.skips, features] if depth > 0 or not self._composed else pairs.skips
            return _Pairs(depth + 1, downsample(features), skips)
        skips = pairs.skips if depth < encoder else pairs.skips[:-1]
        if self._mean_is_needed(depth):
            return _Pairs(depth + 1, None, skips)
        return _Pairs(depth + 1, features, skips)

    def _mean_parts(self, depth: int) -> list[Tensor]:
        """Means over the support set of what the last block reads."""
        if depth == 0:
            return [self._encoding.mean_planes]
        dtype = self._network.dtype
        return [upsample(self._support_means[depth - 1].to(dtype)), self._support_means[0].to(dtype)]

    def _mean_is_needed(self, depth: int) -> bool:
        return self._composed and depth in (0, len(self._network.blocks) - 2)

    def _reached(self, depth: int, index: int = 0) -> None:
        self._fraction = (depth + index / max(1, len(self._chunks))) / len(self._network.blocks)
        self._checkpoint(self._fraction)

    def _is_last(self, depth: int) -> bool:
        return depth == len(self._network.blocks) - 1

    def _joined(self, first: Tensor, term: Tensor, out: Tensor | None = None) -> Tensor:
        """The sum for every pair: (s, C, H, W) and (N, C, H, W) -> (N * s, C, H, W), in ``out`` if it fits there."""
        if out is None or len(out) != len(first) * len(term):
            out = first.new_empty((len(first) * len(term), *first.shape[2:], first.shape[1])).permute(0, 3, 1, 2)
        torch.add(first.unsqueeze(0), term.unsqueeze(1), out=self._of_query(out))
        return out

    def _of_query(self, pairs: Tensor) -> Tensor:
        """(N * s, C, H, W) seen as (N, s, C, H, W)."""
        return pairs.unflatten(0, (self._count, -1))

    def _sum_over_support(self, pairs: Tensor) -> Tensor:
        """(N * s, C, H, W) -> (N, C, H, W) in float32."""
        # Reductions over the batch of a channels-last tensor are many times slower than over rows of a matrix.
        channels, rows, columns = pairs.shape[1:]
        flat = pairs.permute(0, 2, 3, 1).reshape(self._count, -1, rows * columns * channels)
        total = flat.sum(dim=1, dtype=torch.float32)
        return total.view(self._count, rows, columns, channels).permute(0, 3, 1, 2)


def _added(total: Tensor | None, term: Tensor) -> Tensor:
    return term if total is None else total.add_(term)
