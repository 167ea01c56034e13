"""The network on whole episodes: several queries share one support set.

In the first block the support features before their mixing with a query are the same for every query. The convolutions
at full resolution, half of a training step, are therefore done once per support image instead of once per pair:
conv(z; V) with z = a_i + h_k is conv(a_i; V) + conv(h_k; V). The result equals the plain forward pass up to rounding.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from trainer.baselines.baseline import Baseline
from UniverSegSlicerLib.network.attentive.model import AttentiveUniverSeg, SeenEpisode
from UniverSegSlicerLib.network.published.blocks import conv2d_of_parts, downsample, mean_of_support, upsample
from UniverSegSlicerLib.network.published.model import UniverSeg

from .kinds import TrainedNetwork


def episode_logits(
    network: TrainedNetwork,
    queries: Tensor,
    support_images: Tensor,
    support_labels: Tensor,
    seen: SeenEpisode | None = None,
) -> Tensor:
    """Logits ``(T, K, 1, H, W)`` of K queries a task.

    Args:
        network: Any architecture; those with a cross activation take the plain path, pair by pair.
        queries: ``(T, K, Q, H, W)``.
        support_images: ``(T, S, 1, H, W)``; S may be 0.
        support_labels: ``(T, S, 1, H, W)``.
        seen: What the encoder of an attentive network saw of these images, where it was asked before.
    """
    if isinstance(network, AttentiveUniverSeg):
        return network.episodes(queries, support_images, support_labels, seen)
    if isinstance(network, Baseline):
        return network.episodes(queries, support_images, support_labels)
    tasks, count = queries.shape[:2]
    size = support_images.shape[1]
    if network.architecture.cross_activation or size == 0 or count == 1 or len(network.enc_blocks) < 2:
        images = support_images.repeat_interleave(count, 0)
        labels = support_labels.repeat_interleave(count, 0)
        return network(queries.flatten(0, 1), images, labels).unflatten(0, (tasks, count))
    support = support_images.new_empty(0)
    query, support = _first_block(network, queries, support_images, support_labels)
    skips = [(query, support)]
    for block in list(network.enc_blocks)[1:]:
        query, support = block([downsample(query)], [downsample(support)], size, last=False)
        skips.append((query, support))
    skips.pop()
    for depth, block in enumerate(network.dec_blocks):
        query_skip, support_skip = skips.pop()
        last = depth == len(network.dec_blocks) - 1
        if last:
            # Only the mean over the support is read; the mean and the up-sampling commute.
            support, support_skip = mean_of_support(support, size), mean_of_support(support_skip, size)
        query, support = block([upsample(query), query_skip], [upsample(support), support_skip], size, last=last)
    return network.out_conv["conv"](query).unflatten(0, (tasks, count))


def _first_block(
    network: UniverSeg, queries: Tensor, support_images: Tensor, support_labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Query features ``(T * K, F, H, W)`` and support features ``(T * K * S, F, H, W)`` of the first block."""
    block = network.enc_blocks[0]
    tasks, count = queries.shape[:2]
    size = support_images.shape[1]
    planes = support_images.new_empty(tasks, size, 2, *support_images.shape[-2:])
    planes[:, :, :1], planes[:, :, 1:] = support_images, support_labels
    half = conv2d_of_parts([queries.flatten(0, 1)], block.query_weight, block.cross_conv.bias)
    other = conv2d_of_parts([planes.flatten(0, 1)], block.support_weight)
    mean = mean_of_support(other, size).repeat_interleave(count, 0)
    query = block.activate(block.query_conv(half + mean))
    from_support = F.conv2d(other, block.support_conv.weight, padding=1).unflatten(0, (tasks, 1, size))
    from_query = block.support_conv(half).unflatten(0, (tasks, count, 1))
    return query, block.activate((from_support + from_query).flatten(0, 2))
