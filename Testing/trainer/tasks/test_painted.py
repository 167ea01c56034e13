"""Painted tasks: real shapes, made-up appearance, the same for all images of an episode."""

from __future__ import annotations

import numpy as np
import torch

from trainer.tasks.kinds.painted import paint
from trainer.tasks.pool import DataPool


def _scene(count: int = 3, side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, side, side, generator=generator)
    classes = torch.zeros(count, side, side, dtype=torch.int64)
    classes[:, 8:20, 8:20], classes[:, 22:30, 4:12] = 3, 7
    return images, classes


def test_one_class_looks_alike_in_every_image_of_an_episode():
    images, classes = _scene()
    apart = []
    for seed in range(12):
        painted = paint(images, classes, torch.Generator().manual_seed(seed))
        assert painted.shape == images.shape and painted.min() >= 0 and painted.max() <= 1
        means = torch.stack([one[label == 3].mean() for one, label in zip(painted, classes, strict=True)])
        assert means.std() < 0.12
        apart.append(float(means.mean()))
    # The episodes differ among themselves: the appearance is drawn anew.
    assert np.std(apart) > 0.1


def test_the_same_seed_paints_the_same():
    images, classes = _scene()
    first, second = (paint(images, classes, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first, second)


def test_constant_images_without_any_label_can_be_painted():
    painted = paint(torch.zeros(2, 16, 16), torch.zeros(2, 16, 16, dtype=torch.int64), torch.Generator().manual_seed(1))
    assert torch.isfinite(painted).all()


def test_label_maps_hold_every_label_of_an_image_or_the_same_few_of_all():
    masks = np.zeros((3, 16, 16), bool)
    masks[0, :4], masks[1, 8:], masks[2, :, 12:] = True, True, True
    packed = np.packbits(masks.reshape(3, -1), axis=1)
    table = (np.array([0, 0, 1]), np.array([5, 9, 9]), np.array([0, 1, 2]))
    pool = DataPool(np.zeros((2, 16, 16), np.uint8), packed, [], labels=table)
    maps = pool.label_maps(np.array([0, 1, 0]), 10, np.random.default_rng(0))
    assert maps.dtype == torch.int64 and torch.equal(maps[0], maps[2])
    assert set(maps[0].unique().tolist()) == {0, 5, 9} and set(maps[1].unique().tolist()) == {0, 9}
    few = pool.label_maps(np.array([0, 1]), 1, np.random.default_rng(0))
    assert len(set(few.unique().tolist()) - {0}) == 1
