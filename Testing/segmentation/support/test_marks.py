"""Finding the marked slices and their axis."""

from __future__ import annotations

import numpy as np
import pytest

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.imaging import AXES, slice_stack
from UniverSegSlicerLib.segmentation import MarkedSlices, are_thin, find_marked_slices
from UniverSegSlicerLib.segmentation.support.marks import known_masks

SHAPE = (30, 40, 50)


def marked(**slices: list[int]) -> np.ndarray:
    """Discs on slices; along any axis the disc is 14 to 18 pixels wide."""
    labels = np.zeros(SHAPE, np.uint8)
    for axis, indices in slices.items():
        stack = slice_stack(labels, axis)
        rows, cols = np.indices(stack.shape[1:])
        for n in indices:
            stack[n][(rows - 15) ** 2 + (cols - 20) ** 2 < 64 + n] = 1
    return labels


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("indices", [[12], [5, 12, 20], [3, 4], [10, 11, 12], [2, 3, 4, 20, 21]])
def test_the_axis_is_found_from_the_marks(axis: str, indices: list[int]) -> None:
    found = find_marked_slices(marked(**{axis: indices}))
    assert (found.axis, list(found.indices)) == (axis, indices)


@pytest.mark.parametrize("axis", AXES)
def test_several_labels_and_islands_count_together(axis: str) -> None:
    labels = marked(**{axis: [6, 18]})
    slice_stack(labels, axis)[18, 1:3, 1:3] = 7
    assert find_marked_slices(labels).indices == (6, 18)


def test_nothing_marked() -> None:
    with pytest.raises(InputError, match="no slice is marked"):
        find_marked_slices(np.zeros(SHAPE, np.uint8))


ORIENTATIONS = [{"k": [15], "j": [15]}, {"k": [5, 15], "i": [20]}, {"k": [15], "j": [15], "i": [20]}]


@pytest.mark.parametrize("slices", ORIENTATIONS)
def test_several_orientations_are_named(slices: dict) -> None:
    with pytest.raises(InputError, match="several orientations") as caught:
        find_marked_slices(marked(**slices))
    for a, indices in slices.items():
        assert all(f"{a}:{n}" in str(caught.value) for n in indices)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("slices", ORIENTATIONS)
def test_a_given_axis_settles_which_slices_are_meant(slices: dict, axis: str) -> None:
    if axis in slices:
        assert list(find_marked_slices(marked(**slices), axis).indices) == slices[axis]
        return
    with pytest.raises(InputError, match=f"no {axis} slice is wholly marked") as caught:
        find_marked_slices(marked(**slices), axis)
    assert all(f"{a}:{n}" in str(caught.value) for a, indices in slices.items() for n in indices)


@pytest.mark.parametrize("axis", AXES)
def test_another_axis_than_that_of_the_marks_is_refused(axis: str) -> None:
    for other in set(AXES) - {axis}:
        for indices in ([6, 15, 18], [15]):
            with pytest.raises(InputError, match=f"no {other} slice is wholly marked"):
                find_marked_slices(marked(**{axis: indices}), other)


@pytest.mark.parametrize("axis", AXES)
def test_scribbles_and_outlines_are_told_from_shapes(axis: str) -> None:
    shapes = marked(**{axis: [6, 18]})
    assert not are_thin(shapes, find_marked_slices(shapes, axis))
    for part in (np.s_[6:8, 4:20], np.s_[4:20, 6]):
        lines = np.zeros(SHAPE, np.uint8)
        slice_stack(lines, axis)[(6, *(part if isinstance(part, tuple) else (part,)))] = 1
        assert are_thin(lines, MarkedSlices(axis, (6,)))
    small = np.zeros(SHAPE, np.uint8)
    slice_stack(small, axis)[6, 6:8, 6:9] = 1
    assert not are_thin(small, MarkedSlices(axis, (6,)))


@pytest.mark.parametrize("part", [np.s_[5:25, 5:25, 5:25], np.s_[4:12, 10:20, 10:20], np.s_[:, :, :]])
def test_a_filled_block_asks_for_the_axis(part: tuple) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[part] = 1
    with pytest.raises(InputError, match="fill a block"):
        find_marked_slices(labels)
    found = find_marked_slices(labels, "k")
    assert found.indices == tuple(np.flatnonzero(labels.any(axis=(1, 2))))


@pytest.mark.parametrize("part", [np.s_[5, 5, 5], np.s_[5, 5, 5:20], np.s_[5:8, 5:8, 5:8]])
def test_a_point_or_a_line_asks_for_the_axis(part: tuple) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[part] = 1
    with pytest.raises(InputError, match="say which axis"):
        find_marked_slices(labels)
    assert find_marked_slices(labels, "j").axis == "j"


def test_a_volume_of_one_slice_needs_no_axis() -> None:
    labels = np.zeros((1, 40, 50), np.uint8)
    labels[0, 10, 10:20] = 1
    assert find_marked_slices(labels).axis == "k"


def test_an_unknown_axis_is_refused() -> None:
    with pytest.raises(InputError, match="axis 'x'"):
        find_marked_slices(marked(k=[3]), "x")


def _levels(*rows: tuple[int, int]) -> tuple[list[int], np.ndarray]:
    """Marked slices, each with one label as a disc; the columns are those of the label."""
    return [n for n, _ in rows], np.stack([np.where(np.indices((9, 9))[0] < 6, value, 0) for _, value in rows])


def test_another_label_in_its_place_ends_a_structure() -> None:
    """Levels of a cord: the second one lies between the first and the third."""
    marked, slices = _levels((3, 1), (8, 1), (14, 2), (20, 2), (26, 3))
    known = known_masks(2, marked, slices, complete=False)
    assert sorted(known) == [8, 14, 20, 26]
    assert not known[8].any() and not known[26].any() and known[14].any()
    assert sorted(known_masks(1, marked, slices, complete=False)) == [3, 8, 14]
    assert sorted(known_masks(2, marked, slices, complete=True)) == marked


def test_another_label_beside_it_ends_nothing() -> None:
    """Two organs that are marked in turn, each on slices of its own."""
    marked, slices = _levels((3, 1), (8, 2), (14, 1), (20, 2))
    slices = np.where(slices == 2, 0, slices)
    for row in (1, 3):
        slices[row, 6:] = 2
    assert sorted(known_masks(1, marked, slices, complete=False)) == [3, 14]
    assert sorted(known_masks(2, marked, slices, complete=False)) == [8, 20]
    assert known_masks(7, marked, slices, complete=False) == {}
