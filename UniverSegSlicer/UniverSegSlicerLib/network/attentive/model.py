"""The attentive network: in-context segmentation by matching, trainable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .architecture import AttentiveArchitecture
from .cross_block import AttentiveCrossBlock, SupportSummary, join, side_by_side, split
from .encoder import FEATURES, EfficientNetLite0
from .pointwise import Pointwise
from .prompts import PROMPT_CHANNELS, prompt_maps, spread_clicks

# Images that the encoder looks at together on a CPU.
_CACHED = 8

#: Levels with a cross block, by index into the encoder's features: strides 4, 8, 16 and 32.
_CROSSED = (1, 2, 3, 4)


@dataclass(frozen=True)
class EncodedExamples:
    """All that depends on T support sets of S elements each.

    Args:
        levels: The summaries of the cross blocks at strides 4, 8, 16 and 32.
        fine: Sum over S of the features at full resolution, then of the labels, ``(T, fine_channels + 1, H, W)``.
    """

    levels: tuple[SupportSummary, ...]
    fine: Tensor

    @property
    def size(self) -> int:
        """S."""
        return self.levels[0].size


class SeenEpisode(NamedTuple):
    """The encoder's features of T tasks' queries and supports, from :meth:`AttentiveUniverSeg.see`.

    A tuple, because it passes through Lightning Fabric, which converts what is in tuples to the module's precision.
    """

    queries: list[Tensor]
    support: list[Tensor]


def join_examples(parts: Sequence[EncodedExamples]) -> EncodedExamples:
    """All elements of several parts of the same support sets."""
    levels = tuple(join(level) for level in zip(*(part.levels for part in parts), strict=True))
    return EncodedExamples(levels, torch.stack([part.fine for part in parts]).sum(dim=0))


def split_examples(encoded: EncodedExamples) -> list[EncodedExamples]:
    """Each of T support sets by itself, with memory of its own."""
    levels = zip(*(split(level) for level in encoded.levels), strict=True)
    return [EncodedExamples(own, fine.clone()) for own, fine in zip(levels, encoded.fine.split(1), strict=True)]


class AttentiveUniverSeg(nn.Module):
    """In-context segmentation by attentive cross blocks on an encoder of photographs.

    The query's and the support's features meet in an :class:`~.cross_block.AttentiveCrossBlock` at strides 4 to 32; a
    decoder goes upwards from stride 32, and at full resolution a cross block of few features reads the images
    themselves. All that depends on the support alone is computed once (:meth:`encode`); a query then costs the same for
    any S but for the attention's keys.

    Args:
        architecture: What to build.

    Attributes:
        enlarge: Factor by which slices are enlarged before the encoder: at first the architecture's. A network that was
            trained with several may be used with any of them.

    Source:
        Cross blocks: Butoi et al., UniverSeg, ICCV 2023. Attention over the support's positions with their labels as
        values: Hong et al., Cost Aggregation with 4D Convolutional Swin Transformer, ECCV 2022, and Seo et al., Dense
        cross-query-and-support attention, ECCV 2022 use the same idea.

    Example:
        >>> network = AttentiveUniverSeg()
        >>> network(torch.rand(1, 4, 64, 64), torch.rand(1, 3, 1, 64, 64), torch.ones(1, 3, 1, 64, 64)).shape
        torch.Size([1, 1, 64, 64])
    """

    def __init__(self, architecture: AttentiveArchitecture | None = None) -> None:
        super().__init__()
        self.architecture = architecture = architecture or AttentiveArchitecture()
        self.enlarge = architecture.enlarge
        widths, fine = architecture.widths, architecture.fine_channels
        self.encoder = EfficientNetLite0()
        self.cross = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for level, key_side in zip(_CROSSED, architecture.key_sides, strict=True):
            block = AttentiveCrossBlock(
                FEATURES[level],
                widths[level],
                heads=architecture.heads,
                head_channels=architecture.head_channels,
                value_channels=architecture.value_channels,
                key_side=key_side,
            )
            below = widths[level + 1] if level + 1 < len(widths) else 0
            self.cross.append(block)
            self.decoder.append(_pair(block.outputs + PROMPT_CHANNELS + below, widths[level]))
        self.skip = Pointwise(FEATURES[0], widths[0])
        self.upper = _convolution(widths[0] + widths[1], widths[0])
        self.fine_query = nn.Conv2d(1, fine, 5, padding=2)
        self.fine_support = nn.Sequential(
            nn.Conv2d(2, fine, 5, padding=2), nn.LeakyReLU(0.01), nn.Conv2d(fine, fine, 3, padding=1)
        )
        # Beside the decoder's: query and support features, mean label, image, clicks and prior.
        self.full = _pair(widths[0] + 2 * fine + 1 + architecture.query_channels, widths[0])
        self.output = nn.Conv2d(widths[0], 1, 1)

    def forward(self, query: Tensor, support_images: Tensor, support_labels: Tensor) -> Tensor:
        """Logits of queries that come with a support set each.

        Args:
            query: ``(B, Q, H, W)``, image in [0, 1], then the other planes of
                :data:`~UniverSegSlicerLib.network.architecture.QUERY_PLANES`; H and W are multiples of 32.
            support_images: ``(B, S, 1, H, W)`` in [0, 1]. S may be 0.
            support_labels: ``(B, S, 1, H, W)`` in [0, 1].

        Returns:
            ``(B, 1, H, W)``; a pixel belongs to the structure where the logit is positive.
        """
        return self.episodes(query[:, None], support_images, support_labels)[:, 0]

    def episodes(
        self, queries: Tensor, support_images: Tensor, support_labels: Tensor, seen: SeenEpisode | None = None
    ) -> Tensor:
        """Logits ``(T, K, 1, H, W)`` of K queries ``(T, K, Q, H, W)`` a task that share its support set.

        ``support_images`` and ``support_labels`` are ``(T, S, 1, H, W)``; S may be 0. ``seen`` is what :meth:`see` gave
        for the same images: several rounds of clicks on them need not look again.
        """
        seen = seen or self.see(queries[:, :, :1], support_images)
        examples = self.encode(support_images, support_labels, seen.support) if support_images.shape[1] else None
        return self.decode(queries, examples, seen.queries)

    def see(self, query_images: Tensor, support_images: Tensor) -> SeenEpisode:
        """The encoder's features of query and support images, ``(T, n, 1, H, W)`` each; n may be 0 for the support."""
        support = self.features(support_images) if support_images.shape[1] else []
        return SeenEpisode(self.features(query_images), support)

    def encode(
        self, images: Tensor, labels: Tensor, features: list[Tensor] | None = None, *, total: int | None = None
    ) -> EncodedExamples:
        """Compute all that depends on the support alone.

        Args:
            images: ``(T, S, 1, H, W)`` in [0, 1], S at least 1.
            labels: ``(T, S, 1, H, W)`` in [0, 1].
            features: :meth:`features` of the images, where they are known.
            total: Elements of the whole support set where these are a part of it; see
                :meth:`~.cross_block.AttentiveCrossBlock.summarise`.
        """
        features = features or self.features(images)
        levels = tuple(
            block.summarise(features[level], labels, total=total)
            for level, block in zip(_CROSSED, self.cross, strict=True)
        )
        tasks, size = images.shape[:2]
        pairs = torch.cat([images, labels], dim=2).flatten(0, 1)
        fine = torch.cat([self.fine_support(pairs), pairs[:, 1:]], dim=1).unflatten(0, (tasks, size)).sum(dim=1)
        return EncodedExamples(levels, fine)

    def reductions(self, rows: int, total: int) -> tuple[int, ...]:
        """Factors by which keys of slices of so many rows are averaged in a support set of ``total`` elements."""
        sides = [rows * self.enlarge // 2 ** (level + 1) for level in _CROSSED]
        return tuple(block.reduction(side, total) for side, block in zip(sides, self.cross, strict=True))

    def decode(self, queries: Tensor, examples: EncodedExamples | None, features: list[Tensor] | None = None) -> Tensor:
        """Logits ``(T, K, 1, H, W)`` of queries ``(T, K, Q, H, W)``.

        ``examples`` None is the empty support; ``features`` are :meth:`features` of the images, where they are known.
        """
        tasks, count = queries.shape[:2]
        features = features or self.features(queries[:, :, :1])
        planes = queries.flatten(0, 1)
        image = planes[:, :1]
        prompts = torch.cat([spread_clicks(planes[:, 1:3]), planes[:, 3:4]], dim=1)
        given = torch.cat([image, prompts], dim=1)
        below: Tensor | None = None
        for number in reversed(range(len(_CROSSED))):
            block, level = self.cross[number], _CROSSED[number]
            normal = block.normalised(features[level].flatten(0, 1))
            summary = None if examples is None else examples.levels[number]
            parts = [block(normal, summary), prompt_maps(prompts, normal)]
            if below is not None:
                parts.append(_enlarged(below, normal))
            below = self.decoder[number](side_by_side(parts))
        assert below is not None
        skip = self.skip(features[0].flatten(0, 1))
        below = self.upper(side_by_side([skip, _enlarged(below, skip)]))
        if examples is None:
            examined = image.new_zeros(len(image), self.architecture.fine_channels + 1, *image.shape[-2:])
        else:
            examined = (examples.fine / examples.size).repeat_interleave(count, 0)
        fine = side_by_side([_enlarged(below, image), self.fine_query(image), examined, given])
        return self.output(self.full(fine)).unflatten(0, (tasks, count))

    def features(self, images: Tensor) -> list[Tensor]:
        """The encoder's five maps, each ``(T, n, C, h, w)``, of images ``(T, n, 1, H, W)``, n at least 1."""
        flat = images.flatten(0, 1)
        if self.enlarge > 1:
            flat = functional.interpolate(flat, scale_factor=self.enlarge, mode="bilinear", align_corners=False)
        flat = flat.contiguous(memory_format=torch.channels_last)
        if flat.device.type == "cpu" and not (torch.is_grad_enabled() and self.encoder.stem.weight.requires_grad):
            # A few images at a time stay in the cache, which saves a quarter of the time.
            parts = [self.encoder(part) for part in flat.split(_CACHED)]
            maps = [torch.cat(same) for same in zip(*parts, strict=True)]
        else:
            maps = self.encoder(flat)
        return [found.unflatten(0, images.shape[:2]) for found in maps]


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.GroupNorm(next(groups for groups in (8, 4, 2, 1) if outputs % (4 * groups) == 0 or groups == 1), outputs),
        nn.LeakyReLU(0.01),
    )


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_convolution(inputs, outputs), _convolution(outputs, outputs))


def _enlarged(features: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=False)
