"""Synthetic tasks made on the device: Perlin-type label maps, warped and painted anew for every image.

The ranges are those of the authors' generator (MegaMedical, ``synth.py``); lengths are in pixels of a 256-pixel image,
as there, and shrink with the side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional as F

from UniverSegSlicerLib.errors import InputError

from ..augmentation.geometry import warp
from ..draws import normal, uniform

Range = tuple[float, float]
_PUBLISHED_SIDE = 256


@dataclass(frozen=True)
class SyntheticSettings:
    """Ranges of the generator.

    Labels are counts; scales and displacements are pixels at 256; intensities lie in [0, 1]; areas are shares.
    """

    labels: tuple[int, int] = (5, 19)
    shape_scales: tuple[int, ...] = (32, 64, 128)
    warp_scales: tuple[int, ...] = (16, 32, 64, 128)
    shape_std: Range = (0.5, 5.0)
    shape_warp_std: Range = (4.0, 15.0)
    intensity_std_min: Range = (0.01, 0.1)
    intensity_std_max: Range = (0.2, 1.0)
    between_images_std: Range = (0.01, 0.1)
    subject_warp_std: Range = (1.0, 20.0)
    subject_warp_grids: tuple[int, ...] = (8, 16, 32, 64)
    bias_grid: Range = (32.0, 50.0)
    bias_std: Range = (0.1, 1.0)
    blur_std: Range = (0.5, 5.0)
    min_area: float = 0.001

    def __post_init__(self) -> None:
        if not 2 <= self.labels[0] <= self.labels[1]:
            raise InputError(f"synthetic.labels is {self.labels}; expected (low, high) with 2 <= low <= high.")


def perlin_noise(generator: torch.Generator, count: int, side: int, scales: tuple[int, ...]) -> Tensor:
    """Sum of smooth noise with features ``scales`` pixels long at 256: ``(count, 1, side, side)``, unit variance."""
    total = torch.zeros((count, 1, side, side), device=generator.device)
    for scale in scales:
        cells = max(2, round(_PUBLISHED_SIDE / scale)) + 1
        small = normal(generator, (count, 1, cells, cells)) * (scale / max(scales))
        total += F.interpolate(small, size=(side, side), mode="bicubic", align_corners=True)
    return total / total.std(dim=(-2, -1), keepdim=True).clamp_min(1e-6)


def synthetic_tasks(
    tasks: int, images: int, side: int, generator: torch.Generator, settings: SyntheticSettings | None = None
) -> tuple[Tensor, Tensor]:
    """Images and binary labels of ``tasks`` tasks with ``images`` images each, ``(tasks, images, 1, side, side)`` both.

    The label of a task is one of its map's labels that covers enough of every image (else the largest).
    """
    settings = settings or SyntheticSettings()
    pictures, maps = zip(*(_one_task(images, side, generator, settings) for _ in range(tasks)), strict=True)
    labels = [_choose_label(map_, generator, settings) for map_ in maps]
    return torch.stack(pictures), torch.stack(labels)


def synthetic_label_maps(
    images: int, side: int, generator: torch.Generator, settings: SyntheticSettings | None = None
) -> tuple[Tensor, Tensor]:
    """Images in [0, 1] and whole label maps (integers) of one task, ``(images, 1, side, side)`` both."""
    return _one_task(images, side, generator, settings or SyntheticSettings())


def _one_task(images: int, side: int, generator: torch.Generator, settings: SyntheticSettings) -> tuple[Tensor, Tensor]:
    pixels = side / _PUBLISHED_SIDE
    device = generator.device
    low, high = settings.labels
    labels = int(torch.randint(low, high + 1, (), generator=generator, device=device))
    scale = uniform(generator, (labels, 1, 1, 1), *settings.shape_std)
    shapes = perlin_noise(generator, labels, side, settings.shape_scales) * scale
    bend = _displacement(generator, labels, side, settings.warp_scales) * pixels
    bend = bend * uniform(generator, (labels, 1, 1, 1), *settings.shape_warp_std)
    base = warp(shapes, _grid(bend)).argmax(dim=0, keepdim=True).float()

    moves = _subject_displacement(generator, images, side, settings) * pixels
    moved = F.grid_sample(
        base.expand(images, 1, side, side), _grid(moves), mode="nearest", padding_mode="border", align_corners=False
    )
    maps = moved.round().long()
    means = uniform(generator, (1, labels))
    between = uniform(generator, (1, labels), *settings.between_images_std)
    means = means + between * normal(generator, (images, labels))
    lowest = uniform(generator, (1, 1), *settings.intensity_std_min)
    highest = uniform(generator, (1, 1), *settings.intensity_std_max)
    spread = (lowest + uniform(generator, (1, labels)) * (highest - lowest)).expand(images, labels)
    flat = maps.flatten(1)
    texture = normal(generator, (images, flat.shape[1])) * spread.gather(1, flat) * 0.25
    pictures = (means.gather(1, flat) + texture).reshape(images, 1, side, side)
    sigma = uniform(generator, (images, 1), *settings.blur_std) * pixels
    kernel = max(3, int(4 * settings.blur_std[1] * pixels)) | 1
    pictures = gaussian_blur2d(pictures, (kernel, kernel), sigma.clamp_min(0.1).expand(-1, 2))
    return _normalised(pictures * _bias(generator, images, side, settings)), maps


def _bias(generator: torch.Generator, images: int, side: int, settings: SyntheticSettings) -> Tensor:
    """Smooth multiplicative field around 1, ``(images, 1, side, side)``."""
    wavelength = float(uniform(generator, (), *settings.bias_grid))
    cells = max(2, round(_PUBLISHED_SIDE / wavelength / 2)) + 1
    small = normal(generator, (images, 1, cells, cells)) * uniform(generator, (images, 1, 1, 1), *settings.bias_std)
    return torch.exp(0.3 * F.interpolate(small, size=(side, side), mode="bicubic", align_corners=True))


def _normalised(pictures: Tensor) -> Tensor:
    low = pictures.amin(dim=(-2, -1), keepdim=True)
    high = pictures.amax(dim=(-2, -1), keepdim=True)
    return (pictures - low) / (high - low).clamp_min(1e-6)


def _displacement(generator: torch.Generator, count: int, side: int, scales: tuple[int, ...]) -> Tensor:
    """Smooth vector noise of unit variance, ``(count, 2, side, side)``."""
    return torch.cat([perlin_noise(generator, count, side, scales) for _ in range(2)], dim=1)


def _subject_displacement(generator: torch.Generator, count: int, side: int, settings: SyntheticSettings) -> Tensor:
    """Sum over grids of smooth vector noise; finer grids move less, so that the map does not fold."""
    total = torch.zeros((count, 2, side, side), device=generator.device)
    coarsest = min(settings.subject_warp_grids)
    for cells in settings.subject_warp_grids:
        small = normal(generator, (count, 2, min(cells, side), min(cells, side)))
        share = (coarsest / cells) ** 1.5
        std = uniform(generator, (count, 1, 1, 1), *settings.subject_warp_std)
        total += F.interpolate(small, size=(side, side), mode="bicubic", align_corners=True) * std * share
    return total


def _grid(displacement: Tensor) -> Tensor:
    """Sampling positions of displacements in pixels, ``(n, 2, side, side)`` to ``(n, side, side, 2)``."""
    side = displacement.shape[-1]
    steps = (torch.arange(side, device=displacement.device, dtype=torch.float32) * 2 + 1) / side - 1
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([x, y], dim=-1)[None] + displacement.permute(0, 2, 3, 1) * (2 / side)


def _choose_label(maps: Tensor, generator: torch.Generator, settings: SyntheticSettings) -> Tensor:
    """One label of ``(images, 1, side, side)`` as a binary float mask, drawn among those present in every image."""
    labels = int(maps.max()) + 1
    areas = F.one_hot(maps.flatten(1), labels).float().mean(dim=1)
    usable = (areas.amin(dim=0) > settings.min_area).nonzero()[:, 0]
    if len(usable):
        chosen = usable[torch.randint(len(usable), (), generator=generator, device=maps.device)]
    else:
        chosen = areas.mean(dim=0).argmax()
    return (maps == chosen).float()
