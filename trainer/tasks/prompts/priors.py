"""Prior planes: what a neighbouring slice, an interpolation or an earlier answer would say about a query."""

from __future__ import annotations

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor

from ..augmentation.geometry import warp
from ..draws import coin, smooth_noise, uniform


def disturb(masks: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    """Imperfect copies of masks: shifted, bent, grown or shrunk, with a bite taken out now and then, hard or soft.

    Args:
        masks: ``(n, 1, H, W)`` in [0, 1].
        strength: ``(n,)`` in [0, 1]; 0 leaves the mask as it is, 1 moves its border by about an eighth of the side.

    Returns:
        Probabilities ``(n, 1, H, W)``.
    """
    count, _, rows, _ = masks.shape
    if count == 0:
        return masks
    scale = strength.reshape(-1, 1, 1, 1)
    bend = smooth_noise(generator, (count, 2), 5, rows) * 0.10 * scale
    shift = (uniform(generator, (count, 2, 1, 1), -1, 1)) * 0.15 * scale
    steps = (torch.arange(rows, device=masks.device, dtype=torch.float32) * 2 + 1) / rows - 1
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    grid = torch.stack([x, y], dim=-1)[None] + (bend + shift).permute(0, 2, 3, 1)
    moved = warp(masks, grid)
    # A blur and another threshold than a half grow or shrink what is there.
    sigma = (0.3 + uniform(generator, (count, 1), 0, 1) * strength[:, None] * rows / 24).expand(-1, 2)
    kernel = max(3, rows // 8) | 1
    blurred = gaussian_blur2d(moved, (kernel, kernel), sigma)
    threshold = 0.5 + uniform(generator, (count, 1, 1, 1), -0.35, 0.35) * scale.clamp(max=1)
    softness = uniform(generator, (count, 1, 1, 1), 0.02, 0.25)
    result = torch.sigmoid((blurred - threshold) / softness * 4)
    bite = coin(generator, (count, 1, 1, 1), 0.25) & (scale > 0)
    holes = smooth_noise(generator, (count, 1), 4, rows) > 1.0
    result = torch.where(bite & holes, result * 0.1, result)
    binary = coin(generator, (count, 1, 1, 1), 0.4)
    return torch.where(binary, (result > 0.5).float(), result)
