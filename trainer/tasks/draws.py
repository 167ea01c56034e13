"""Random numbers on a device from one generator, so that a run can be repeated and resumed bit for bit."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(generator: torch.Generator, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> Tensor:
    """float32 values of ``shape``, uniform in [low, high), on the generator's device."""
    values = torch.rand(shape, generator=generator, device=generator.device)
    return values * (high - low) + low


def normal(generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
    """float32 standard normal values of ``shape`` on the generator's device."""
    return torch.randn(shape, generator=generator, device=generator.device)


def coin(generator: torch.Generator, shape: tuple[int, ...], probability: float) -> Tensor:
    """Booleans of ``shape``, true with ``probability``."""
    return torch.rand(shape, generator=generator, device=generator.device) < probability


def smooth_noise(generator: torch.Generator, shape: tuple[int, int], coarse: int, side: int) -> Tensor:
    """Normal noise on a ``coarse`` grid, bicubically enlarged to ``(*shape, side, side)``; about unit variance."""
    count, channels = shape
    small = torch.randn((count, channels, coarse, coarse), generator=generator, device=generator.device)
    if coarse == side:
        return small
    return torch.nn.functional.interpolate(small, size=(side, side), mode="bicubic", align_corners=True)
