"""Ordinary but odd volumes simply work."""

from __future__ import annotations

import numpy as np
import pytest

from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.segmentation import PropagationSettings, SupportSet, propagate

STRATEGIES = ["independent", "cascade", "prior"]


def settings(strategy: str) -> PropagationSettings:
    return PropagationSettings(strategy=strategy)


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"])
def test_every_type_of_voxel_and_label(phantom, model, overlap, dtype: str) -> None:
    truth = phantom.truth == 1
    volume = Volume((truth * 1).astype(dtype), phantom.volume.geometry)
    marks = np.zeros(truth.shape, dtype)
    marks[[8, 14]] = truth[[8, 14]]
    assert overlap(propagate(volume, marks, model=model).labels == 1, truth) > 0.8


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_constant_volume(phantom, model, strategy: str) -> None:
    volume = Volume(np.full(phantom.truth.shape, 7, np.int16), phantom.volume.geometry)
    result = propagate(volume, phantom.marks([8, 14]), model=model, settings=settings(strategy))
    np.testing.assert_array_equal(result.labels[[8, 14]], phantom.truth[[8, 14]])
    assert np.isfinite(result.confidence).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_constant_slice_among_others(phantom, model, strategy: str) -> None:
    array = phantom.volume.array.copy()
    array[10] = 500
    result = propagate(
        Volume(array, phantom.volume.geometry), phantom.marks([8, 14]), model=model, settings=settings(strategy)
    )
    assert np.isfinite(result.confidence).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_volume_of_one_slice(phantom, model, strategy: str) -> None:
    geometry = Geometry((70, 60, 1))
    volume, truth = Volume(phantom.volume.array[12:13], geometry), phantom.truth[12:13]
    result = propagate(volume, truth, model=model, settings=settings(strategy))
    np.testing.assert_array_equal(result.labels, truth)
    assert result.next_slices == []
    support = SupportSet.from_volume(volume, truth)
    again = propagate(volume, None, model=model, support=support, settings=settings(strategy))
    assert (again.labels == truth).mean() > 0.95


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nan_and_infinite_voxels(phantom, model, overlap, strategy: str) -> None:
    array = phantom.volume.array.copy()
    rng = np.random.default_rng(0)
    for value in (np.nan, np.inf, -np.inf):
        array[tuple(rng.integers(0, n, 200) for n in array.shape)] = value
    array[4] = np.nan
    volume = Volume(array, phantom.volume.geometry)
    result = propagate(volume, phantom.marks([8, 14]), model=model, settings=settings(strategy))
    assert overlap(result.labels == 1, phantom.truth == 1) > 0.8
    assert np.isfinite(result.confidence).all()


@pytest.mark.parametrize("spacing", [(1e-6,) * 3, (1e6,) * 3, (0.1, 3.0, 40.0), (1e-3, 1.0, 1e3)])
def test_tiny_huge_and_uneven_spacing(phantom, model, spacing: tuple) -> None:
    volume = Volume(phantom.volume.array, Geometry(phantom.volume.geometry.size, spacing))
    result = propagate(volume, phantom.marks([8, 14]), model=model)
    np.testing.assert_array_equal(result.labels[[8, 14]], phantom.truth[[8, 14]])
    assert np.isfinite(result.confidence).all()


@pytest.mark.parametrize("shape", [(3, 1, 9), (3, 9, 1), (3, 1, 1), (2, 3, 2)])
def test_tiny_slices(model, shape: tuple[int, int, int]) -> None:
    marks = np.zeros(shape, np.uint8)
    marks[0] = 1
    array = np.random.default_rng(0).random(shape)
    result = propagate(Volume(array, Geometry(shape[::-1])), marks, model=model, axis="k")
    assert (result.labels[0] == 1).all()


@pytest.mark.parametrize("order", ["C", "F"])
def test_any_memory_layout(phantom, model, order: str) -> None:
    marks = phantom.marks([8, 14])
    expected = propagate(phantom.volume, marks, model=model)
    array = np.array(phantom.volume.array, order=order)
    odd = Volume(array[:, ::-1][:, ::-1], phantom.volume.geometry)
    marks = np.array(marks, order=order)
    marks.setflags(write=False)
    np.testing.assert_array_equal(propagate(odd, marks, model=model).labels, expected.labels)


def test_a_single_marked_voxel(phantom, model) -> None:
    marks = np.zeros_like(phantom.truth)
    marks[12, 27, 28] = 1
    result = propagate(phantom.volume, marks, model=model, axis="k")
    assert result.labels[12].sum() == 1


def test_every_slice_is_marked(phantom, model) -> None:
    result = propagate(phantom.volume, phantom.truth, model=model, axis="k", marked_indices=range(24))
    np.testing.assert_array_equal(result.labels, phantom.truth)
    assert result.next_slices == [] and model.passes == 0


def test_a_support_set_whose_structure_is_as_dark_as_the_padding(phantom_of, model) -> None:
    """The whole of a long slice is looked at first; what seems to be found beside it is not there."""
    phantom = phantom_of((6, 20, 80))
    image = np.pad(np.zeros((10, 10)), 10, constant_values=1.0)
    support = SupportSet.from_pairs([image], [image == 0])
    bright = Volume(phantom.volume.array + 5000 * (phantom.truth == 0), phantom.volume.geometry)
    propagate(bright, None, model=model, support=support)
