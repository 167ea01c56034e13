"""Augmentation: what each operation does, and to whom."""

from __future__ import annotations

import pytest
import torch

from trainer.tasks.augmentation.geometry import sampling_grid, warp
from trainer.tasks.augmentation.intensity import augment_intensity, augment_labels, grey_curve
from trainer.tasks.augmentation.table import AugmentationTable, Operations
from UniverSegSlicerLib.errors import InputError

NOTHING = Operations()


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def identity(tasks: int, count: int) -> torch.Tensor:
    return torch.eye(3)[:2].expand(tasks, count, 2, 3)


def test_the_defaults_are_the_table_of_the_paper() -> None:
    table = AugmentationTable()
    assert (table.task.affine_p, table.in_task.affine_p) == (0.5, 0.5)
    assert (table.task.elastic_p, table.in_task.elastic_p) == (0.25, 0.8)
    assert (table.task.elastic_alpha, table.in_task.elastic_alpha) == ((1.0, 2.0), (1.0, 2.5))
    assert (table.task.contrast, table.in_task.contrast) == ((0.8, 1.2), (0.5, 1.5))
    assert (table.task.edge_p, table.task.invert_label_p, table.in_task.edge_p) == (0.5, 0.5, 0.0)


def test_no_operation_is_the_identity(generator: torch.Generator) -> None:
    images = torch.rand(6, 2, 32, 32, generator=generator)
    table = AugmentationTable(NOTHING, NOTHING)
    grid = sampling_grid(table, identity(2, 3), 32, generator)
    assert torch.allclose(warp(images, grid), images, atol=1e-5)
    shaped = images[:, :1].unflatten(0, (2, 3))
    assert torch.equal(augment_intensity(shaped, table, generator), shaped)
    assert torch.equal(augment_labels(shaped, table, generator), shaped)


def test_flip_is_exact_and_shared_by_the_task(generator: torch.Generator) -> None:
    images = torch.rand(3, 1, 16, 16, generator=generator)
    table = AugmentationTable(Operations(horizontal_flip_p=1.0), NOTHING)
    flipped = warp(images, sampling_grid(table, identity(1, 3), 16, generator))
    assert torch.allclose(flipped, images.flip(-1), atol=1e-5)


def test_task_affine_is_shared_and_in_task_affine_is_not(generator: torch.Generator) -> None:
    image = torch.rand(1, 1, 16, 16, generator=generator).expand(4, 1, 16, 16)
    shared = AugmentationTable(Operations(affine_p=1.0), NOTHING)
    out = warp(image, sampling_grid(shared, identity(1, 4), 16, generator))
    assert torch.allclose(out, out[:1].expand_as(out), atol=1e-5)
    own = AugmentationTable(NOTHING, Operations(affine_p=1.0))
    out = warp(image, sampling_grid(own, identity(1, 4), 16, generator))
    assert float((out[0] - out[1]).abs().mean()) > 0.02


def test_scale_above_one_enlarges(generator: torch.Generator) -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 24:40, 24:40] = 1
    fixed = Operations(affine_p=1.0, rotation=(0, 0), translation=(0, 0), scale=(1.25, 1.25))
    out = warp(mask, sampling_grid(AugmentationTable(fixed, NOTHING), identity(1, 1), 64, generator))
    assert abs(float(out.sum()) / float(mask.sum()) - 1.25**2) < 0.02


def test_elastic_moves_as_far_as_published(generator: torch.Generator) -> None:
    # alpha 1, sigma 6 at 128 pixels: RMS about 10.4 / 6 pixels in each direction.
    operations = Operations(elastic_p=1.0, elastic_alpha=(1, 1), elastic_sigma=(6, 6))
    table = AugmentationTable(NOTHING, operations)
    grid = sampling_grid(table, identity(1, 16), 128, generator)
    still = sampling_grid(AugmentationTable(NOTHING, NOTHING), identity(1, 16), 128, generator)
    moved = float((grid - still).square().mean().sqrt()) * 64
    assert abs(moved - 10.4 / 6) < 0.5


