"""How neighbouring slices map onto one another: deformable registration, many pairs of slices at once (torch)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Registration goes from coarse to fine: pixels per pixel of the finest level, and steps on that level.
_LEVELS = ((4, 10), (2, 10), (1, 6))
# Gaussians in pixels: of an update (as in a fluid) and of the whole field (as in a membrane).
_FLUID_SIGMA, _FIELD_SIGMA = 1.0, 1.2
# Difference of intensity that counts as noise, and the longest step in pixels.
_NOISE, _LONGEST_STEP = 0.02, 1.5
# Width in pixels over which brightness and contrast are evened out, and the contrast that counts as none.
_NORM_SIGMA, _NO_CONTRAST = 4.0, 0.03
# Pairs of slices that are registered at once; it bounds the memory.
_PAIRS = 64
_INVERSION_STEPS = 3


def even_contrast(images: Tensor) -> Tensor:
    """Images (N, 1, S, S) with local mean 0 and local contrast alike everywhere.

    Registration compares edges then: it is not led by a bright vessel, and sees faint borders in a wide window.
    """
    mean = blurred(images, _NORM_SIGMA)
    centred = images - mean
    deviation = blurred(centred.square(), _NORM_SIGMA).clamp(min=0).sqrt()
    return centred / (4 * (deviation + _NO_CONTRAST))


def fields_to_previous(images: Tensor, between: Callable[[], None] = lambda: None) -> Tensor:
    """Displacement fields (N - 1, 2, S, S) from each slice but the first to the one before it, in pixels (x, y).

    Demons with symmetric forces (Thirion 1998; Vercauteren et al., NeuroImage 2009), from coarse to fine.

    Args:
        images: (N, 1, S, S), from :func:`even_contrast`.
        between: Called before every group of pairs; it may raise to stop.
    """
    import torch

    if len(images) < 2:
        return images.new_zeros(0, 2, *images.shape[-2:])
    parts = []
    for start in range(0, len(images) - 1, _PAIRS):
        between()
        here = images[start + 1 : start + 1 + _PAIRS]
        parts.append(_register(here, images[start : start + len(here)]))
    return torch.cat(parts)


def inverse(fields: Tensor) -> Tensor:
    """Fields that undo fields (N, 2, S, S), by fixed-point iteration (Chen et al., Med Phys 2008)."""
    back = -fields
    for _ in range(_INVERSION_STEPS):
        back = -warped(fields, back)
    return back


def chained(first: Tensor, then: Tensor) -> Tensor:
    """The field of going along one field and then, from there, along another; all (N, 2, S, S)."""
    return first + warped(then, first)


def resized(fields: Tensor, size: int) -> Tensor:
    """Fields on a grid of another number of pixels; lengths are in pixels of the grid."""
    from torch.nn import functional

    if fields.shape[-1] == size:
        return fields
    scaled = functional.interpolate(fields, size=(size, size), mode="bilinear", align_corners=False)
    return scaled * (size / fields.shape[-1])


def warped(images: Tensor, fields: Tensor) -> Tensor:
    """``images`` (N, C, S, S) looked up at x + field(x), linearly; beyond the rim, the rim goes on."""
    import torch
    from torch.nn import functional

    rows, cols = fields.shape[-2:]
    x = torch.arange(cols, dtype=fields.dtype, device=fields.device)
    y = torch.arange(rows, dtype=fields.dtype, device=fields.device)[:, None]
    place = torch.stack([(2 * (x + fields[:, 0]) + 1) / cols - 1, (2 * (y + fields[:, 1]) + 1) / rows - 1], dim=-1)
    return functional.grid_sample(images, place, mode="bilinear", padding_mode="border", align_corners=False)


def blurred(images: Tensor, sigma: float) -> Tensor:
    """Gaussian mean of images (N, C, S, S); ``sigma`` in pixels, the rim repeated."""
    import torch
    from torch.nn import functional

    reach = max(1, math.ceil(2.5 * sigma))
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device) / sigma) ** 2)
    weights = weights / weights.sum()
    flat = images.reshape(-1, 1, *images.shape[-2:])
    flat = functional.conv2d(functional.pad(flat, (reach, reach, 0, 0), mode="replicate"), weights.view(1, 1, 1, -1))
    flat = functional.conv2d(functional.pad(flat, (0, 0, reach, reach), mode="replicate"), weights.view(1, 1, -1, 1))
    return flat.reshape(images.shape)


def _register(fixed: Tensor, moving: Tensor) -> Tensor:
    """Fields u (N, 2, S, S) with moving(x + u(x)) like fixed(x)."""
    import torch
    from torch.nn import functional

    size = fixed.shape[-1]
    field = None
    for coarse, steps in _LEVELS:
        here = functional.avg_pool2d(fixed, coarse) if coarse > 1 else fixed
        there = functional.avg_pool2d(moving, coarse) if coarse > 1 else moving
        field = here.new_zeros(len(here), 2, *here.shape[-2:]) if field is None else resized(field, size // coarse)
        slope = _gradient(here)
        for _ in range(steps):
            moved = warped(there, field)
            difference = here - moved
            force = (slope + _gradient(moved)) / 2
            length = force.square().sum(dim=1, keepdim=True) + difference.square() + _NOISE**2
            step = torch.clamp(difference * force / length, -_LONGEST_STEP, _LONGEST_STEP)
            field = blurred(field + blurred(step, _FLUID_SIGMA), _FIELD_SIGMA)
    assert field is not None
    return field


def _gradient(images: Tensor) -> Tensor:
    """Central differences (x, y) per pixel of images (N, 1, S, S), 0 at the rim: (N, 2, S, S)."""
    import torch

    slope = torch.zeros(len(images), 2, *images.shape[-2:], dtype=images.dtype, device=images.device)
    slope[:, :1, :, 1:-1] = (images[..., 2:] - images[..., :-2]) / 2
    slope[:, 1:, 1:-1, :] = (images[..., 2:, :] - images[..., :-2, :]) / 2
    return slope
