"""3 x 3 convolutions for inference, on processors with a third of the multiplications saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

# Winograd's minimal filtering F(4, 3) along the rows: six products make four outputs of three taps each, where the
# plain form takes twelve. This takes the three taps to the six factors (points 0, 1, -1, 2, -2, infinity); the sums on
# the way in and out stand in _to_products and _from_products.
_TAPS_TO_FACTORS = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)

#: With fewer values than this the sums cost more than the multiplications that they save.
_FEWEST_VALUES = 1 << 17


@dataclass(frozen=True)
class Kernel:
    """The kernel of a zero-padded 3 x 3 convolution.

    Args:
        plain: (C_out, C_in, 3, 3), channels last.
        factors: Six kernels (C_out, C_in, 1, 3) for Winograd's form, or empty where the plain form is as fast.

    Source:
        Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016.
    """

    plain: Tensor
    factors: tuple[Tensor, ...] = ()

    @classmethod
    def of(cls, weight: Tensor, device: torch.device, dtype: torch.dtype) -> Kernel:
        """Lay out ``weight`` (C_out, C_in, 3, 3) for ``device`` and ``dtype``, detached from its source."""
        weight = weight.detach()
        plain = laid_out(weight, device, dtype)
        # GPUs choose such forms themselves, and half precision has no digits to spare for the sums.
        if device.type != "cpu" or dtype != torch.float32 or weight.shape[1] % 8 or weight.shape[0] % 8:
            return cls(plain)
        matrix = torch.tensor(_TAPS_TO_FACTORS, dtype=torch.float64)
        factors = torch.einsum("kr,oirc->koic", matrix, weight.double()).unsqueeze(3)
        return cls(plain, tuple(laid_out(factor, device, dtype) for factor in factors))


def convolve(parts: Sequence[Tensor], kernels: Sequence[Kernel], bias: Tensor | None = None) -> Tensor:
    """The sum over ``parts`` of their convolutions, which is the convolution of all of them side by side.

    Args:
        parts: Tensors (N, C_k, H, W).
        kernels: One for each part.
        bias: (C_out,) or None.

    Returns:
        (N, C_out, H, W), channels last.
    """
    small = parts[0].numel() < _FEWEST_VALUES
    if small or parts[0].shape[2] % 4 or not all(kernel.factors for kernel in kernels):
        result = functional.conv2d(parts[0], kernels[0].plain, bias, padding=1)
        for part, kernel in zip(parts[1:], kernels[1:], strict=True):
            result += functional.conv2d(part, kernel.plain, padding=1)
        return result
    products: list[Tensor] = []
    for part, kernel in zip(parts, kernels, strict=True):
        for index, (rows_in, factor) in enumerate(zip(_to_products(part), kernel.factors, strict=True)):
            # A constant in the second product comes out in every row once.
            constant = bias if index == 1 and len(products) < len(kernel.factors) else None
            product = functional.conv2d(rows_in, factor, constant, padding=(0, 1))
            if len(products) < len(kernel.factors):
                products.append(product)
            else:
                products[index] += product
    return _from_products(products)


def laid_out(x: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A detached copy on ``device`` in ``dtype``, channels last if it has four axes."""
    layout = torch.channels_last if x.ndim == 4 else torch.contiguous_format
    return x.detach().to(device=device, dtype=dtype, memory_format=layout, copy=True)


def _to_products(x: Tensor) -> tuple[Tensor, ...]:
    """Six sums of the rows 4j - 1 to 4j + 4 for every j, zeros around: (N, C, H, W) -> 6 times (N, C, H/4, W)."""
    # d0 to d5 are those rows; d0 is d4 one j later, d5 is d1 one j earlier.
    d1, d2, d3, d4 = (x[:, :, offset::4] for offset in range(4))
    even = torch.sub(d4, d2, alpha=4)
    odd = torch.sub(d3, d1, alpha=4)
    first = even + odd  # -4 d1 - 4 d2 + d3 + d4
    second = even.sub_(odd)  # 4 d1 - 4 d2 - d3 + d4
    even = d4 - d2
    odd = d3 - d1
    third = torch.add(even, odd, alpha=2)  # -2 d1 - d2 + 2 d3 + d4
    fourth = torch.sub(even, odd, alpha=2)  # 2 d1 - d2 - 2 d3 + d4
    zeroth = even.sub_(d2, alpha=4)  # 4 d0 - 5 d2 + d4
    zeroth[:, :, 1:].add_(d4[:, :, :-1], alpha=4)
    fifth = odd.mul_(-4).sub_(d3)  # 4 d1 - 5 d3 + d5
    fifth[:, :, :-1].add_(d1[:, :, 1:])
    return zeroth, first, second, third, fourth, fifth


def _from_products(products: list[Tensor]) -> Tensor:
    """The four rows of every j from its six products, which are overwritten: 6 times (N, C, h, W) -> (N, C, 4h, W)."""
    m0, m1, m2, m3, m4, m5 = products
    count, channels, rows, columns = m0.shape
    result = m0.new_empty((count, 4 * rows, columns, channels)).permute(0, 3, 1, 2)
    sum_of_ones, difference_of_ones = m1 + m2, m1.sub_(m2)
    sum_of_twos, difference_of_twos = m3 + m4, m3.sub_(m4)
    torch.add(m0.add_(sum_of_ones), sum_of_twos, out=result[:, :, 0::4])
    torch.add(difference_of_ones, difference_of_twos, alpha=2, out=result[:, :, 1::4])
    torch.add(sum_of_ones, sum_of_twos, alpha=4, out=result[:, :, 2::4])
    torch.add(m5.add_(difference_of_ones), difference_of_twos, alpha=8, out=result[:, :, 3::4])
    return result


def downsample(x: Tensor) -> Tensor:
    """The maximum of every 2 x 2, without the indices that training needs: (N, C, H, W) -> (N, C, H/2, W/2)."""
    if x.device.type != "cpu":
        return functional.max_pool2d(x, 2)
    x = torch.maximum(x[:, :, 0::2], x[:, :, 1::2])
    return torch.maximum(x[..., 0::2], x[..., 1::2])
