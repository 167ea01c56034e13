"""Features in which the prototype methods compare images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from UniverSegSlicerLib.network.attentive.encoder import FEATURES, EfficientNetLite0

# Strides 4, 8, 16 and 32 of the encoder.
_LEVELS = (1, 2, 3, 4)


class Features(nn.Module):
    """Our own network's encoder, and a pyramid on top that brings its levels to stride 4.

    The published methods use VGG-16 and ResNet-101 at stride 8 or 16, with weights for photographs too. Here all
    methods look through the same encoder, so that what is compared is the method; and at stride 4, which favours small
    structures. Pyramid: Lin et al., Feature Pyramid Networks, CVPR 2017.

    Args:
        width: Channels of the result.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encoder = EfficientNetLite0()
        self.lateral = nn.ModuleList(nn.Conv2d(FEATURES[level], width, 1) for level in _LEVELS)
        self.smooth = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Features ``(n, width, H / 4, W / 4)`` of images ``(n, 1, H, W)`` in [0, 1]."""
        images = images.contiguous(memory_format=torch.channels_last)
        if self.encoder.stem.weight.requires_grad:
            maps = self.encoder(images)
        else:
            with torch.no_grad():
                maps = self.encoder(images)
        found: Tensor | None = None
        for level, lateral in reversed(list(zip(_LEVELS, self.lateral, strict=True))):
            own = lateral(maps[level])
            found = own if found is None else own + F.interpolate(found, size=own.shape[-2:], mode="nearest")
        assert found is not None
        return self.smooth(found)


def examine(features: Features, queries: Tensor, support_images: Tensor) -> tuple[Tensor, Tensor]:
    """Features ``(T, K, C, h, w)`` of queries and ``(T, S, C, h, w)`` of support images, ``(T, n, 1, H, W)`` each."""
    tasks, count = queries.shape[:2]
    found = features(torch.cat([queries.flatten(0, 1), support_images.flatten(0, 1)]))
    own, others = found.split([tasks * count, len(found) - tasks * count])
    return own.unflatten(0, (tasks, count)), others.unflatten(0, (tasks, -1))


def on_grid(labels: Tensor, like: Tensor) -> Tensor:
    """Labels ``(T, S, 1, H, W)`` averaged to the grid of features ``(T, S, C, h, w)``: ``(T, S, h, w)``."""
    return F.adaptive_avg_pool2d(labels.flatten(0, 1), like.shape[-2:]).unflatten(0, labels.shape[:2])[:, :, 0]


def enlarged(logits: Tensor, side: tuple[int, int]) -> Tensor:
    """Logits ``(T, K, h, w)`` at the side of the images, ``(T, K, 1, H, W)``."""
    return F.interpolate(logits, size=side, mode="bilinear", align_corners=False)[:, :, None]
