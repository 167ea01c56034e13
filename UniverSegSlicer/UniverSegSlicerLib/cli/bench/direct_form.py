"""The network written down term by term, with nothing rearranged: the yardstick of speed, memory and exactness."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ...network.published.blocks import CrossBlock
from ...network.published.model import UniverSeg


def direct_forward(network: UniverSeg, query: Tensor, support_images: Tensor, support_labels: Tensor) -> Tensor:
    """What ``network(query, support_images, support_labels)`` means, computed the plain way.

    Every query is joined with every support element before every cross convolution, and every mean is taken last. The
    parameters are those of ``network``, so gradients reach them.

    Args:
        network: Its parameters and architecture are used, not its forward pass.
        query: (B, Q, H, W).
        support_images: (B, S, 1, H, W); S may be 0, then the one element of the support set is a zero.
        support_labels: (B, S, 1, H, W).

    Returns:
        Logits (B, 1, H, W).

    Source:
        Butoi et al., UniverSeg, ICCV 2023, sections 3.2 and 3.3, in the geometry of the released v1.
    """
    u = query
    v = torch.cat([support_images, support_labels], dim=2)
    no_support = v.shape[1] == 0
    if no_support:
        v = v.new_zeros(v.shape[0], 1, *v.shape[2:])
    skips = []
    for depth, block in enumerate(network.enc_blocks):
        u, v = _cross_block(block, u, v)
        v = torch.zeros_like(v) if no_support else v
        if depth < len(network.enc_blocks) - 1:
            skips.append((u, v))
            u = functional.max_pool2d(u, 2)
            v = _each(lambda x: functional.max_pool2d(x, 2), v)
    for block in network.dec_blocks:
        skip_u, skip_v = skips.pop()
        u = torch.cat([_double(u), skip_u], dim=1)
        v = torch.cat([_each(_double, v), skip_v], dim=2)
        u, v = _cross_block(block, u, v)
        v = torch.zeros_like(v) if no_support else v
    final = network.out_conv["conv"]
    return functional.conv2d(u, final.weight, final.bias)


def _cross_block(block: CrossBlock, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    cross, target, support = block.cross_conv, block.query_conv, block.support_conv
    joined = torch.cat([u.unsqueeze(1).expand(-1, v.shape[1], -1, -1, -1), v], dim=2)
    z = _each(lambda x: functional.conv2d(x, cross.weight, cross.bias, padding=1), joined)
    if block.cross_activation:
        z = functional.leaky_relu(z, 0.01)
    new_u = _activate(block, functional.conv2d(z.mean(dim=1), target.weight, target.bias, padding=1))
    new_v = _each(lambda x: _activate(block, functional.conv2d(x, support.weight, support.bias, padding=1)), z)
    return new_u, new_v


def _activate(block: CrossBlock, x: Tensor) -> Tensor:
    x = functional.leaky_relu(x, 0.01)
    return functional.group_norm(x, 1) if block.normalize else x


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def _each(function: Callable[[Tensor], Tensor], v: Tensor) -> Tensor:
    """``function`` on every support element: (B, S, C, H, W) -> (B, S, C', H', W')."""
    return function(v.flatten(0, 1)).unflatten(0, v.shape[:2])
