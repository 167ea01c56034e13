"""Synthetic tasks and super-pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from trainer.tasks.kinds.superpixels import superpixel_mask
from trainer.tasks.kinds.synthetic import SyntheticSettings, perlin_noise, synthetic_label_maps, synthetic_tasks
from UniverSegSlicerLib.errors import InputError


def test_tasks_have_images_in_range_and_labels_in_every_image() -> None:
    images, labels = synthetic_tasks(6, 4, 64, torch.Generator().manual_seed(0))
    assert images.shape == labels.shape == (6, 4, 1, 64, 64)
    assert float(images.min()) >= 0
    assert float(images.max()) <= 1
    assert set(labels.unique().tolist()) == {0.0, 1.0}
    assert float(labels.mean(dim=(-2, -1)).min()) > 0.001


def test_subjects_of_a_task_resemble_each_other_more_than_other_tasks() -> None:
    generator = torch.Generator().manual_seed(1)
    _, labels = synthetic_tasks(8, 2, 64, generator)
    flat = labels.flatten(2)

    def dice(a: torch.Tensor, b: torch.Tensor) -> float:
        return float((2 * (a * b).sum(-1) / (a.sum(-1) + b.sum(-1))).mean())

    assert dice(flat[:, 0], flat[:, 1]) > dice(flat[:, 0], flat[:, 1].roll(1, 0)) + 0.3


def test_label_counts_stay_in_the_published_range() -> None:
    generator = torch.Generator().manual_seed(2)
    for _ in range(5):
        _, maps = synthetic_label_maps(2, 32, generator)
        assert int(maps.min()) >= 0
        assert int(maps.max()) < 19


def test_noise_is_normal_and_coarser_for_larger_scales() -> None:
    generator = torch.Generator().manual_seed(3)

    def roughness(scale: int) -> float:
        noise = perlin_noise(generator, 16, 64, (scale,))
        assert abs(float(noise.std()) - 1) < 0.1
        return float(noise.diff(dim=-1).abs().mean())

    assert roughness(16) > 1.5 * roughness(64)


def test_impossible_number_of_labels() -> None:
    with pytest.raises(InputError, match=r"synthetic\.labels"):
        SyntheticSettings(labels=(1, 5))


def test_superpixels_follow_the_image() -> None:
    image = np.zeros((64, 64), dtype=np.float32)
    image[20:40, 10:50] = 1.0
    for seed in range(5):
        mask = superpixel_mask(image, np.random.default_rng(seed))
        assert mask is not None
        assert mask.mean() > 0.003
        # A super-pixel lies on one side of the square's border, up to the blur before the segmentation.
        bright = image[mask].mean()
        assert bright < 0.05 or bright > 0.95


def test_a_constant_image_has_no_superpixel() -> None:
    assert superpixel_mask(np.full((32, 32), 0.4), np.random.default_rng(0)) is None
