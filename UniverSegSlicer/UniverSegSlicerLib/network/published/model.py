"""The UniverSeg network, trainable."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..architecture import Architecture
from ..shapes import check_shapes
from .blocks import CrossBlock, downsample, linear_convolution, mean_of_support, upsample


class UniverSeg(nn.Module):
    """In-context segmentation: a query is segmented as the support set shows, without training for the task.

    Encoder blocks (a cross block, then 2 x 2 max-pooling of query and support alike), decoder blocks (bilinear
    up-sampling, the encoder's features beside it, a cross block), and a 1 x 1 convolution to logits. The state dict has
    the names and shapes of the published v1; for one query channel and 64 features that is 1,182,785 parameters.

    Args:
        architecture: What to build; the default is the published v1.

    Source:
        Butoi et al., UniverSeg: Universal Medical Image Segmentation, ICCV 2023.

    Example:
        >>> network = UniverSeg(Architecture(encoder=(8, 8)))
        >>> network(torch.rand(1, 1, 16, 16), torch.rand(1, 3, 1, 16, 16), torch.ones(1, 3, 1, 16, 16)).shape
        torch.Size([1, 1, 16, 16])
    """

    def __init__(self, architecture: Architecture | None = None) -> None:
        super().__init__()
        self.architecture = architecture = architecture or Architecture()
        options = {
            "cross_activation": architecture.cross_activation,
            "normalize": architecture.normalization == "group",
        }
        self.enc_blocks = nn.ModuleList()
        query_channels, support_channels = architecture.query_channels, 2
        for features in architecture.encoder:
            self.enc_blocks.append(CrossBlock(query_channels, support_channels, features, **options))
            query_channels = support_channels = features
        self.dec_blocks = nn.ModuleList()
        for features in architecture.decoder:
            joined = query_channels + features
            self.dec_blocks.append(CrossBlock(joined, joined, features, **options))
            query_channels = features
        self.out_conv = nn.ModuleDict({"conv": linear_convolution(query_channels, 1, 1)})

    def forward(self, query: Tensor, support_images: Tensor, support_labels: Tensor) -> Tensor:
        """Logits of the queries.

        Args:
            query: (B, Q, H, W), image in [0, 1], then the other planes of
                :data:`~UniverSegSlicerLib.network.architecture.QUERY_PLANES`.
            support_images: (B, S, 1, H, W) in [0, 1]. S may be 0: then nothing is added to the query's half of any
                cross convolution (the mean over nothing is 0).
            support_labels: (B, S, 1, H, W) in [0, 1].

        Returns:
            (B, 1, H, W); a pixel belongs to the structure where the logit is positive.

        Raises:
            InputError: The shapes do not fit together, or H or W is no multiple of ``architecture.size_multiple``.
        """
        channels, multiple = self.architecture.query_channels, self.architecture.size_multiple
        check_shapes(channels, multiple, query, support_images, support_labels)
        size = support_images.shape[1]
        u = [query]
        v = [torch.cat([support_images, support_labels], dim=2).flatten(0, 1)] if size else []
        skips = []
        blocks = len(self.enc_blocks) + len(self.dec_blocks)
        for depth, block in enumerate(self.enc_blocks):
            new_query, new_support = self._run(block, u, v, size, last=depth == blocks - 1)
            if depth == len(self.enc_blocks) - 1:
                break
            skips.append((new_query, new_support))
            u = [downsample(new_query)]
            v = [] if new_support is None else [downsample(new_support)]
        for depth, block in enumerate(self.dec_blocks):
            last = depth == len(self.dec_blocks) - 1
            query_skip, support_skip = skips.pop()
            u = [upsample(new_query), query_skip]
            v = [] if new_support is None or support_skip is None else [new_support, support_skip]
            new_query, new_support = self._run(block, u, v, size, last=last, up=True)
        return self.out_conv["conv"](new_query)

    def features(self, queries: Tensor) -> Tensor:
        """The encoder's last map of queries (B, Q, H, W) that no support is shown with: (B, C, h, w)."""
        u = [queries]
        for depth, block in enumerate(self.enc_blocks):
            found, _ = self._run(block, u, [], 0, last=False)
            u = [downsample(found)] if depth < len(self.enc_blocks) - 1 else [found]
        return u[0]

    @staticmethod
    def _run(
        block: CrossBlock, u: list[Tensor], v: list[Tensor], size: int, *, last: bool, up: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        # Means come before the up-sampling: the two commute, and the mean is S times smaller.
        if v and last and not block.cross_activation:
            v = [mean_of_support(part, size) for part in v]
        if v and up:
            v = [upsample(v[0]), *v[1:]]
        return block(u, v, size, last=last)
