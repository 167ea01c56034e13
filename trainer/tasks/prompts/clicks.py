"""Simulated clicks, batched on the device."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from ..draws import uniform

#: How a click's place in its region is chosen: anywhere, deepest inside, or along the border.
KINDS = ("random", "centre", "border")


def depth_inside(region: Tensor, steps: int | None = None) -> Tensor:
    """Chessboard distance to the outside of boolean regions ``(n, 1, H, W)``; 0 outside, at most ``steps``."""
    steps = steps or max(region.shape[-2:]) // 4
    current = region.float()
    depth = current.clone()
    for _ in range(steps - 1):
        # Erosion; outside the image counts as outside of the region.
        current = -F.max_pool2d(-F.pad(current, (1, 1, 1, 1)), 3, stride=1)
        depth += current
    return depth


def place_clicks(region: Tensor, generator: torch.Generator, kinds: Tensor | None = None) -> Tensor:
    """One click in each region.

    Args:
        region: Boolean ``(n, 1, H, W)``; where a region is empty no click is made.
        generator: On the regions' device.
        kinds: Index into :data:`KINDS` for each region, ``(n,)``; None draws them.

    Returns:
        ``(n, 1, H, W)`` float32, 1 at the click and 0 elsewhere.
    """
    count, _, rows, columns = region.shape
    if kinds is None:
        kinds = torch.randint(len(KINDS), (count,), generator=generator, device=region.device)
    noise = uniform(generator, (count, 1, rows, columns), 0.0, 0.5)
    score = noise + region.float()
    deep = kinds == 1
    if bool(deep.any()):
        score[deep] = noise[deep] * region[deep] + depth_inside(region[deep])
    border = kinds == 2
    if bool(border.any()):
        inner = depth_inside(region[border], 2)
        score[border] = noise[border] + (inner == 1).float() + 0.25 * (inner > 1).float()
    flat = torch.where(region, score, torch.zeros_like(score)).flatten(1)
    clicks = torch.zeros_like(flat)
    clicks.scatter_(1, flat.argmax(dim=1, keepdim=True), 1.0)
    some = region.flatten(1).any(dim=1, keepdim=True)
    return (clicks * some).reshape(region.shape)


def correction_regions(probability: Tensor | None, target: Tensor) -> tuple[Tensor, Tensor]:
    """Missed and wrongly added pixels as boolean ``(n, 1, H, W)``; without a prediction all of the object is missed."""
    truth = target > 0.5
    if probability is None:
        return truth, torch.zeros_like(truth)
    answer = probability > 0.5
    return truth & ~answer, answer & ~truth


def middle_of_largest(region: Tensor) -> Tensor:
    """One click in each region, at the deepest point of its largest connected part: what a careful user does.

    Nothing is drawn at random, and the same protocol is the usual one for interactive segmentation (Xu et al., Deep
    Interactive Object Selection, CVPR 2016), so figures that are made with it can be compared.

    Args:
        region: Boolean ``(n, 1, H, W)``; where a region is empty no click is made.

    Returns:
        ``(n, 1, H, W)`` float32, 1 at the click and 0 elsewhere.
    """
    clicks = np.zeros(region.shape, np.float32)
    for mask, click in zip(region[:, 0].cpu().numpy(), clicks[:, 0], strict=True):
        parts, count = ndimage.label(mask)
        if count:
            largest = parts == 1 + np.bincount(parts[mask] - 1).argmax()
            # Outside of the image counts as outside of the region.
            depth = ndimage.distance_transform_edt(np.pad(largest, 1))[1:-1, 1:-1]
            click[np.unravel_index(depth.argmax(), depth.shape)] = 1
    return torch.from_numpy(clicks).to(region.device)


def correct(
    probability: Tensor | None,
    target: Tensor,
    positive: Tensor,
    negative: Tensor,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor]:
    """One more click where the larger error is: in what was missed, or in what was wrongly added.

    Args:
        probability: Prediction ``(n, 1, H, W)``, or None before the first one.
        target: Truth ``(n, 1, H, W)`` in [0, 1].
        positive: Positive clicks so far, same shape; the same for ``negative``.
        generator: Draws the click's place in the error; None: the middle of the largest connected error, be it missed
            or added.

    Returns:
        The new planes.
    """
    if generator is None:
        click = middle_of_largest(torch.logical_or(*correction_regions(probability, target)))
        inside = target > 0.5
        return torch.maximum(positive, click * inside), torch.maximum(negative, click * ~inside)
    missed, added = correction_regions(probability, target)
    more_missed = missed.sum(dim=(1, 2, 3)) >= added.sum(dim=(1, 2, 3))
    choose = more_missed[:, None, None, None]
    click = place_clicks(torch.where(choose, missed, added), generator)
    new_positive = torch.where(choose, torch.maximum(positive, click), positive)
    new_negative = torch.where(choose, negative, torch.maximum(negative, click))
    return new_positive, new_negative


def first_clicks(
    prior: Tensor, has_prior: Tensor, target: Tensor, most: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Clicks before any prediction of the network: on the prior's errors where there is one, else on the object.

    Each query gets 1 to ``most`` clicks; without a prior, a negative click beside the object follows at times.

    Args:
        prior: ``(n, 1, H, W)``; has_prior: ``(n,)`` boolean; target: ``(n, 1, H, W)``.
    """
    positive, negative = torch.zeros_like(target), torch.zeros_like(target)
    wanted = torch.randint(1, most + 1, (len(target),), generator=generator, device=target.device)
    missed, added = correction_regions(prior, target)
    known = has_prior[:, None, None, None]
    object_ = target > 0.5
    around = (F.max_pool2d(target, 9, stride=1, padding=4) > 0.5) & ~object_
    for turn in range(most):
        active = (wanted > turn)[:, None, None, None]
        toss = uniform(generator, (len(target), 1, 1, 1)) < 0.6
        pick_positive = torch.where(
            known, missed.sum((1, 2, 3), keepdim=True) >= added.sum((1, 2, 3), keepdim=True), toss
        )
        inside = torch.where(known & missed.flatten(1).any(1)[:, None, None, None], missed, object_) & (positive == 0)
        outside = torch.where(known & added.flatten(1).any(1)[:, None, None, None], added, around) & (negative == 0)
        click = place_clicks(torch.where(pick_positive, inside, outside), generator) * active
        positive = torch.where(pick_positive, torch.maximum(positive, click), positive)
        negative = torch.where(pick_positive, negative, torch.maximum(negative, click))
        # A corrected neighbourhood needs no second click.
        near = F.max_pool2d(click, 5, stride=1, padding=2) > 0
        missed, added = missed & ~near, added & ~near
    return positive, negative
