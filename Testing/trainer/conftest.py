"""A small pool of made images: bright discs in noise, in volumes and across subjects."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from trainer.tasks.pool import DataPool, Task, VolumeTask

SIDE = 32
SMALL = 8


def make_pool(seed: int = 0, subjects: int = 8, slices: int = 12) -> DataPool:
    """Two tasks across subjects and one volume task, whose label is a disc that is brighter than the rest."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]

    def picture(row: float, column: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
        mask = (y - row) ** 2 + (x - column) ** 2 <= radius**2
        image = np.clip(60 + 120 * mask + rng.normal(0, 8, mask.shape), 0, 255)
        return image.astype(np.uint8), mask

    pairs = [picture(*rng.uniform(10, 22, 2), rng.uniform(4, 8)) for _ in range(2 * subjects)]
    for k in range(slices):
        present = 2 <= k < slices - 2
        image, mask = picture(16, 12 + 0.6 * k, 6)
        pairs.append((image, mask & present))
    images = np.stack([image for image, _ in pairs])
    packed = np.packbits(np.stack([mask.ravel() for _, mask in pairs]), axis=1)
    tasks = []
    for number in range(2):
        rows = np.arange(number * subjects, (number + 1) * subjects)
        tasks.append(Task(f"set{number}", "g", "MR", "0", "mid", 1, "disc", rows, rows, np.arange(subjects)))
    rows = np.arange(2 * subjects, 2 * subjects + slices)
    masks = np.where((np.arange(slices) >= 2) & (np.arange(slices) < slices - 2), rows, -1)
    volume = VolumeTask("stack", "s", "CT", "2", 1, "disc", rows, masks, np.arange(slices))
    return DataPool(images, packed, tasks, [volume])


@pytest.fixture(scope="session")
def pool() -> DataPool:
    return make_pool()


class SmallStore:
    """Tables and pixels as a store gives them: two sets of pictures, and one volume of five slices."""

    def __init__(self) -> None:
        rows = [("flat", f"s{i}", f"{i}", "mid", 0, "train") for i in range(3)]
        rows += [("val_set", f"s{i}", f"{i}", "mid", 0, "val") for i in range(2)]
        rows += [("stack", "p", "case", kind, k, "train") for k, kind in enumerate(("all", "max", "mid", "all", "all"))]
        columns = ["dataset", "subject", "name", "slicing", "slice_index", "role"]
        self.images = pd.DataFrame(rows, columns=columns).assign(
            group="g", modality="MR", axis=2, split="train", rows=4, cols=2
        )
        self.images.insert(0, "image", range(len(rows)))
        pixels = np.random.default_rng(0).integers(0, 256, (len(rows), SMALL, SMALL), dtype=np.uint8)
        masks = np.zeros((len(rows), SMALL, SMALL), dtype=bool)
        for row in range(len(rows)):
            masks[row, : 1 + row % 4, :2] = True
        self.all_pixels, self.all_masks = pixels, masks
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
        assert resolution == SMALL
        wanted = self.masks[self.masks["image"].isin(images)]["image"].to_numpy()
        packed = np.packbits(self.all_masks[wanted].reshape(len(wanted), -1), axis=1)
        return SimpleNamespace(images=self.all_pixels[images], masks=packed)


@pytest.fixture
def small_store() -> SmallStore:
    return SmallStore()
