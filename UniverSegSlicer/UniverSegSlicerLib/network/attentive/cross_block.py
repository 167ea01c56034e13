"""The attentive cross block: what a support set says about every position of a query, at one stride."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .pointwise import Pointwise

#: Channels that hold the position term of the attention.
_POSITION = 3
_INITIAL_SHARPNESS = 10.0

#: Positions of a support set that a head attends to at most, as far as averaging them can do it.
MOST_KEYS = 8192


@dataclass(frozen=True)
class SupportSummary:
    """All that a cross block keeps of T support sets of S elements each, at its stride.

    Sums and not means, so that a large support can be summarised part by part; see :func:`join`.

    Args:
        size: S.
        keys: ``(T, heads, S * positions, head_channels + 3)``.
        values: ``(T, heads, S * positions, head_channels + 3)``: the label, the value channels, then zeros, since the
            fused attention wants values as wide as keys.
        mean_maps: Sums over S of label, features and features times label, ``(T, 1 + 2 F, h, w)``.
        inside: Sum of the features inside of the labels, ``(T, C)``, and beside it the area inside, ``(T, 1)``.
        outside: The same outside of the labels.
    """

    size: int
    keys: Tensor
    values: Tensor
    mean_maps: Tensor
    inside: tuple[Tensor, Tensor]
    outside: tuple[Tensor, Tensor]


def join(parts: Sequence[SupportSummary]) -> SupportSummary:
    """The summary of all elements of several summaries of the same tasks."""
    if len(parts) == 1:
        return parts[0]

    def total(tensors: list[Tensor]) -> Tensor:
        return torch.stack(tensors).sum(dim=0)

    return SupportSummary(
        size=sum(part.size for part in parts),
        keys=torch.cat([part.keys for part in parts], dim=2),
        values=torch.cat([part.values for part in parts], dim=2),
        mean_maps=total([part.mean_maps for part in parts]),
        inside=(total([part.inside[0] for part in parts]), total([part.inside[1] for part in parts])),
        outside=(total([part.outside[0] for part in parts]), total([part.outside[1] for part in parts])),
    )


def split(summary: SupportSummary) -> list[SupportSummary]:
    """The summaries of T tasks, each with memory of its own."""
    return [
        SupportSummary(
            size=summary.size,
            keys=summary.keys[n : n + 1].clone(),
            values=summary.values[n : n + 1].clone(),
            mean_maps=summary.mean_maps[n : n + 1].clone(),
            inside=(summary.inside[0][n : n + 1].clone(), summary.inside[1][n : n + 1].clone()),
            outside=(summary.outside[0][n : n + 1].clone(), summary.outside[1][n : n + 1].clone()),
        )
        for n in range(len(summary.mean_maps))
    ]


class AttentiveCrossBlock(nn.Module):
    """Side by side: what the published cross block takes from the support, attention over its positions, prototypes.

    With u the query's features, v_i those of support element i and y_i its label averaged to this grid, all
    normalised over channels and pixels together:

    1. a 1 x 1 projection of u;
    2. attention of every position of u over all positions x' of all elements, in several heads: weight proportional to
       exp(tau cos(q u_x, k v_x') - a |x - x'|^2), tau and a >= 0 learned, positions in [-1, 1]; the values are y_i and
       a few channels of a 3 x 3 convolution of (P v_i, y_i);
    3. the cosine of u with the mean feature inside of the labels, and with that outside;
    4. the means over i of y_i, P v_i and P v_i * y_i: what the published block's cross convolution is made of, since
       a convolution of [u, v_i] averaged over i is linear in the mean of v_i.

    Args:
        channels: C, features of the encoder at this stride.
        width: F_u, features of the projection of u; P has half of them.
        heads: Attention heads.
        head_channels: Channels in which a head compares.
        value_channels: Channels that a head brings over beside the label.
        key_side: Keys of one element are averaged to at most so many rows and columns.
    """

    def __init__(
        self, channels: int, width: int, *, heads: int, head_channels: int, value_channels: int, key_side: int
    ) -> None:
        super().__init__()
        self.heads, self.head_channels, self.value_channels = heads, head_channels, value_channels
        self.key_side = key_side
        self.support_width = width // 2
        self.norm = nn.GroupNorm(1, channels)
        self.query = Pointwise(channels, heads * head_channels)
        self.key = Pointwise(channels, heads * head_channels)
        self.sharpness = nn.Parameter(torch.zeros(heads))
        self.nearness = nn.Parameter(torch.zeros(heads))
        self.project_query = Pointwise(channels, width)
        self.project_support = Pointwise(channels, self.support_width)
        self.value = nn.Conv2d(self.support_width + 1, heads * value_channels, 3, padding=1) if value_channels else None
        self.from_support = heads * (1 + value_channels) + 2 + 1 + 2 * self.support_width
        self.outputs = width + self.from_support

    def summarise(self, features: Tensor, labels: Tensor, *, total: int | None = None) -> SupportSummary:
        """What this block keeps of support sets.

        Args:
            features: ``(T, S, C, h, w)``, S at least 1.
            labels: ``(T, S, 1, H, W)`` in [0, 1]; H and W are multiples of h and w.
            total: Elements of the whole support set, of which these are a part (None: S). Where it is large, keys are
                averaged to fewer positions, so that attention costs no more than with :data:`MOST_KEYS`.
        """
        tasks, size, _, rows, columns = features.shape
        normal = self.normalised(features.flatten(0, 1))
        label = functional.adaptive_avg_pool2d(labels.flatten(0, 1), (rows, columns)).to(normal.dtype)
        projected = self.project_support(normal)
        value = label if self.value is None else torch.cat([label, self.value(torch.cat([projected, label], 1))], 1)
        reduction = self.reduction(rows, total or size)
        key = functional.avg_pool2d(self.key(normal), reduction) if reduction > 1 else self.key(normal)
        value = functional.avg_pool2d(value, reduction) if reduction > 1 else value
        maps = torch.cat([label, projected, projected * label], dim=1).unflatten(0, (tasks, size)).sum(dim=1)
        inside = normal.unflatten(0, (tasks, size)), label.unflatten(0, (tasks, size))
        return SupportSummary(
            size=size,
            keys=self._keys(key, tasks),
            values=self._values(value, tasks),
            mean_maps=maps,
            inside=_sum_under(*inside),
            outside=_sum_under(inside[0], 1 - inside[1]),
        )

    def normalised(self, features: Tensor) -> Tensor:
        """Features ``(N, C, h, w)`` of the encoder over channels and pixels together."""
        if torch.is_grad_enabled() and not features.requires_grad and self.norm.weight.requires_grad:
            # The backward pass of a group norm, channels last, on a CPU ends the process where its input needs no
            # gradient (PyTorch 2.13, bfloat16 and float32).
            features = features.detach().requires_grad_()
        return self.norm(features)

    def forward(self, normal: Tensor, support: SupportSummary | None) -> Tensor:
        """What query and support give the decoder.

        Args:
            normal: The queries' features, from :meth:`normalised`, ``(T * K, C, h, w)``: K for each support set.
            support: T support sets; None for an empty one: zeros stand where it would speak.

        Returns:
            ``(T * K, outputs, h, w)``.
        """
        own = self.project_query(normal)
        if support is None:
            return functional.pad(own, (0, 0, 0, 0, 0, self.from_support))
        tasks = len(support.mean_maps)
        queries = len(normal) // tasks
        maps = (support.mean_maps / support.size).repeat_interleave(queries, 0)
        grouped = functional.normalize(normal.float(), dim=1).unflatten(0, (tasks, queries))
        likeness = [
            torch.einsum("tkchw,tc->tkhw", grouped, functional.normalize(_mean(*total).float(), dim=-1))
            for total in (support.inside, support.outside)
        ]
        similar = torch.stack(likeness, dim=2).flatten(0, 1).to(own.dtype)
        return side_by_side([own, self._attend(normal, support, tasks), similar, maps])

    def _attend(self, normal: Tensor, support: SupportSummary, tasks: int) -> Tensor:
        """What the heads bring over, ``(T * K, heads * (1 + value_channels), h, w)``."""
        rows, columns = normal.shape[-2:]
        queries = len(normal) // tasks
        query = self.query(normal).reshape(tasks, queries, self.heads, self.head_channels, rows * columns)
        query = query.permute(0, 2, 1, 4, 3).flatten(2, 3)
        query = functional.normalize(query.float(), dim=-1) * (self.sharpness.exp() * _INITIAL_SHARPNESS)[:, None, None]
        # -|x - x'|^2 = 2 x x' - |x'|^2 but for a term in x alone, which the softmax does not see.
        places = positions(rows, columns, query.device)
        near = 2 * functional.softplus(self.nearness)[:, None, None]
        place = torch.cat([2 * places, torch.ones_like(places[:, :1])], dim=1).repeat(queries, 1) * near
        query = torch.cat([query, place.expand(tasks, -1, -1, -1)], dim=-1)
        found = functional.scaled_dot_product_attention(query.to(normal.dtype), support.keys, support.values, scale=1.0)
        found = found[..., : 1 + self.value_channels].unflatten(2, (queries, rows * columns))
        return found.permute(0, 2, 1, 4, 3).reshape(tasks * queries, -1, rows, columns)

    def reduction(self, rows: int, total: int) -> int:
        """Factor by which the positions of one of ``total`` elements are averaged."""
        reduction = max(1, rows // self.key_side)
        while total * (rows // reduction) ** 2 > MOST_KEYS and rows % (2 * reduction) == 0:
            reduction *= 2
        return reduction

    def _keys(self, key: Tensor, tasks: int) -> Tensor:
        rows, columns = key.shape[-2:]
        size = len(key) // tasks
        key = key.reshape(tasks, size, self.heads, self.head_channels, rows * columns)
        key = functional.normalize(key.permute(0, 2, 1, 4, 3).flatten(2, 3).float(), dim=-1)
        places = positions(rows, columns, key.device)
        place = torch.cat([places, -places.square().sum(dim=1, keepdim=True)], dim=1).repeat(size, 1)
        return torch.cat([key, place.expand(tasks, self.heads, -1, -1)], dim=-1).to(self.key.weight.dtype)

    def _values(self, value: Tensor, tasks: int) -> Tensor:
        """Label and value channels of ``(T * S, 1 + heads * value_channels, h, w)``, head by head."""
        size = len(value) // tasks
        flat = value.flatten(2).unflatten(0, (tasks, size))
        label = flat[:, :, None, :1].expand(-1, -1, self.heads, -1, -1)
        own = flat[:, :, 1:].unflatten(2, (self.heads, self.value_channels))
        both = torch.cat([label, own], dim=3).permute(0, 2, 1, 4, 3).flatten(2, 3)
        return functional.pad(both, (0, self.head_channels + _POSITION - both.shape[-1]))


def side_by_side(maps: Sequence[Tensor]) -> Tensor:
    """Maps ``(N, C_i, h, w)`` one after another, ``(N, sum of C_i, h, w)``, channels last.

    Without the common layout the concatenation falls back to channels first, and the convolution behind it copies all
    of it, forward and backward. No map may have a single channel: its layout would be ambiguous.
    """
    return torch.cat([each.contiguous(memory_format=torch.channels_last) for each in maps], dim=1)


def positions(rows: int, columns: int, device: torch.device) -> Tensor:
    """Centres of a grid's pixels in [-1, 1], ``(rows * columns, 2)``."""
    y = (torch.arange(rows, device=device) + 0.5) / rows * 2 - 1
    x = (torch.arange(columns, device=device) + 0.5) / columns * 2 - 1
    return torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1).flatten(0, 1)


def _sum_under(features: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of features ``(T, S, C, h, w)`` under weights ``(T, S, 1, h, w)``, ``(T, C)``, and of the weights."""
    total = torch.einsum("tschw,tshw->tc", features.float(), weights[:, :, 0].float())
    return total, weights.float().sum(dim=(1, 3, 4))


def _mean(total: Tensor, weight: Tensor) -> Tensor:
    return total / (weight + 1e-3)
