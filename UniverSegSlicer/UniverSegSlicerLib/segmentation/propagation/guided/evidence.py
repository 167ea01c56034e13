"""What the marked slices say about each pixel of another slice: shape, votes of like patches, brightness (torch)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...shapes import signed_distance
from .registration import blurred, resized, warped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

# Votes: how far a patch is looked for, half the patch's side, both in pixels of the coarse grid, and the mean square
# difference of intensity that always counts as alike.
_SEARCH, _PATCH, _ALIKE = 3, 1, 1e-3
# How the weight of a patch falls off with its distance, as a Gaussian's standard deviation in pixels.
_VOTE_SIGMA = 2.25
_SUREST_VOTE = 0.003
#: The part of the surroundings that counts as background, in pixels from the border.
AROUND = 12.0
# Brightness: bins of the histograms, the share that every bin is given, and the Gaussian in bins.
_BINS, _EVERY_BIN = 32, 0.005
_BIN_WEIGHTS = (0.06, 0.24, 0.4, 0.24, 0.06)
#: Gaussian in pixels by which an image is blurred against noise before its brightness is looked up.
PIXEL_SIGMA = 1.0


@dataclass(frozen=True, eq=False)
class Mark:
    """A marked slice as a source of evidence.

    Attributes:
        index: Slice number.
        image: (S, S) in [0, 1].
        distance: (S, S) signed distance to the structure's border in pixels, positive inside.
        ratio: (bins,) log of how much more often a brightness is found inside than around the structure.
        blur: Gaussian's width in pixels by which slices are blurred before their brightness is looked up.
        weight: Its say beside another mark that is as near.
    """

    index: int
    image: np.ndarray
    distance: np.ndarray
    ratio: np.ndarray
    blur: float = PIXEL_SIGMA
    weight: float = 1.0

    @classmethod
    def of(cls, index: int, image: np.ndarray, mask: np.ndarray) -> Mark:
        """From an image and a soft mask (S, S) that is not empty."""
        distance = signed_distance(mask >= 0.5)
        return cls(index, image, distance, _brightness_ratio(image, distance))

    def bins_of(self, images: Tensor) -> Tensor:
        """The bin of ``ratio`` of every pixel of images (N, 1, S, S) in [0, 1]."""
        return _bins_of(images, self.blur)

    @property
    def area(self) -> float:
        """Pixels inside."""
        return float((self.distance > 0).sum())

    @property
    def depth(self) -> float:
        """Largest distance to the border inside, in pixels."""
        return max(1.0, float(self.distance.max()))


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the marks say about some slices.

    Attributes:
        shape: (N, 1, S, S) signed distance in pixels of the marked shapes, moved along the registration.
        votes: (N, 1, S, S) log-odds: labels of the like patches of the marked slices.
        brightness: (N, 1, S, S) log-odds of the blurred brightness, inside against around the structure.
    """

    shape: Tensor
    votes: Tensor
    brightness: Tensor


def gather(
    images: Tensor,
    sources: Sequence[tuple[Mark, Tensor]],
    shares: Sequence[np.ndarray],
) -> Evidence:
    """Collect the evidence of one or two marks for some slices.

    Args:
        images: (N, 1, S, S) in [0, 1].
        sources: Each mark with the fields (N, 2, C, C) from the slices to it; C divides S.
        shares: Each mark's share (N,) in the evidence; they add up to 1.
    """
    import torch

    count, size = len(images), images.shape[-1]
    coarse = sources[0][1].shape[-1]
    shape = torch.zeros_like(images)
    brightness = torch.zeros_like(images)
    bins = {blur: _bins_of(images, blur) for blur in {mark.blur for mark, _ in sources}}
    looks, labels, weights = [], [], []
    for (mark, fields), share in zip(sources, shares, strict=True):
        weight = torch.as_tensor(np.asarray(share, np.float32), device=images.device).view(-1, 1, 1, 1)
        both = torch.as_tensor(np.stack([mark.distance, mark.image]), device=images.device)[None]
        moved = warped(both.expand(count, -1, -1, -1), resized(fields, size))
        shape += weight * moved[:, :1]
        ratio = torch.as_tensor(mark.ratio, dtype=images.dtype, device=images.device)
        brightness += weight * ratio[bins[mark.blur]]
        looks.append(_reduced(moved[:, 1:], coarse))
        labels.append(_reduced(torch.sigmoid(2 * moved[:, :1]), coarse))
        weights.append(weight)
    chance = _votes(_reduced(images, coarse), looks, labels, weights)
    votes = torch.logit(chance.clamp(_SUREST_VOTE, 1 - _SUREST_VOTE))
    return Evidence(shape, _enlarged(votes, size), brightness)


def _votes(images: Tensor, looks: Sequence[Tensor], labels: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """Patch-based label fusion (Coupé et al., NeuroImage 2011): labels of the patches nearby, the more alike the more.

    All are (N, 1, C, C) but the weights, (N, 1, 1, 1).
    """
    import torch
    from torch.nn import functional

    size = images.shape[-1]
    steps = [(dy, dx) for dy in range(2 * _SEARCH + 1) for dx in range(2 * _SEARCH + 1)]
    wide = [functional.pad(look, (_SEARCH,) * 4, mode="replicate") for look in looks]
    wide_labels = [functional.pad(label, (_SEARCH,) * 4, mode="replicate") for label in labels]
    differences = []
    for look in wide:
        for dy, dx in steps:
            square = (images - look[..., dy : dy + size, dx : dx + size]).square()
            rim = functional.pad(square, (_PATCH,) * 4, mode="replicate")
            differences.append(functional.avg_pool2d(rim, 2 * _PATCH + 1, 1))
    least = differences[0].clone()
    for one in differences[1:]:
        torch.minimum(least, one, out=least)
    total, votes = torch.zeros_like(images), torch.zeros_like(images)
    scale = -1 / (least + _ALIKE)
    number = 0
    for label, weight in zip(wide_labels, weights, strict=True):
        for dy, dx in steps:
            far = ((dy - _SEARCH) ** 2 + (dx - _SEARCH) ** 2) / (2 * _VOTE_SIGMA**2)
            vote = torch.exp(differences[number] * scale - far) * weight
            total += vote
            votes += vote * label[..., dy : dy + size, dx : dx + size]
            number += 1
    return votes / total


def _brightness_ratio(image: np.ndarray, distance: np.ndarray) -> np.ndarray:
    bins = np.clip((image * _BINS).astype(int), 0, _BINS - 1)
    shares = []
    for part in (distance > 0, (distance <= 0) & (distance > -AROUND)):
        counts = np.bincount(bins[part], minlength=_BINS).astype(float)
        shares.append(np.convolve(counts / max(1.0, counts.sum()), _BIN_WEIGHTS, "same") + _EVERY_BIN)
    return np.log(shares[0] / shares[1])


def _bins_of(images: Tensor, blur: float) -> Tensor:
    """The bin of every pixel's brightness; images (N, 1, S, S) in [0, 1]."""
    seen = blurred(images, blur) if blur else images
    return (seen * _BINS).long().clamp(0, _BINS - 1)


def _reduced(images: Tensor, size: int) -> Tensor:
    from torch.nn import functional

    factor = images.shape[-1] // size
    return functional.avg_pool2d(images, factor) if factor > 1 else images


def _enlarged(images: Tensor, size: int) -> Tensor:
    from torch.nn import functional

    if images.shape[-1] == size:
        return images
    return functional.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)
