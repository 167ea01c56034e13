"""A small pool of made images: bright discs in noise, in volumes and across subjects."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.tasks.pool import DataPool, Task, VolumeTask

SIDE = 32


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