def test_noise_follows_its_range_and_task_noise_differs_between_images(generator: torch.Generator) -> None:
    images = torch.full((1, 4, 1, 64, 64), 0.5)
    operations = Operations(noise_p=1.0, noise_mean=(0.03, 0.03), noise_std=(0.05, 0.05))
    out = augment_intensity(images, AugmentationTable(operations, NOTHING), generator) - images
    assert abs(float(out.mean()) - 0.03) < 0.002
    assert abs(float(out.std()) - 0.05) < 0.002
    assert not torch.equal(out[0, 0], out[0, 1])


def test_inversion_of_intensities_and_labels(generator: torch.Generator) -> None:
    values = torch.rand(2, 3, 1, 8, 8, generator=generator)
    table = AugmentationTable(Operations(invert_p=1.0, invert_label_p=1.0), NOTHING)
    assert torch.allclose(augment_intensity(values, table, generator), 1 - values)
    assert torch.allclose(augment_labels(values, table, generator), 1 - values)


def test_edges_replace_labels_by_their_outline(generator: torch.Generator) -> None:
    labels = torch.zeros(1, 2, 1, 32, 32)
    labels[:, 0, :, 8:24, 8:24] = 1
    out = augment_labels(labels, AugmentationTable(Operations(edge_p=1.0), NOTHING), generator)
    assert float(out[0, 0, 0, 16, 16]) < 0.01
    assert float(out[0, 0, 0, 8, 16]) > 0.9
    assert float(out[0, 1].abs().max()) < 0.01


@pytest.mark.parametrize("operation", ["brightness_contrast_p", "gamma_p", "sharpness_p", "blur_p"])
def test_other_operations_change_images_and_keep_them_finite(operation: str, generator: torch.Generator) -> None:
    images = torch.rand(2, 2, 1, 16, 16, generator=generator)
    out = augment_intensity(images, AugmentationTable(NOTHING, Operations(**{operation: 1.0})), generator)
    assert bool(torch.isfinite(out).all())
    assert not torch.equal(out, images)
    assert float(out.min()) >= 0
    assert float(out.max()) <= 1


def test_constant_images_survive_everything(generator: torch.Generator) -> None:
    out = augment_intensity(torch.zeros(2, 3, 1, 16, 16), AugmentationTable(), generator)
    assert bool(torch.isfinite(out).all())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"affine_p": 1.5}, "affine_p is 1.5"),
        ({"scale": (2.0, 1.0)}, "scale is"),
        ({"blur_kernel": 4}, "blur_kernel is 4"),
    ],
)
def test_impossible_settings_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Operations(**arguments)


def test_a_grey_curve_passes_through_its_knots() -> None:
    values = torch.linspace(0, 1, 6).reshape(1, 1, 1, 6).repeat(2, 1, 1, 1)
    heights = torch.tensor([[0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [1.0, 0.0, 0.5, 0.25, 0.75, 0.1]])
    curved = grey_curve(values, heights)
    assert torch.allclose(curved.reshape(2, 6), heights, atol=1e-5)
    half = grey_curve(torch.full((2, 1, 1, 1), 0.3), heights).flatten()
    assert torch.allclose(half, torch.tensor([0.3, 0.25]), atol=1e-5)


def test_curves_are_alike_within_a_task_and_differ_between_tasks() -> None:
    table = AugmentationTable(Operations(curve_p=1.0), Operations())
    images = torch.linspace(0, 1, 64).reshape(1, 1, 1, 8, 8).expand(2, 3, 1, 8, 8)
    found = augment_intensity(images, table, torch.Generator().manual_seed(3))
    assert torch.allclose(found[:, :1].expand_as(found), found)
    assert not torch.allclose(found[0], found[1], atol=0.05)
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
