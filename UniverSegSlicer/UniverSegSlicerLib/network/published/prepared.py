"""The weights of a network laid out for inference on one device in one precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks import NEGATIVE_SLOPE, CrossBlock
from .composed import ComposedConvolution
from .kernels import Kernel, convolve, laid_out
from .model import UniverSeg


@dataclass(frozen=True)
class PreparedBlock:
    """One cross block.

    Args:
        query_kernels: The query's half of the cross convolution, one kernel for each part of its input.
        support_kernels: The support's half, likewise.
        cross_bias: Bias of the cross convolution, (C,).
        target: Kernel and bias of the convolution that gives the new query features.
        support: Kernel and bias of the convolution that gives the new support features.
        cross_activation: Whether LeakyReLU follows the cross convolution.
        normalize: Whether both results are normalised.
    """

    query_kernels: tuple[Kernel, ...]
    support_kernels: tuple[Kernel, ...]
    cross_bias: Tensor
    target: tuple[Kernel, Tensor]
    support: tuple[Kernel, Tensor]
    cross_activation: bool
    normalize: bool

    @property
    def features(self) -> int:
        """Channels of its results."""
        return self.cross_bias.shape[0]

    def activate(self, x: Tensor) -> Tensor:
        """LeakyReLU in place, then the normalisation if there is one."""
        x = functional.leaky_relu_(x, NEGATIVE_SLOPE)
        return functional.group_norm(x, 1) if self.normalize else x

    def convolve_target(self, x: Tensor) -> Tensor:
        """The new query features from the mean of the crossed features."""
        kernel, bias = self.target
        return self.activate(convolve([x], [kernel], bias))


@dataclass(frozen=True)
class FirstBlock:
    """What the first block computes before its first activation, where nothing non-linear comes earlier.

    Args:
        query: The query's planes to what they add before the activation of the query's features (the first C
            channels) and of the support's features (the last C).
        support: The planes of a support element to what they add before the activation of the support's features.
        mean_support: The mean planes to what they add before the activation of the query's features.
        bias: (2C, 1, 3, 3), a plane of ones to what the cross convolution's bias adds to both.
        constant: (2C,), the biases behind.
    """

    query: ComposedConvolution
    support: ComposedConvolution
    mean_support: ComposedConvolution
    bias: Tensor
    constant: Tensor

    @classmethod
    def of(cls, block: CrossBlock, device: torch.device, dtype: torch.dtype) -> FirstBlock:
        """Compose the convolutions of ``block``."""
        target, support = block.query_conv, block.support_conv
        both = torch.cat([target.weight, support.weight])
        bias = (both.detach().double() * block.cross_conv.bias.detach().double()[None, :, None, None]).sum(1, True)
        return cls(
            ComposedConvolution.of(block.query_weight, both, device, dtype),
            ComposedConvolution.of(block.support_weight, support.weight, device, dtype),
            ComposedConvolution.of(block.support_weight, target.weight, device, dtype),
            laid_out(bias, device, dtype),
            laid_out(torch.cat([target.bias, support.bias]), device, dtype),
        )

    def biases(self, rows: int, columns: int) -> Tensor:
        """What all biases add before the activations, (1, 2C, rows, columns)."""
        ones = self.bias.new_ones((1, 1, rows, columns))
        return functional.conv2d(ones, self.bias, self.constant, padding=1).contiguous(
            memory_format=torch.channels_last
        )


@dataclass(frozen=True)
class PreparedNetwork:
    """All weights of a network, detached, in channels-last order.

    Args:
        encoder: Blocks downwards.
        decoder: Blocks upwards.
        first: The first block's convolutions composed; None with cross activation, or where that block is the only one.
        output: Kernel and bias of the last, 1 x 1, convolution, in float32.
        device: Where they are.
        dtype: Type of weights and features.
    """

    encoder: tuple[PreparedBlock, ...]
    decoder: tuple[PreparedBlock, ...]
    first: FirstBlock | None
    output: tuple[Tensor, Tensor]
    device: torch.device
    dtype: torch.dtype

    @classmethod
    def of(cls, network: UniverSeg, device: torch.device, dtype: torch.dtype) -> PreparedNetwork:
        """Lay out the weights of ``network``; later changes of it do not reach the copy."""
        architecture = network.architecture
        composed = not architecture.cross_activation and len(network.enc_blocks) > 1
        final = network.out_conv["conv"]
        return cls(
            encoder=tuple(_prepared(block, 0, device, dtype) for block in network.enc_blocks),
            decoder=tuple(
                _prepared(block, skip, device, dtype)
                for block, skip in zip(network.dec_blocks, architecture.decoder, strict=True)
            ),
            first=FirstBlock.of(network.enc_blocks[0], device, dtype) if composed else None,
            output=(laid_out(final.weight, device, torch.float32), laid_out(final.bias, device, torch.float32)),
            device=device,
            dtype=dtype,
        )

    @property
    def blocks(self) -> tuple[PreparedBlock, ...]:
        """All cross blocks in order."""
        return self.encoder + self.decoder


def _prepared(block: CrossBlock, skip: int, device: torch.device, dtype: torch.dtype) -> PreparedBlock:
    def kernel(weight: Tensor) -> Kernel:
        return Kernel.of(weight, device, dtype)

    def kernels(weight: Tensor) -> tuple[Kernel, ...]:
        sizes = [weight.shape[1] - skip, skip] if skip else [weight.shape[1]]
        return tuple(kernel(part) for part in weight.split(sizes, dim=1))

    def bias(conv: nn.Conv2d) -> Tensor:
        return laid_out(conv.bias, device, dtype)

    return PreparedBlock(
        query_kernels=kernels(block.query_weight),
        support_kernels=kernels(block.support_weight),
        cross_bias=bias(block.cross_conv),
        target=(kernel(block.query_conv.weight), bias(block.query_conv)),
        support=(kernel(block.support_conv.weight), bias(block.support_conv)),
        cross_activation=block.cross_activation,
        normalize=block.normalize,
    )
