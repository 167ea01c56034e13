"""A corrected slice and its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.imaging import AXES, Volume, slice_stack
from UniverSegSlicerLib.segmentation import correct_neighbours


def damaged(truth: np.ndarray, axis: str, index: int) -> np.ndarray:
    """A result that lacks half of structure 1 around a slice, with that slice put right."""
    labels = truth.copy()
    stack = slice_stack(labels, axis)
    for n in range(index - 3, index + 4):
        if n != index:
            half = stack[n][:, : stack.shape[2] // 3 + 4]
            half[half == 1] = 0
    return labels


@pytest.mark.parametrize("axis", AXES)
def test_the_neighbours_follow(phantom, model, overlap, axis: str) -> None:
    index = {"k": 12, "j": 27, "i": 28}[axis]
    labels = damaged(phantom.truth, axis, index)
    before = labels.copy()
    result = correct_neighbours(phantom.volume, labels, axis, index, model=model, reach=4)
    assert result.slices == (index - 4, index + 5)
    np.testing.assert_array_equal(labels, before)
    stack, old, truth = (slice_stack(a, axis) for a in (result.labels, labels, phantom.truth))
    np.testing.assert_array_equal(stack[index], old[index])
    outside = np.delete(np.arange(len(stack)), np.s_[index - 4 : index + 5])
    np.testing.assert_array_equal(stack[outside], old[outside])
    for n in (index - 1, index + 2):
        assert overlap(stack[n] == 1, truth[n] == 1) > overlap(old[n] == 1, truth[n] == 1) + 0.05
    assert model.passes <= 2 * 8 * 3


def test_marked_slices_end_the_reach(phantom, model) -> None:
    labels = damaged(phantom.truth, "k", 12)
    result = correct_neighbours(phantom.volume, labels, "k", 12, model=model, marked=[10, 12, 15], reach=6)
    assert result.slices == (11, 15)
    np.testing.assert_array_equal(result.labels[[10, 15]], labels[[10, 15]])


def test_the_reach_ends_at_the_volume(phantom, model) -> None:
    assert correct_neighbours(phantom.volume, phantom.truth, "k", 2, model=model).slices == (0, 8)


def test_other_labels_stay(phantom, model) -> None:
    labels = damaged(phantom.truth, "k", 12)
    labels[11, 50:55, 60:65] = 7
    result = correct_neighbours(phantom.volume, labels, "k", 12, model=model, label_values=[1])
    assert (result.labels[11, 50:55, 60:65] == 7).all()
    inside = result.labels == 2
    assert not (inside & (labels != 2)).any()


def test_a_structure_that_was_taken_away_goes_from_the_neighbours(phantom, model) -> None:
    labels = np.zeros_like(phantom.truth)
    labels[9:16, 40:50, 50:60] = 1
    labels[12] = 0
    result = correct_neighbours(phantom.volume, labels, "k", 12, model=model, reach=4)
    assert not result.labels.any()


def test_no_way_to_correct(phantom, model) -> None:
    with pytest.raises(InputError, match="reach is 0"):
        correct_neighbours(phantom.volume, phantom.truth, "k", 12, model=model, reach=0)
    with pytest.raises(InputError, match="k:24 is outside"):
        correct_neighbours(phantom.volume, phantom.truth, "k", 24, model=model)
    with pytest.raises(InputError, match="one grid"):
        correct_neighbours(
            Volume(phantom.volume.array, phantom.volume.geometry), phantom.truth[1:], "k", 2, model=model
        )
