"""The intensity rule: one for a slice and a volume, every dtype, odd values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.imaging import IntensityWindow

DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]


@given(hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=2, max_dims=3)))
def test_every_array_ends_in_the_unit_interval(array: np.ndarray) -> None:
    if not np.isfinite(array).any():
        with pytest.raises(InputError, match="no finite value"):
            IntensityWindow.of(array)
        return
    scaled = IntensityWindow.of(array).apply(array)
    assert scaled.dtype == np.float32
    assert scaled.shape == array.shape
    assert (scaled >= 0).all() and (scaled <= 1).all()


@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_the_dtype_does_not_change_the_picture(dtype: str) -> None:
    counts = np.random.default_rng(0).integers(0, 120, (10, 20, 20))
    expected = IntensityWindow.of(counts).apply(counts)
    array = counts.astype(dtype)
    np.testing.assert_allclose(IntensityWindow.of(array).apply(array), expected, atol=1e-6)


def test_a_slice_looks_the_same_alone_and_in_its_volume() -> None:
    volume = np.random.default_rng(1).normal(300, 80, (8, 30, 40))
    window = IntensityWindow.of(volume)
    np.testing.assert_array_equal(window.apply(volume)[3], window.apply(volume[3]))


def test_percentiles_leave_out_single_bright_and_dark_voxels() -> None:
    array = np.linspace(0, 100, 10_000).reshape(100, 100)
    array[0, 0], array[5, 5] = -1e6, 1e6
    window = IntensityWindow.of(array)
    assert 0 <= window.low < 1
    assert 99 < window.high <= 100


def test_a_tiny_structure_on_an_empty_background_is_not_a_constant_image() -> None:
    array = np.zeros((100, 100))
    array[50, 50:60] = 7.0
    assert IntensityWindow.of(array).apply(array).max() == 1.0


@pytest.mark.parametrize("value", [0, 7, -3.5, 1e300])
def test_a_constant_image_becomes_zeros(value: float) -> None:
    array = np.full((4, 5, 6), value)
    assert not IntensityWindow.of(array).apply(array).any()


def test_nan_and_infinity_do_not_disturb_the_rest() -> None:
    clean = np.random.default_rng(2).normal(size=(20, 20, 20))
    dirty = clean.copy()
    dirty[0, 0, :3] = np.nan, np.inf, -np.inf
    scaled = IntensityWindow.of(dirty).apply(dirty)
    np.testing.assert_array_equal(scaled[0, 0, :3], [0, 1, 0])
    np.testing.assert_allclose(scaled[1:], IntensityWindow.of(clean).apply(clean)[1:], atol=0.01)


def test_the_widest_spans_do_not_overflow() -> None:
    array = np.array([[-1.7e308, 0.0, 1.7e308]])
    np.testing.assert_allclose(IntensityWindow.of(array).apply(array), [[0, 0.5, 1]])
    array = np.array([[np.iinfo("i8").min, 0, np.iinfo("i8").max]])
    np.testing.assert_allclose(IntensityWindow.of(array).apply(array), [[0, 0.5, 1]])


def test_large_volumes_are_sampled_evenly_and_repeatably() -> None:
    array = np.broadcast_to(np.arange(256, dtype=np.uint8), (160, 128, 256)).copy()  # the value is the column
    window = IntensityWindow.of(array)
    assert window == IntensityWindow.of(array)
    assert (window.low, window.high) == (1.0, 254.0)


def test_windows_need_two_numbers_in_order() -> None:
    with pytest.raises(InputError, match="rising order"):
        IntensityWindow(2.0, 1.0)
    with pytest.raises(InputError, match="finite"):
        IntensityWindow(0.0, float("nan"))
