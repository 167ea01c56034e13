"""Shapes between shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from scipy.ndimage import distance_transform_edt

from UniverSegSlicerLib.segmentation.shapes import shapes_between, signed_distance, soft_mask


def disc(row: float, col: float, radius: float, size: int = 64) -> np.ndarray:
    rows, cols = np.indices((size, size))
    return (rows - row) ** 2 + (cols - col) ** 2 <= radius**2


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12)))
def test_distances_agree_with_another_library(mask: np.ndarray) -> None:
    found = signed_distance(mask)
    assert ((found > 0) == mask).all()
    if mask.any() and not mask.all():
        inside, outside = distance_transform_edt(mask), distance_transform_edt(~mask)
        np.testing.assert_allclose(found, np.where(mask, inside - 0.5, 0.5 - outside), atol=1e-5)


def test_the_ends_are_the_shapes_themselves() -> None:
    a, b = disc(30, 30, 10), disc(34, 30, 16)
    first, last = shapes_between(a, b, [0.0, 1.0]) > 0
    assert (first == a).all() and (last == b).all()


def test_the_middle_of_two_discs_is_a_disc_between(overlap) -> None:
    middle = shapes_between(disc(30, 30, 8), disc(30, 30, 16), [0.5])[0] > 0
    assert overlap(middle, disc(30, 30, 12)) > 0.97


def test_a_thin_structure_that_moves_does_not_vanish(overlap) -> None:
    middle = shapes_between(disc(16, 16, 4), disc(48, 40, 4), [0.5])[0] > 0
    assert overlap(middle, disc(32, 28, 4)) > 0.9


def test_soft_masks_are_certain_two_pixels_from_the_border() -> None:
    mask = disc(30, 30, 10)
    soft = soft_mask(signed_distance(mask))
    assert ((soft > 0.5) == mask).all()
    assert soft[30, 30] > 0.99 and soft[30, 44] < 0.01
    assert soft[30, 40] == pytest.approx(1 / (1 + np.exp(-1.0)), abs=0.01)


def test_an_empty_shape_pulls_its_neighbour_to_nothing() -> None:
    nothing = np.zeros((64, 64), bool)
    half = shapes_between(disc(30, 30, 10), nothing, [0.5])[0] > 0
    assert not half.any()
