"""Painted tasks: real shapes with an appearance that no data set has."""

from __future__ import annotations

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional as F

from ..draws import normal, uniform

# Classes are numbered label * _BINS + bin of brightness.
_BINS = 4
_TEXTURE = 0.12
_JITTER = 0.04
_MOST_BLUR = 1.2


def paint(images: Tensor, classes: Tensor, generator: torch.Generator) -> Tensor:
    """New grey values for the images of one episode.

    Every class, a label or a part of the background, gets one mean brightness and one strength of texture for the whole
    episode, a little of it varying per image; texture is noise at three scales. The classes are divided further (in
    half of the episodes only the background) at one to three random thresholds of the real brightness, so that real
    edges stay; in half of the episodes part of the real contrast stays too.

    Args:
        images: ``(n, H, W)`` in [0, 1].
        classes: ``(n, H, W)`` int64, 0 for the background; the same number means the same label in every image.
        generator: On the device of the images.

    Returns:
        ``(n, H, W)`` in [0, 1].
    """
    count, device = len(images), images.device

    def toss() -> bool:
        return bool(uniform(generator, ()) < 0.5)

    cuts = int(torch.randint(1, _BINS, (), generator=generator, device=device))
    thresholds = uniform(generator, (cuts,), 0.05, 0.85).sort().values
    bins = torch.bucketize(images.contiguous(), thresholds)
    if toss():
        bins = bins * (classes == 0)
    kinds, code = torch.unique(classes * _BINS + bins, return_inverse=True)
    brightness = uniform(generator, (len(kinds),))
    strength = uniform(generator, (len(kinds),), 0.0, _TEXTURE)
    if toss():
        # Air around the body is dark in most modalities.
        dark = kinds == 0
        brightness = torch.where(dark, brightness * 0.05, brightness)
        strength = torch.where(dark, 0.01, strength)
    means = brightness + _JITTER * normal(generator, (count, len(kinds)))
    painted = means.gather(1, code.flatten(1)).reshape(images.shape) + strength[code] * _texture(images, generator)
    if toss():
        painted = painted + 0.5 * uniform(generator, ()) * (images - 0.5)
    sigma = float(uniform(generator, (), 0.0, _MOST_BLUR))
    if sigma > 0.3:
        painted = gaussian_blur2d(painted[:, None], (7, 7), (sigma, sigma))[:, 0]
    return painted.clamp(0, 1)


def _texture(images: Tensor, generator: torch.Generator) -> Tensor:
    """Noise of about unit variance, white and at two coarser scales, of the shape of ``images``."""
    count, rows, columns = images.shape
    coarse = max(4, rows // int(torch.randint(4, 16, (), generator=generator, device=images.device)))
    noise = normal(generator, (count, rows, columns))
    for side in (rows // 2, coarse):
        grid = normal(generator, (count, 1, side, side))
        noise = noise + F.interpolate(grid, size=(rows, columns), mode="bilinear", align_corners=False)[:, 0]
    return 0.6 * noise
