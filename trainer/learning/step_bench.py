"""How much the exact algebra saves in training: one step with it and one through the direct form, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.network.published.blocks import CrossBlock, downsample, upsample
from UniverSegSlicerLib.network.published.model import UniverSeg

from .loop.losses import soft_dice_loss
from .networks.episode_forward import episode_logits


@dataclass(frozen=True)
class StepTimes:
    """Seconds of a training step (forward and backward), and how far both results are apart."""

    direct: float
    exact: float
    largest_difference: float

    @property
    def speedup(self) -> float:
        """How many times faster the exact algebra is."""
        return self.direct / self.exact


def direct_logits(network: UniverSeg, queries: Tensor, support_images: Tensor, support_labels: Tensor) -> Tensor:
    """The forward pass as it is written in the paper's code, pair by pair: ``(T, K, Q, H, W)`` to ``(T, K, 1, H, W)``.

    Every query is joined with every support element before each cross convolution. It serves as a yardstick.
    """
    tasks, count = queries.shape[:2]
    size = support_images.shape[1]
    u = queries.flatten(0, 1)
    v = torch.cat([support_images, support_labels], dim=2).repeat_interleave(count, 0).flatten(0, 1)
    skips = []
    for depth, block in enumerate(network.enc_blocks):
        u, v = _direct_block(block, u, v, size)
        if depth < len(network.enc_blocks) - 1:
            skips.append((u, v))
            u, v = downsample(u), downsample(v)
    for block in network.dec_blocks:
        skip_u, skip_v = skips.pop()
        u, v = _direct_block(block, torch.cat([upsample(u), skip_u], 1), torch.cat([upsample(v), skip_v], 1), size)
    return network.out_conv["conv"](u).unflatten(0, (tasks, count))


def _direct_block(block: CrossBlock, u: Tensor, v: Tensor, size: int) -> tuple[Tensor, Tensor]:
    joined = torch.cat([u.repeat_interleave(size, 0), v], dim=1)
    z = block.cross_conv(joined)
    if block.cross_activation:
        z = F.leaky_relu(z, 0.01)
    new_query = block.activate(block.query_conv(z.unflatten(0, (-1, size)).mean(dim=1)))
    return new_query, block.activate(block.support_conv(z))


def time_steps(
    architecture: Architecture, *, tasks: int = 1, queries: int = 4, support: int = 16, side: int = 64, repeats: int = 3
) -> StepTimes:
    """Time a training step both ways on the CPU or, where there is one, the GPU; the fastest of ``repeats`` counts.

    Args:
        architecture: The network.
        tasks: Tasks of a step; each has ``queries`` queries that share ``support`` support images.
        side: Side of the images.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    network = UniverSeg(architecture).to(device, memory_format=torch.channels_last)
    batch = (
        torch.rand(tasks, queries, architecture.query_channels, side, side, device=device),
        torch.rand(tasks, support, 1, side, side, device=device),
        (torch.rand(tasks, support, 1, side, side, device=device) > 0.5).float(),
    )
    target = (torch.rand(tasks * queries, 1, side, side, device=device) > 0.5).float()

    def seconds(forward: Callable[..., Tensor]) -> tuple[float, Tensor]:
        best = float("inf")
        for _ in range(repeats + 1):
            network.zero_grad(set_to_none=True)
            start = time.perf_counter()
            logits = forward(network, *batch)
            soft_dice_loss(logits.flatten(0, 1), target).mean().backward()
            if device.type == "cuda":
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - start)
        return best, logits.detach()

    direct, expected = seconds(direct_logits)
    exact, found = seconds(episode_logits)
    return StepTimes(direct, exact, float((expected - found).abs().max()))
