"""Grids: what counts as the same, slices of arrays, spacing of slices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.imaging import AXES, Geometry, Volume, array_axis, slice_distance, slice_spacing, take_slice

GRID = Geometry((5, 6, 7), (0.5, 0.75, 2.0), (-10.0, 20.0, 30.0))


@pytest.mark.parametrize(
    ("other", "field"),
    [
        (Geometry((5, 6, 8), GRID.spacing, GRID.origin), "size"),
        (Geometry(GRID.size, (0.5, 0.75, 2.01), GRID.origin), "spacing"),
        (Geometry(GRID.size, GRID.spacing, (-10.0, 20.0, 31.0)), "origin"),
        (Geometry(GRID.size, GRID.spacing, GRID.origin, (-1, 0, 0, 0, -1, 0, 0, 0, 1)), "direction"),
    ],
)
def test_difference_names_the_field_and_both_values(other: Geometry, field: str) -> None:
    sentence = GRID.difference(other)
    assert sentence is not None
    assert sentence.startswith(f"the {field} differs")
    assert " and " in sentence


def test_difference_overlooks_what_float32_headers_round_away() -> None:
    rounded = Geometry(GRID.size, tuple(np.float32(s) * (1 + 1e-6) for s in GRID.spacing), (-10.00001, 20.0, 30.0))
    assert GRID.difference(rounded) is None
    assert GRID.difference(GRID) is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": (0, 1, 1)},
        {"size": (1, 1, 1), "spacing": (1.0, 0.0, 1.0)},
        {"size": (1, 1, 1), "spacing": (1.0, -1.0, 1.0)},
        {"size": (1, 1, 1), "spacing": (1.0, float("nan"), 1.0)},
        {"size": (1, 1, 1), "origin": (float("inf"), 0.0, 0.0)},
        {"size": (1, 1, 1), "direction": (1, 0.5, 0, 0, 1, 0, 0, 0, 1)},
        {"size": (1, 1, 1), "direction": (1, 0, 0, 1)},
    ],
)
def test_impossible_grids_are_refused(arguments: dict) -> None:
    with pytest.raises(InputError):
        Geometry(**arguments)


def test_world_position_follows_the_columns_of_the_direction() -> None:
    grid = Geometry((2, 2, 2), (1.0, 2.0, 3.0), (10.0, 20.0, 30.0), (0, 0, 1, 1, 0, 0, 0, 1, 0))
    np.testing.assert_allclose(grid.to_world(np.array([1, 0, 0])), [10, 21, 30])
    np.testing.assert_allclose(grid.to_world(np.array([0, 1, 0])), [10, 20, 32])
    np.testing.assert_allclose(grid.to_world(np.array([0, 0, 1])), [13, 20, 30])


@given(st.sampled_from(AXES), st.integers(0, 4))
def test_a_slice_is_a_view_along_the_axis(axis: str, index: int) -> None:
    array = np.arange(5 * 6 * 7).reshape(7, 6, 5)
    part = take_slice(array, axis, index)
    assert np.shares_memory(part, array)
    np.testing.assert_array_equal(part, array.take(index, axis=array_axis(axis)))


def test_slice_spacing_is_rows_then_columns() -> None:
    assert slice_spacing(GRID, "k") == (0.75, 0.5)
    assert slice_spacing(GRID, "j") == (2.0, 0.5)
    assert slice_spacing(GRID, "i") == (2.0, 0.75)
    assert [slice_distance(GRID, axis) for axis in AXES] == [0.5, 0.75, 2.0]


def test_slices_outside_and_unknown_axes_are_refused() -> None:
    with pytest.raises(InputError, match="k:7 is outside"):
        take_slice(np.zeros((7, 6, 5)), "k", 7)
    with pytest.raises(InputError, match="axis 'z'"):
        array_axis("z")


def test_a_volume_fits_its_grid_and_holds_real_numbers() -> None:
    with pytest.raises(InputError, match="does not fit"):
        Volume(np.zeros((5, 6, 7)), GRID)
    with pytest.raises(InputError, match="complex"):
        Volume(np.zeros(GRID.shape, complex), GRID)
    with pytest.raises(InputError, match="4 dimensions"):
        Volume(np.zeros((1, *GRID.shape)), GRID)
