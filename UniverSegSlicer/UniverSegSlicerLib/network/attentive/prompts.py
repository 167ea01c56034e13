"""Clicks and priors as planes, and as prototypes: what pixels under them look like."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: Planes that prompts give every level of the decoder: the three themselves, and the likeness to each.
PROMPT_CHANNELS = 6

#: Standard deviation of a click's bump in pixels of the network's grid.
_SIGMA = 3.0
_RADIUS = 9

# A pixel counts for a prototype by how far its bump or its prior lies above these.
_CLICK_FLOOR = 0.3
_PRIOR_FLOOR = 0.5


def spread_clicks(clicks: Tensor) -> Tensor:
    """Gaussian bumps around clicks, so that a click of one pixel survives the way to coarse grids.

    Args:
        clicks: ``(N, C, H, W)``, 1 at a click and 0 elsewhere; painted strokes are legal.

    Returns:
        The same shape, in [0, 1], 1 at every click.
    """
    if not bool(clicks.any()):
        return clicks
    steps = torch.arange(-_RADIUS, _RADIUS + 1, device=clicks.device, dtype=torch.float32)
    bell = torch.exp(-steps.square() / (2 * _SIGMA**2)).to(clicks.dtype)
    flat = clicks.flatten(0, 1)[:, None]
    flat = functional.conv2d(flat, bell[None, None, :, None], padding=(_RADIUS, 0))
    flat = functional.conv2d(flat, bell[None, None, None, :], padding=(0, _RADIUS))
    return flat[:, 0].unflatten(0, clicks.shape[:2]).clamp(max=1)


def prompt_maps(prompts: Tensor, normal: Tensor) -> Tensor:
    """The prompts on the grid of one level, and where the query looks like what lies under them.

    Args:
        prompts: Bumps of positive and negative clicks, and the prior, ``(N, 3, H, W)`` in [0, 1].
        normal: The query's normalised features, ``(N, C, h, w)``.

    Returns:
        ``(N, PROMPT_CHANNELS, h, w)``: the three prompts, then the cosine of every position with the mean feature
        under positive clicks, negative clicks and prior; zeros where there is none.
    """
    grid = normal.shape[-2:]
    planes = torch.cat(
        [functional.adaptive_max_pool2d(prompts[:, :2], grid), functional.adaptive_avg_pool2d(prompts[:, 2:], grid)], 1
    )
    floors = planes.new_tensor([_CLICK_FLOOR, _CLICK_FLOOR, _PRIOR_FLOOR])[:, None, None]
    weights = (planes - floors).clamp(min=0).float()
    features = normal.float()
    area = weights.sum(dim=(2, 3))
    prototypes = torch.einsum("nphw,nchw->npc", weights, features) / (area[..., None] + 1e-4)
    likeness = torch.einsum(
        "npc,nchw->nphw", functional.normalize(prototypes, dim=-1), functional.normalize(features, dim=1)
    )
    likeness = likeness * (area > 1e-3)[..., None, None]
    return torch.cat([planes, likeness.to(planes.dtype)], dim=1)
