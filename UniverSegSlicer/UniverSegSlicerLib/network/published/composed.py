"""Two convolutions with nothing in between, as one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .kernels import laid_out


@dataclass(frozen=True)
class ComposedConvolution:
    """A 3 x 3 convolution of few channels and the one behind it, both zero-padded and without bias, as one of 5 x 5.

    The two-step form sees zeros around the image twice, so the outermost pixels differ from those of the composed
    kernel: :meth:`__call__` computes these in two steps. The result is exact everywhere.

    Args:
        kernel: (C_out, C_in', 5, 5); C_in filled up with zeros to a multiple of 4, as fast kernels want.
        inner: (C, C_in, 3, 3), the first convolution.
        outer: (C_out, C, 3, 3), the second.
    """

    kernel: Tensor
    inner: Tensor
    outer: Tensor

    @classmethod
    def of(cls, inner: Tensor, outer: Tensor, device: torch.device, dtype: torch.dtype) -> ComposedConvolution:
        """Compose two kernels, in double precision."""
        inner, outer = inner.detach().double(), outer.detach().double()
        # Correlating one kernel with the other, mirrored, composes the two.
        kernel = functional.conv2d(inner.transpose(0, 1), outer.flip(2, 3), padding=2).transpose(0, 1)
        kernel = functional.pad(kernel, (0, 0, 0, 0, 0, -inner.shape[1] % 4))
        return cls(*(laid_out(x, device, dtype) for x in (kernel, inner, outer)))

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) with H and W at least 3 -> (N, C_out, H, W), channels last."""
        filled = functional.pad(x, (0, 0, 0, 0, 0, self.kernel.shape[1] - x.shape[1]))
        result = functional.conv2d(filled.contiguous(memory_format=torch.channels_last), self.kernel, padding=2)
        result[:, :, :1] = self._edge(x[:, :, :3], -2, 0)
        result[:, :, -1:] = self._edge(x[:, :, -3:], -2, 1)
        result[..., :1] = self._edge(x[..., :3], -1, 0)
        result[..., -1:] = self._edge(x[..., -3:], -1, 1)
        return result

    def _edge(self, strip: Tensor, axis: int, end: int) -> Tensor:
        """The outermost row or column in two steps, from the three outermost at that ``end`` (0 or 1) of ``axis``."""
        between = functional.conv2d(strip.contiguous(memory_format=torch.channels_last), self.inner, padding=1)
        # Of the three the innermost lacks its neighbour; the zeros outside are the second convolution's.
        between = between.narrow(axis, end, 2)
        zeros = {(-2, 0): (0, 0, 1, 0), (-2, 1): (0, 0, 0, 1), (-1, 0): (1, 0, 0, 0), (-1, 1): (0, 1, 0, 0)}
        between = functional.pad(between, zeros[axis, end])
        return functional.conv2d(between, self.outer, padding=(0, 1) if axis == -2 else (1, 0))
