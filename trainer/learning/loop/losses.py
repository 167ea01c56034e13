"""What a prediction is measured against in training."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def soft_dice_loss(logits: Tensor, target: Tensor, epsilon: float = 1e-7) -> Tensor:
    """1 - (2 sum(p y) + e) / (sum p^2 + sum y^2 + e) with p = sigmoid(logits), image by image.

    Args:
        logits: ``(n, 1, H, W)``.
        target: Soft labels in [0, 1], same shape.
        epsilon: Makes two empty masks agree. It is small, as in the authors' library.

    Returns:
        ``(n,)``.
    """
    probability = torch.sigmoid(logits).flatten(1)
    truth = target.flatten(1)
    overlap = 2 * (probability * truth).sum(dim=1)
    total = probability.square().sum(dim=1) + truth.square().sum(dim=1)
    return 1 - (overlap + epsilon) / (total + epsilon)


def log_dice_loss(logits: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """-log((2 sum(p y) + s) / (sum p + sum y + s)) with p = sigmoid(logits), image by image.

    The logarithm keeps a gradient where the answer is still far off: the soft Dice is flat there, and a network that
    has come to leave a structure out stays with that.

    Args:
        logits: ``(n, 1, H, W)``.
        target: Soft labels in [0, 1], same shape.
        smooth: In pixels; an answer that misses a structure of a pixels costs log(a + s) - log(s).

    Returns:
        ``(n,)``.
    """
    probability = torch.sigmoid(logits).flatten(1)
    truth = target.flatten(1)
    overlap = 2 * (probability * truth).sum(dim=1) + smooth
    return torch.log(probability.sum(dim=1) + truth.sum(dim=1) + smooth) - torch.log(overlap)


def cross_entropy_loss(logits: Tensor, target: Tensor, focal_gamma: float = 0.0) -> Tensor:
    """Binary cross-entropy with soft labels, image by image; a positive ``focal_gamma`` weighs easy pixels down.

    Returns:
        ``(n,)``.
    """
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if focal_gamma > 0:
        probability = torch.sigmoid(logits)
        loss = loss * (target - probability).abs() ** focal_gamma
    return loss.flatten(1).mean(dim=1)


def false_area_loss(logits: Tensor, empty_area: float) -> Tensor:
    """a / (a + c) with a = sum p^2 and c = ``empty_area`` of the pixels, image by image: soft Dice for empty targets.

    Soft Dice itself is flat there, except close to an empty answer.

    Returns:
        ``(n,)``.
    """
    area = torch.sigmoid(logits).flatten(1).square().sum(dim=1)
    return area / (area + empty_area * logits[0].numel())


def segmentation_loss(
    logits: Tensor,
    target: Tensor,
    *,
    dice: float,
    cross_entropy: float,
    focal_gamma: float,
    empty_area: float = 0.01,
    log_dice: float = 0.0,
) -> Tensor:
    """Weighted sum of the terms, image by image; for an empty target the false area takes the place of either Dice.

    Returns:
        ``(n,)``.
    """
    loss = cross_entropy * cross_entropy_loss(logits, target, focal_gamma)
    some = target.flatten(1).sum(dim=1) > 0.5
    for weight, overlap in ((dice, soft_dice_loss), (log_dice, log_dice_loss)):
        if weight > 0:
            loss = loss + weight * torch.where(some, overlap(logits, target), false_area_loss(logits, empty_area))
    return loss


def hard_dice(prediction: Tensor, target: Tensor) -> Tensor:
    """Dice of boolean masks ``(n, ...)``, image by image; 1 where both are empty.

    Returns:
        ``(n,)`` float32.
    """
    answer, truth = prediction.flatten(1).float(), target.flatten(1).float()
    total = answer.sum(dim=1) + truth.sum(dim=1)
    return torch.where(total > 0, 2 * (answer * truth).sum(dim=1) / total.clamp_min(1), torch.ones_like(total))
