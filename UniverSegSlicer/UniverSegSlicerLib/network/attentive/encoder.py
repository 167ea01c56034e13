"""EfficientNet-Lite0 without its head: features of a grey slice at strides 2 to 32."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from .pointwise import Pointwise

#: Channels of the features that :class:`EfficientNetLite0` gives, at strides 2, 4, 8, 16 and 32.
FEATURES = (16, 24, 40, 112, 320)


@dataclass(frozen=True)
class Stage:
    """A run of blocks of one shape: how many, kernel size, stride of the first, expansion and output channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


#: The published table of EfficientNet-Lite0.
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)

_STEM = 32


class SameConv2d(nn.Conv2d):
    """Convolution whose output is the input over the stride, padded as TensorFlow does: more behind than in front."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        # At stride 1 the padding is even and the convolution can do it itself.
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2 if stride == 1 else 0, groups=groups)
        self._uneven = (kernel - stride) if stride > 1 else 0

    def forward(self, image: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C', H / stride, W / stride)``; H and W are multiples of the stride."""
        if self._uneven > 0:
            before = self._uneven // 2
            after = self._uneven - before
            image = functional.pad(image, (before, after, before, after))
        return super().forward(image)


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, projection; the input is added where it has the output's shape."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = Pointwise(inputs, inner) if expansion > 1 else None
        self.depthwise = SameConv2d(inner, inner, kernel, stride, groups=inner)
        self.project = Pointwise(inner, outputs)
        self._residual = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C', H / stride, W / stride)``."""
        inner = features if self.expand is None else functional.relu6(self.expand(features), inplace=True)
        result = self.project(functional.relu6(self.depthwise(inner), inplace=True))
        return result + features if self._residual else result


class EfficientNetLite0(nn.Module):
    """The encoder: no squeeze-and-excite, ReLU6, batch norms folded into the convolutions before them.

    A grey slice stands for three equal colours, so the stem's three input channels are summed into one. 3.0 million
    parameters.

    Source:
        Tan and Le, EfficientNet, ICML 2019; the Lite variants: TensorFlow's model garden, Apache-2.0.

    Example:
        >>> [tuple(map.shape) for map in EfficientNetLite0()(torch.rand(1, 1, 64, 64))]
        [(1, 16, 32, 32), (1, 24, 16, 16), (1, 40, 8, 8), (1, 112, 4, 4), (1, 320, 2, 2)]
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv2d(1, _STEM, 3, 2)
        self.blocks = nn.ModuleList()
        # The last block of every resolution is where its features are taken.
        self._taps: list[int] = []
        channels = _STEM
        for stage in STAGES:
            if stage.stride > 1:
                self._taps.append(len(self.blocks) - 1)
            for number in range(stage.blocks):
                stride = stage.stride if number == 0 else 1
                self.blocks.append(InvertedResidual(channels, stage.channels, stage.kernel, stride, stage.expansion))
                channels = stage.channels
        self._taps.append(len(self.blocks) - 1)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features at strides 2, 4, 8, 16 and 32.

        Args:
            image: ``(N, 1, H, W)`` in [0, 1]; H and W are multiples of 32.

        Returns:
            Five maps, ``(N, FEATURES[i], H / 2^(i+1), W / 2^(i+1))``.
        """
        # The range that the published weights were trained with.
        features = functional.relu6(self.stem((image * 255 - 127) / 128), inplace=True)
        maps = []
        for number, block in enumerate(self.blocks):
            features = block(features)
            if number in self._taps:
                maps.append(features)
        return maps
