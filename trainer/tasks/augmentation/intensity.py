"""Augmentation of grey values and labels, batched on the device; each operation works on the images drawn for it."""

from __future__ import annotations

import torch
from kornia.enhance import sharpness
from kornia.filters import gaussian_blur2d, sobel
from torch import Tensor

from ..draws import coin, normal, uniform
from .table import AugmentationTable, Operations

#: Evenly spaced grey values that a random curve gives new values.
_KNOTS = 6


def augment_intensity(images: Tensor, table: AugmentationTable, generator: torch.Generator) -> Tensor:
    """In-task, then task operations on ``(T, n, 1, H, W)`` in [0, 1]; noise is not clamped, as in the paper's code."""
    tasks, count = images.shape[:2]
    flat = images.reshape(tasks * count, 1, *images.shape[-2:])
    own = torch.arange(tasks * count, device=images.device)
    flat = _apply(flat, table.in_task, own, tasks * count, generator)
    shared = torch.arange(tasks, device=images.device).repeat_interleave(count)
    flat = _apply(flat, table.task, shared, tasks, generator)
    return flat.reshape(images.shape)


def augment_labels(labels: Tensor, table: AugmentationTable, generator: torch.Generator) -> Tensor:
    """Edges and inversion of soft labels ``(T, n, 1, H, W)``, alike for all images of a task."""
    tasks = labels.shape[0]
    edge = coin(generator, (tasks,), table.task.edge_p)
    if bool(edge.any()):
        chosen = labels[edge]
        magnitude = sobel(chosen.flatten(0, 1))
        # Scaled by each image's own maximum, so that one empty label does not change the others.
        peak = magnitude.amax(dim=(-2, -1), keepdim=True).clamp_min(1e-6)
        labels = labels.clone()
        labels[edge] = torch.where(peak > 1e-3, magnitude / peak, magnitude).reshape(chosen.shape)
    invert = coin(generator, (tasks,), table.task.invert_label_p).to(labels.dtype)[:, None, None, None, None]
    return labels + invert * (1 - 2 * labels)


def grey_curve(images: Tensor, heights: Tensor) -> Tensor:
    """Images ``(n, 1, H, W)`` in [0, 1] through one piecewise linear curve each.

    Args:
        heights: ``(n, knots)``: the new values of evenly spaced grey values from 0 to 1.
    """
    place = images.flatten(1) * (heights.shape[1] - 1)
    below = place.floor().clamp(0, heights.shape[1] - 2)
    low, high = heights.gather(1, below.long()), heights.gather(1, below.long() + 1)
    return torch.lerp(low, high, place - below).reshape(images.shape)


def _apply(images: Tensor, ops: Operations, group: Tensor, groups: int, generator: torch.Generator) -> Tensor:
    """One column of the table on ``(N, 1, H, W)``; images with the same ``group`` share their draws."""

    def chosen(probability: float) -> Tensor:
        return coin(generator, (groups,), probability)[group].nonzero()[:, 0]

    def drawn(low_high: tuple[float, float], rows: Tensor) -> Tensor:
        return uniform(generator, (groups,), *low_high)[group[rows]].reshape(-1, 1, 1, 1)

    images = images.clone()
    if len(rows := chosen(ops.brightness_contrast_p)):
        brightness, contrast = drawn(ops.brightness, rows), drawn(ops.contrast, rows)
        first = bool(coin(generator, (), 0.5))
        picked = images[rows]
        picked = (
            (picked + brightness).clamp_(0, 1) * contrast if first else (picked * contrast).clamp_(0, 1) + brightness
        )
        images[rows] = picked.clamp_(0, 1)
    if len(rows := chosen(ops.gamma_p)):
        images[rows] = images[rows].clamp(0, 1) ** drawn(ops.gamma, rows)
    if len(rows := chosen(ops.curve_p)):
        heights = ops.curve_std * normal(generator, (groups, _KNOTS)) + torch.linspace(
            0, 1, _KNOTS, device=images.device
        )
        images[rows] = grey_curve(images[rows].clamp(0, 1), heights.clamp(0, 1)[group[rows]])
    if len(rows := chosen(ops.sharpness_p)):
        factor = drawn((0.0, ops.sharpness), rows).reshape(-1)
        images[rows] = sharpness(images[rows].clamp(0, 1), factor)
    if len(rows := chosen(ops.blur_p)):
        sigma = drawn(ops.blur_sigma, rows).reshape(-1, 1).expand(-1, 2)
        images[rows] = gaussian_blur2d(images[rows], (ops.blur_kernel, ops.blur_kernel), sigma)
    if len(rows := chosen(ops.noise_p)):
        picked = images[rows]
        images[rows] = (
            picked + drawn(ops.noise_mean, rows) + drawn(ops.noise_std, rows) * normal(generator, picked.shape)
        )
    if len(rows := chosen(ops.invert_p)):
        images[rows] = 1 - images[rows]
    return images
