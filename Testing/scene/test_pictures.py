"""Thumbnails and the made-up sample scan."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from UniverSegSlicerLib.imaging import Geometry
from UniverSegSlicerLib.scene.support.thumbnails import View, thumbnail


def test_pictures_keep_physical_proportions():
    grey = np.full((10, 40), 0.5, np.float32)
    picture = thumbnail(grey, [], (4.0, 1.0), 32)  # 40 mm by 40 mm
    assert (picture == 127).all()
    picture = thumbnail(grey, [], (1.0, 1.0), 32)  # 10 mm by 40 mm
    filled = (picture > 0).any(axis=(1, 2))
    assert filled.sum() == 8
    assert filled[12:20].all()


def test_structures_are_outlined_in_their_colour_thin_ones_too():
    grey = np.zeros((32, 32), np.float32)
    block, line = np.zeros((2, 32, 32), np.uint8)
    block[5:15, 5:15] = 1
    line[20, 4:28] = 1
    picture = thumbnail(grey, [(block, (1.0, 0.0, 0.0)), (line, (0.0, 1.0, 0.0))], (1.0, 1.0), 32)
    red = (picture == [255, 0, 0]).all(axis=2)
    assert red.sum() == 36  # the rim of 10 x 10
    assert not red[7:13, 7:13].any()
    assert (picture == [0, 255, 0]).all(axis=2).sum() == 24


@pytest.mark.parametrize("axis", ["i", "j", "k"])
def test_slices_are_shown_as_readers_expect_however_the_scan_is_stored(axis):
    """In 48 storage orders: head or front up, the patient's left on the right, never mirrored in between."""
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            direction = np.zeros((3, 3))
            for column, (row, sign) in enumerate(zip(order, signs, strict=True)):
                direction[row, column] = sign
            geometry = Geometry((4, 5, 6), (1.0, 2.0, 3.0), direction=tuple(direction.ravel()))
            # Pictures of where each pixel lies along L, P and S.
            k, j, i = np.meshgrid(*(np.arange(n) for n in (6, 5, 4)), indexing="ij")
            world = geometry.to_world(np.stack([i, j, k], -1))
            view = View.of(geometry, axis)
            shown = [view.show(np.take(world[..., n], 2, axis=2 - "ijk".index(axis))) for n in range(3)]
            normal = int(np.argmax(np.abs(direction[:, "ijk".index(axis)])))
            if normal == 2:  # axial: left to the right, back at the bottom
                assert shown[0][0, -1] > shown[0][0, 0]
                assert shown[1][-1, 0] > shown[1][0, 0]
            elif normal == 1:  # coronal: left to the right, feet at the bottom
                assert shown[0][0, -1] > shown[0][0, 0]
                assert shown[2][-1, 0] < shown[2][0, 0]
            else:  # sagittal: back to the right, feet at the bottom
                assert shown[1][0, -1] > shown[1][0, 0]
                assert shown[2][-1, 0] < shown[2][0, 0]
            row_mm, col_mm = view.spacing(geometry, axis)
            vertical, horizontal = {0: (2, 1), 1: (2, 0), 2: (1, 0)}[normal]
            sizes = np.abs(direction) @ [1.0, 2.0, 3.0]
            assert (row_mm, col_mm) == (sizes[vertical], sizes[horizontal])


def test_the_sample_scan_is_always_the_same_and_has_every_structure(world):
    from UniverSegSlicerLib.scene.mrml.sample import STRUCTURES, add_sample, phantom
    from UniverSegSlicerLib.scene.mrml.segments import read_segment
    from UniverSegSlicerLib.scene.mrml.volumes import anatomical_name, array_of
    from UniverSegSlicerLib.scene.support.marks import marked_slices

    array, labels = phantom()
    again, _ = phantom()
    np.testing.assert_array_equal(array, again)
    assert array.dtype == np.int16
    for value in range(1, len(STRUCTURES) + 1):
        assert np.count_nonzero(labels == value) > 5000
        assert abs(array[labels == value].mean() - array[labels == 0].mean()) > 50
    volume, segmentation = add_sample(world.scene, marked=(20, 30, 40))
    np.testing.assert_array_equal(array_of(volume), array)
    assert anatomical_name(volume, "k") == "Axial"
    assert segmentation is not None
    assert [row.index for row in marked_slices(segmentation, list(STRUCTURES), volume)] == [20, 30, 40]
    for value, name in enumerate(STRUCTURES, start=1):
        np.testing.assert_array_equal(read_segment(segmentation, name, volume)[30], labels[30] == value)
    assert add_sample(world.scene)[1] is None
