"""What can be computed of a support set before any query is known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .kernels import convolve
from .prepared import PreparedNetwork


@dataclass(frozen=True)
class Encoding:
    """A support set as one prepared network sees it.

    Args:
        network: The weights that it was computed with.
        planes: Image and label, (S, 2, H, W).
        mean_planes: Their mean over S, (1, 2, H, W), zero without any.
        first: What every element adds before the first activation, (S, C, H, W). None when it is not kept: then
            :meth:`first_of` computes it again every time.
        query_constant: What support and biases add before the activation of the query's features in a composed first
            block, (1, C, H, W); None if it is not composed.
        support_constant: What the biases add before the activation of the support's features there, likewise.
    """

    network: PreparedNetwork
    planes: Tensor
    mean_planes: Tensor
    first: Tensor | None
    query_constant: Tensor | None
    support_constant: Tensor | None

    @property
    def size(self) -> int:
        """S."""
        return self.planes.shape[0]

    def first_of(self, start: int, stop: int) -> Tensor:
        """What the elements from ``start`` to ``stop`` add before the first activation."""
        if self.first is not None:
            return self.first[start:stop]
        return _first(self.network, self.planes[start:stop])


def encode(network: PreparedNetwork, planes: Tensor, *, keep: bool, chunk: int) -> Encoding:
    """Compute the support's share of the first block.

    Args:
        network: The weights.
        planes: (S, 2, H, W) on any device.
        keep: Whether to hold the share of every element: S * C * H * W values.
        chunk: Elements to work on at a time.
    """
    planes = planes.to(network.device, network.dtype).contiguous(memory_format=torch.channels_last)
    size, _, rows, columns = planes.shape
    mean = planes.sum(0, keepdim=True, dtype=torch.float32) / max(size, 1)
    mean = mean.to(network.dtype).contiguous(memory_format=torch.channels_last)
    first = None
    if keep and size:
        first = planes.new_empty((size, rows, columns, network.encoder[0].features)).permute(0, 3, 1, 2)
        for start in range(0, size, chunk):
            first[start : start + chunk] = _first(network, planes[start : start + chunk])
    query_constant = support_constant = None
    if network.first is not None:
        query_constant, support_constant = network.first.biases(rows, columns).chunk(2, dim=1)
        query_constant = query_constant + network.first.mean_support(mean)
    return Encoding(network, planes, mean, first, query_constant, support_constant)


def _first(network: PreparedNetwork, planes: Tensor) -> Tensor:
    if network.first is not None:
        return network.first.support(planes)
    return convolve([planes], network.encoder[0].support_kernels)
