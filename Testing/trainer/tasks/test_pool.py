"""From a store's tables to tasks and pixels in memory."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.tasks.pool import build_pool, volume_datasets
from UniverSegSlicerLib.errors import InputError

SIDE = 8


def test_tasks_of_pictures_and_of_volumes(small_store) -> None:  # type: ignore[no-untyped-def]
    store = small_store
    pool = build_pool(store, role="train", resolution=SIDE)
    # The volume has one middle and one largest slice only: no task across subjects.
    assert [task.name for task in pool.tasks] == ["flat/g/MR/2/mid/1:thing"]
    assert [len(volume.present) for volume in pool.volumes] == [4]
    volume = pool.volumes[0]
    assert volume.positions.tolist() == [0, 1, 2, 3, 4]
    # Slices of 4 x 2 voxels in squares of 8 pixels: a voxel is two pixels.
    assert volume.slice_distance == 2.0
    assert (volume.masks >= 0).tolist() == [True] * 4 + [False]
    expected = store.all_masks[5:10].astype(np.float32)
    expected[4] = 0
    assert np.array_equal(pool.read_masks(volume.masks).numpy(), expected)
    assert np.allclose(pool.read_images(volume.images).numpy(), store.all_pixels[5:10] / 255)
    assert volume_datasets(store.images) == {"stack"}


def test_roles_and_named_datasets_are_kept_apart(small_store) -> None:  # type: ignore[no-untyped-def]
    store = small_store
    pool = build_pool(store, role="val", resolution=SIDE)
    assert [task.dataset for task in pool.tasks] == ["val_set"]
    only = build_pool(store, role="train", resolution=SIDE, datasets=["stack"])
    assert not only.tasks
    assert len(only.volumes) == 1


def test_small_masks_are_left_out(small_store) -> None:  # type: ignore[no-untyped-def]
    pool = build_pool(small_store, role="train", resolution=SIDE, min_area=3 / 64)
    # The pictures' masks have 2, 4 and 6 pixels: two of them cover more than 3 of 64.
    assert [len(task.images) for task in pool.tasks] == [2]
    assert float(pool.read_masks(pool.tasks[0].masks).sum(dim=(1, 2)).min()) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"role": "heldout"}, "no image with role 'heldout'"),
        ({"role": "train", "datasets": ["absent"]}, "in the data sets .'absent'."),
        ({"role": "train", "splits": ["test"]}, "split among .'test'."),
        ({"role": "train", "min_area": 0.9}, "covers more than 0.9"),
        ({"role": "train", "datasets": ["stack"], "min_volume_slices": 9}, "form no task"),
    ],
)
def test_a_store_with_nothing_to_learn_from_is_refused(small_store, arguments: dict, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        build_pool(small_store, resolution=SIDE, **arguments)
