"""Where every pixel of an augmented image comes from: flips, affine and elastic maps composed into one sampling.

Composing first and sampling once costs one interpolation per image instead of one per operation, and blurs once.
"""

from __future__ import annotations

import math

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional as F

from ..draws import coin, uniform
from .table import AugmentationTable, Operations

#: Side of the grid on which elastic fields are drawn; their sigma of 6 px at 128 is 1.5 px there.
_ELASTIC_SIDE = 32


def sampling_grid(
    table: AugmentationTable, base: Tensor, side: int, generator: torch.Generator, *, in_task_affine: bool = True
) -> Tensor:
    """Sampling positions for :func:`torch.nn.functional.grid_sample` (``align_corners=False``).

    Args:
        table: Probabilities and ranges.
        base: Maps output to input in normalised coordinates (x, y) before any augmentation, ``(T, n, 2, 3)``: the
            identity, or a zoom to a region of interest.
        side: Pixels of a side of the output.
        generator: On the device of ``base``.

    Returns:
        ``(T * n, side, side, 2)``.
    """
    tasks, count = base.shape[:2]
    shared = _affine(table.task, (tasks, 1), generator) @ _flips(table.task, tasks, generator)
    own = _affine(table.in_task, (tasks, count), generator)
    if not in_task_affine:
        own = torch.eye(3, device=base.device).expand_as(own)
    full = torch.cat([base, base.new_tensor([0.0, 0.0, 1.0]).expand(tasks, count, 1, 3)], dim=-2)
    matrix = (full @ own @ shared)[..., :2, :].reshape(tasks * count, 2, 3)
    steps = (torch.arange(side, device=base.device, dtype=torch.float32) * 2 + 1) / side - 1
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    positions = torch.stack([columns, rows], dim=-1).expand(tasks * count, side, side, 2)
    field = _elastic(table.task, tasks, generator).repeat_interleave(count, 0)
    field = field + _elastic(table.in_task, tasks * count, generator)
    if bool((field != 0).any()):
        enlarged = F.interpolate(field, size=(side, side), mode="bilinear", align_corners=False)
        positions = positions + enlarged.permute(0, 2, 3, 1)
    linear = matrix[:, :, :2].transpose(1, 2)
    return positions.reshape(tasks * count, -1, 2).bmm(linear).add_(matrix[:, None, :, 2]).reshape(-1, side, side, 2)


def warp(images: Tensor, grid: Tensor) -> Tensor:
    """Bilinear sampling of ``(n, C, H, W)`` at ``grid (n, side, side, 2)``; zero outside (masks become soft)."""
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _affine(operations: Operations, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Output-to-input maps ``(*shape, 3, 3)``; the identity where the coin says no."""
    angle = uniform(generator, shape, *operations.rotation) * (math.pi / 180)
    scale = 1.0 / uniform(generator, shape, *operations.scale)
    signs = coin(generator, (*shape, 2), 0.5).float() * 2 - 1
    # A share of the side is twice that in normalised coordinates, which run from -1 to 1.
    shift = 2 * uniform(generator, (*shape, 2), *operations.translation) * signs
    matrix = torch.zeros((*shape, 3, 3), device=generator.device)
    matrix[..., 0, 0] = matrix[..., 1, 1] = torch.cos(angle) * scale
    matrix[..., 0, 1] = -torch.sin(angle) * scale
    matrix[..., 1, 0] = torch.sin(angle) * scale
    matrix[..., :2, 2] = shift
    matrix[..., 2, 2] = 1
    apply = coin(generator, shape, operations.affine_p)
    return torch.where(apply[..., None, None], matrix, torch.eye(3, device=generator.device))


def _flips(operations: Operations, tasks: int, generator: torch.Generator) -> Tensor:
    """Mirror maps ``(tasks, 1, 3, 3)``."""
    diagonal = torch.ones((tasks, 3), device=generator.device)
    diagonal[:, 0] -= 2 * coin(generator, (tasks,), operations.horizontal_flip_p).float()
    diagonal[:, 1] -= 2 * coin(generator, (tasks,), operations.vertical_flip_p).float()
    return torch.diag_embed(diagonal)[:, None]


def _elastic(operations: Operations, count: int, generator: torch.Generator) -> Tensor:
    """Displacements ``(count, 2, 32, 32)`` in normalised coordinates: blurred uniform noise times alpha.

    The table's alpha and sigma hold for 128 pixels; drawn on a smaller grid, both shrink with it, which leaves the
    field's size relative to the image as it was.
    """
    fields = torch.zeros((count, 2, _ELASTIC_SIDE, _ELASTIC_SIDE), device=generator.device)
    chosen = coin(generator, (count,), operations.elastic_p).nonzero()[:, 0]
    if len(chosen) == 0:
        return fields
    shrink = _ELASTIC_SIDE / 128
    alpha = uniform(generator, (len(chosen), 1, 1, 1), *operations.elastic_alpha) * shrink
    sigma = uniform(generator, (len(chosen), 1), *operations.elastic_sigma).expand(-1, 2) * shrink
    noise = uniform(generator, (len(chosen), 2, _ELASTIC_SIDE, _ELASTIC_SIDE), -1.0, 1.0)
    fields[chosen] = gaussian_blur2d(noise, (13, 13), sigma) * alpha
    return fields
