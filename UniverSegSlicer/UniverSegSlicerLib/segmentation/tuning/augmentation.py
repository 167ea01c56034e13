"""Light augmentation of examples: the same structure, a little turned, moved, larger, brighter or noisier."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_DEGREES = 15.0
_SCALE = 0.12
_SHIFT = 0.05
_BRIGHTNESS = 0.1
_CONTRAST = 0.3
_GAMMA = 0.35
_NOISE = 0.03


def augmented(images: Tensor, masks: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A changed copy of every example, each changed in its own way.

    There are no mirrored copies: in one task left and right, or up and down, often tell what is meant.

    Args:
        images: ``(n, 1, H, W)`` in [0, 1].
        masks: ``(n, 1, H, W)`` in [0, 1], turned and moved with them.
        generator: On the CPU; the same state gives the same copies on every device.

    Returns:
        The same shapes, in [0, 1]; outside of the picture there is 0.
    """
    count = len(images)

    def draw(*size: int) -> Tensor:
        return 2 * torch.rand(count, *size, generator=generator) - 1

    angle = draw() * math.radians(_DEGREES)
    scale = torch.exp(draw() * math.log1p(_SCALE))
    cosine, sine = torch.cos(angle) / scale, torch.sin(angle) / scale
    shift = draw(2) * 2 * _SHIFT
    rows = torch.stack([cosine, -sine, shift[:, 0], sine, cosine, shift[:, 1]], dim=1).view(count, 2, 3)
    grid = functional.affine_grid(rows.to(images.device), list(images.shape), align_corners=False)
    moved = [functional.grid_sample(planes, grid, align_corners=False) for planes in (images, masks)]
    brightness, contrast, gamma = draw() * _BRIGHTNESS, 1 + draw() * _CONTRAST, torch.exp(draw() * _GAMMA)
    strength = (draw().clamp(min=0) * _NOISE)[:, None, None, None]
    noise = torch.randn(images.shape, generator=generator) * strength
    brightness, contrast, gamma = (value[:, None, None, None].to(images) for value in (brightness, contrast, gamma))
    picture = moved[0].clamp(0, 1) ** gamma
    middle = picture.mean(dim=(1, 2, 3), keepdim=True)
    picture = (picture - middle) * contrast + middle + brightness + noise.to(images)
    return picture.clamp(0, 1), moved[1].clamp(0, 1)
