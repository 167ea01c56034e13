"""The yardsticks of the demo and the benchmark: known answers on simple shapes."""

from __future__ import annotations

import numpy as np
import pytest

from UniverSegSlicerLib.cli.bench.baselines import copy_nearest, interpolate_shapes
from UniverSegSlicerLib.cli.bench.scores import dice, dice_of_labels


def cone(sizes: list[float], value: int = 1) -> np.ndarray:
    """Discs of these radii, one per slice, as a label map (K, J, I); a radius of 0 is an empty slice."""
    j, i = np.indices((41, 41))
    return np.stack([((j - 20) ** 2 + (i - 20) ** 2 < radius**2) * np.uint8(value) for radius in sizes])


def marks_of(labels: np.ndarray, indices: list[int]) -> np.ndarray:
    marks = np.zeros_like(labels)
    marks[indices] = labels[indices]
    return marks


def test_the_nearest_slice_is_copied_and_the_earlier_of_two() -> None:
    labels = cone([3, 4, 5, 6, 7, 8, 9])
    result = copy_nearest(marks_of(labels, [2, 4]), "k", [2, 4])
    expected = labels[[2, 2, 2, 2, 4, 4, 4]]
    assert np.array_equal(result, expected)


@pytest.mark.parametrize("axis", ["i", "j", "k"])
def test_a_cone_is_interpolated(axis: str) -> None:
    labels = cone([4, 5, 6, 7, 8, 9, 10, 11, 12])
    to_axis = {"k": (0, 1, 2), "j": (1, 0, 2), "i": (1, 2, 0)}[axis]
    turned = np.ascontiguousarray(labels.transpose(to_axis))
    marks = np.ascontiguousarray(marks_of(labels, [0, 8]).transpose(to_axis))
    result = interpolate_shapes(marks > 0, axis, [0, 8])
    assert dice(result, turned > 0) > 0.97
    assert dice(copy_nearest(marks, axis, [0, 8]) > 0, turned > 0) < 0.90


def test_marked_slices_are_kept_and_the_ends_copied() -> None:
    labels = cone([0, 0, 6, 0, 0, 0, 9, 0, 0])
    labels = labels > 0
    result = interpolate_shapes(labels, "k", [2, 6])
    assert np.array_equal(result[[2, 6]], labels[[2, 6]])
    assert np.array_equal(result[:2], labels[[2, 2]]) and np.array_equal(result[7:], labels[[6, 6]])


def test_a_structure_that_ends_shrinks_and_is_gone_half_way() -> None:
    labels = cone([9, 0, 0, 0, 0, 0, 0, 0, 0])
    areas = interpolate_shapes(labels > 0, "k", [0, 8]).sum(axis=(1, 2))
    assert all(areas[:4] > areas[1:5]) and areas[3] > 0
    assert areas[5:].sum() == 0


def test_dice() -> None:
    a, b = np.zeros((2, 10), bool), np.zeros((2, 10), bool)
    assert dice(a, b) == 1.0
    a[0, :6] = True
    assert dice(a, b) == 0.0
    b[0, 2:6] = True
    assert dice(a, b) == pytest.approx(0.8)


def test_marked_slices_are_not_scored() -> None:
    truth = cone([5, 5, 5, 5], 2)
    prediction = truth.copy()
    prediction[1] = 0
    assert dice_of_labels(prediction, truth, [2], axis="k") == {2: pytest.approx(2 * 3 / 7)}
    assert dice_of_labels(prediction, truth, [2], axis="k", without=[1]) == {2: 1.0}
    assert dice_of_labels(prediction, truth, [2], axis="k", without=[0, 2, 3]) == {2: 0.0}
