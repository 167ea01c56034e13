"""From a store's tables to tasks and pixels in memory."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from trainer.tasks.pool import build_pool, volume_datasets
from UniverSegSlicerLib.errors import InputError

SIDE = 8


class SmallStore:
    """Tables and pixels as a store gives them: two pictures sets, and one volume of five slices."""

    def __init__(self) -> None:
        rows = [("flat", f"s{i}", f"{i}", "mid", 0, "train") for i in range(3)]
        rows += [("val_set", f"s{i}", f"{i}", "mid", 0, "val") for i in range(2)]
        rows += [("stack", "p", "case", kind, k, "train") for k, kind in enumerate(("all", "max", "mid", "all", "all"))]
        columns = ["dataset", "subject", "name", "slicing", "slice_index", "role"]
        self.images = pd.DataFrame(rows, columns=columns).assign(group="g", modality="MR", axis=2, split="train")
        self.images.insert(0, "image", range(len(rows)))
        pixels = np.random.default_rng(0).integers(0, 256, (len(rows), SIDE, SIDE), dtype=np.uint8)
        masks = np.zeros((len(rows), SIDE, SIDE), dtype=bool)
        for row in range(len(rows)):
            masks[row, : 1 + row % 4, :2] = True
        self._pixels, self._masks = pixels, masks
        # The volume's last slice shows no label.
        shown = list(range(len(rows) - 1))
        self.masks = pd.DataFrame(
            {
                "mask": range(len(shown)),
                "image": shown,
                "label": 1,
                "label_name": "thing",
                "area": masks[shown].mean(axis=(1, 2)),
                "largest": [self.images.slicing[row] in ("mid", "max") and row != 7 for row in shown],
            }
        )

    def load(self, resolution: int, images: np.ndarray) -> SimpleNamespace:
        assert resolution == SIDE
        wanted = self.masks[self.masks["image"].isin(images)]["image"].to_numpy()
        packed = np.packbits(self._masks[wanted].reshape(len(wanted), -1), axis=1)
        return SimpleNamespace(images=self._pixels[images], masks=packed)


def test_tasks_of_pictures_and_of_volumes() -> None:
    store = SmallStore()
    pool = build_pool(store, role="train", resolution=SIDE)  # type: ignore[arg-type]
    # The volume has one middle and one largest slice only: no task across subjects.
    assert [task.name for task in pool.tasks] == ["flat/g/MR/2/mid/1:thing"]
    assert [len(volume.present) for volume in pool.volumes] == [4]
    volume = pool.volumes[0]
    assert volume.positions.tolist() == [0, 1, 2, 3, 4]
    assert (volume.masks >= 0).tolist() == [True] * 4 + [False]
    expected = store._masks[5:10].astype(np.float32)
    expected[4] = 0
    assert np.array_equal(pool.read_masks(volume.masks).numpy(), expected)
    assert np.allclose(pool.read_images(volume.images).numpy(), store._pixels[5:10] / 255)
    assert volume_datasets(store.images) == {"stack"}


def test_roles_and_named_datasets_are_kept_apart() -> None:
    store = SmallStore()
    pool = build_pool(store, role="val", resolution=SIDE)  # type: ignore[arg-type]
    assert [task.dataset for task in pool.tasks] == ["val_set"]
    only = build_pool(store, role="train", resolution=SIDE, datasets=["stack"])  # type: ignore[arg-type]
    assert not only.tasks
    assert len(only.volumes) == 1


def test_small_masks_are_left_out() -> None:
    pool = build_pool(SmallStore(), role="train", resolution=SIDE, min_area=3 / 64)  # type: ignore[arg-type]
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
def test_a_store_with_nothing_to_learn_from_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_pool(SmallStore(), resolution=SIDE, **arguments)  # type: ignore[arg-type]
