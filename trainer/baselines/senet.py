"""SENet: a conditioner reads image and label of the support, and excites a segmenter that reads the query.

Roy et al., "Squeeze & Excite" guided few-shot segmentation of volumetric images, Medical Image Analysis 2020. Both arms
are U-shaped; after every block, the conditioner's features are squeezed to one map in [0, 1] that multiplies the
segmenter's (channel squeeze and spatial excitation). Several examples: the mean of their maps. Group norm takes the
place of the batch norm, whose statistics would mix tasks.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .architecture import BaselineArchitecture
from .baseline import Baseline

# Blocks on the way down, and as many on the way up; one between.
_DEPTH = 4


class SENet(Baseline):
    """Two arms with spatial excitation between them."""

    def __init__(self, architecture: BaselineArchitecture) -> None:
        super().__init__(architecture)
        self.conditioner = _Arm(2, architecture.width, skips=False)
        self.segmenter = _Arm(1, architecture.width, skips=True)
        self.squeezes = nn.ModuleList(nn.Conv2d(architecture.width, 1, 1) for _ in range(2 * _DEPTH + 1))
        self.output = nn.Conv2d(architecture.width, 1, 1)

    def episodes(self, queries: Tensor, support_images: Tensor, support_labels: Tensor) -> Tensor:
        """See :meth:`~.baseline.Baseline.episodes`."""
        tasks, count = queries.shape[:2]
        size = support_images.shape[1]
        pairs = torch.cat([support_images, support_labels], dim=2).flatten(0, 1)
        excitations: list[Tensor] = []

        def squeeze(features: Tensor, number: int) -> Tensor:
            found = torch.sigmoid(self.squeezes[number](features))
            excitations.append(found.unflatten(0, (tasks, size)).mean(dim=1).repeat_interleave(count, 0))
            return features

        self.conditioner(pairs, squeeze)
        found = self.segmenter(queries.flatten(0, 1), lambda features, number: features * excitations[number])
        return self.output(found).unflatten(0, (tasks, count))


class _Arm(nn.Module):
    """A U of blocks; ``after(features, number)`` is called after each and gives what goes on."""

    def __init__(self, inputs: int, width: int, *, skips: bool) -> None:
        super().__init__()
        self.skips = skips
        self.down = nn.ModuleList(_block(inputs if number == 0 else width, width) for number in range(_DEPTH))
        self.middle = _block(width, width)
        self.up = nn.ModuleList(_block(2 * width if skips else width, width) for _ in range(_DEPTH))

    def forward(self, features: Tensor, after: Callable[[Tensor, int], Tensor]) -> Tensor:
        """The features ``(n, width, H, W)`` after the last block."""
        number, kept = 0, []
        for block in self.down:
            features = after(block(features), number)
            number += 1
            kept.append(features)
            features = F.max_pool2d(features, 2)
        features = after(self.middle(features), number)
        for block in self.up:
            number += 1
            features = F.interpolate(features, scale_factor=2, mode="nearest")
            skip = kept.pop()
            features = after(block(torch.cat([features, skip], dim=1) if self.skips else features), number)
        return features


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 5, padding=2, bias=False), nn.GroupNorm(1, outputs), nn.PReLU(outputs)
    )
