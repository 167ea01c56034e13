"""Tiles for structures that are large on the network's grid."""

from __future__ import annotations

import numpy as np
import pytest

from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.segmentation import PropagationSettings, propagate
from UniverSegSlicerLib.segmentation.propagation.detail import tile_boxes


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [64, 128, 200])
def test_tiles_cover_the_square_and_are_of_one_size(size: int, count: int) -> None:
    boxes = tile_boxes(size, count)
    assert len(boxes) == count**2
    assert len({box.shape for box in boxes}) == 1
    covered = np.zeros((size, size), int)
    for box in boxes:
        covered[box.slices] += 1
    assert covered.min() == 1


def comb() -> np.ndarray:
    """A large disc with slits of ten pixels, two to three pixels of the network's grid of the whole."""
    rows, cols = np.indices((6, 256, 256))[1:]
    return (np.hypot(rows - 128, cols - 128) < 100) & (cols % 40 < 30)


def test_tiles_show_what_the_whole_cannot(model, overlap) -> None:
    truth = comb()
    marks = np.zeros(truth.shape, np.uint8)
    marks[[1, 4]] = truth[[1, 4]]
    volume = Volume(truth.astype(np.float32), Geometry((256, 256, 6)))
    coarse, fine = (
        propagate(volume, marks, model=model, settings=PropagationSettings(strategy="prior", margin=0.1, detail=n))
        for n in (1, 4)
    )
    assert overlap(fine.labels[2] == 1, truth[2]) > overlap(coarse.labels[2] == 1, truth[2]) + 0.02
    assert overlap(fine.labels[2] == 1, truth[2]) > 0.93


def test_a_small_structure_needs_no_tiles(phantom, model) -> None:
    marks = phantom.marks([8, 14])
    passes = []
    for detail in (1, 2):
        before = model.passes
        propagate(phantom.volume, marks, model=model, settings=PropagationSettings(detail=detail))
        passes.append(model.passes - before)
    assert passes[0] == passes[1]
