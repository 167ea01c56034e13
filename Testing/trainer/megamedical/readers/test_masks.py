"""Every encoding of labels, and what does not fit is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer.megamedical.declaration import RATER_STEP, LabelRule
from trainer.megamedical.readers import masks
from UniverSegSlicerLib.errors import InputError


def rule(encoding: str, names: dict[str, str], **more: Any) -> LabelRule:
    return LabelRule(("x",), encoding, names, **more)  # type: ignore[arg-type]


def dense(given: LabelRule, array: Any, dims: int = 2, shape: tuple[int, ...] | None = None) -> tuple[np.ndarray, list]:
    array = np.asarray(array)
    parts, notes = masks.encode(given, array, "file", dims=dims)
    return masks.collect(given, parts, shape or array.shape[:dims]).dense().astype(int), notes


def test_values_keep_their_numbers_and_extra_values_are_said() -> None:
    given = rule("values", {"1": "a", "25": "b", "28": "c"}, ignore=("9",))
    found, notes = dense(given, [[0, 1, 25], [28, 9, 7]])
    assert found.tolist() == [[[0, 1, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 0]], [[0, 0, 0], [1, 0, 0]]]
    assert [label.value for label in given.labels] == [1, 25, 28]
    assert len(notes) == 1
    assert notes[0].endswith("does not name: 7")


def test_float_maps_must_be_whole_numbers() -> None:
    given = rule("values", {"1": "a"})
    assert dense(given, [[0.0, 1.0002]])[0].tolist() == [[[0, 1]]]
    with pytest.raises(InputError, match="fractions"):
        dense(given, [[0.0, 0.4]])


def test_an_empty_mask_is_all_background() -> None:
    found, notes = dense(rule("values", {"1": "a", "2": "b"}), np.zeros((3, 4)))
    assert found.shape == (2, 3, 4)
    assert not found.any()
    assert not notes


@pytest.mark.parametrize(
    ("encoding", "names", "array", "expected"),
    [
        ("nonzero", {"any": "a"}, [[0, 3, 255]], [[[0, 1, 1]]]),
        ("threshold", {"255": "a"}, [[127, 128, 255]], [[[0, 1, 1]]]),
        ("ranges", {"55..70": "a", "110..135": "b"}, [[54, 55, 70, 110, 0]], [[[0, 1, 1, 0, 0]], [[0, 0, 0, 1, 0]]]),
        ("nearest", {"128": "a", "255": "b"}, [[9, 63, 65, 190, 192, 250]],
         [[[0, 0, 1, 1, 0, 0]], [[0, 0, 0, 0, 1, 1]]]),
    ],
)  # fmt: skip
def test_grey_value_encodings(encoding: str, names: dict, array: list, expected: list) -> None:
    assert dense(rule(encoding, names), array)[0].tolist() == expected


def test_values_outside_all_ranges_are_said() -> None:
    _, notes = dense(rule("ranges", {"55..70": "a"}), [[0, 60, 90]])
    assert notes[0].endswith("outside all ranges: 90")


def test_colours() -> None:
    array = np.zeros((1, 4, 3), np.uint8)
    array[0, 1], array[0, 2], array[0, 3] = (255, 0, 0), (0, 0, 255), (1, 2, 3)
    found, notes = dense(rule("colours", {"255,0,0": "red", "0, 0, 255": "blue"}), array)
    assert found.tolist() == [[[0, 1, 0, 0]], [[0, 0, 1, 0]]]
    assert notes[0].endswith("1,2,3")


def test_channels_overlap() -> None:
    array = np.zeros((1, 2, 3), np.int32)
    array[0, :, 0], array[0, 1, 2] = (7, 8), 9  # instance numbers
    found, _ = dense(rule("channels", {"0": "cell", "2": "nucleus"}), array)
    assert found.tolist() == [[[1, 1]], [[0, 1]]]
    first = rule("channels", {"0": "cell"}, options={"channel_axis": "first"})
    assert dense(first, np.moveaxis(array, -1, 0), shape=(1, 2))[0].tolist() == [[[1, 1]]]
    with pytest.raises(InputError, match="channel 5 is missing"):
        dense(rule("channels", {"5": "x"}), array)


def test_class_files_overlap_and_unknown_classes_are_said() -> None:
    given = rule("classes", {"EX": "exudate", "OD": "disc"}, ignore=("XX",))
    one, _ = masks.encode(given, np.array([[0, 255]]), "f", key="ex")
    two, _ = masks.encode(given, np.array([[255, 255]]), "f", key="OD")
    assert masks.collect(given, [*one, *two], (1, 2)).dense().astype(int).tolist() == [[[0, 1]], [[1, 1]]]
    assert masks.encode(given, np.array([[1, 0]]), "f", key="xx") == ([], [])
    assert "'SE'" in masks.encode(given, np.array([[1, 0]]), "f", key="SE")[1][0]


def test_colour_masks_of_grey_values() -> None:
    given = rule("values", {"1": "a"})
    grey = np.repeat(np.array([[0, 1]], np.uint8)[..., None], 3, axis=-1)
    assert dense(given, grey, shape=(1, 2))[0].tolist() == [[[0, 1]]]
    grey[0, 1, 2] = 9
    with pytest.raises(InputError, match="encoding colours"):
        dense(given, grey)
    picked = rule("values", {"9": "a"}, options={"grey": 2})
    assert dense(picked, grey, shape=(1, 2))[0].tolist() == [[[0, 1]]]
    assert dense(rule("nonzero", {"x": "a"}), grey, shape=(1, 2))[0].tolist() == [[[0, 1]]]


def test_a_thin_volume_is_not_taken_for_colours() -> None:
    thin = np.zeros((5, 6, 3), np.uint8)
    thin[2, 3, 1] = 1
    assert dense(rule("values", {"1": "a"}), thin, dims=3)[0].sum() == 1


def test_inverted_masks() -> None:
    given = rule("threshold", {"0": "dark"}, options={"inverted": True})
    assert dense(given, np.array([[0, 255]], np.uint8))[0].tolist() == [[[1, 0]]]
    flags = rule("nonzero", {"0": "dark"}, options={"inverted": True})
    assert dense(flags, np.array([[True, False]]))[0].tolist() == [[[0, 1]]]


def test_raters_give_labels_of_their_own() -> None:
    given = rule("nonzero", {"x": "vessel"}, raters={"vk": "Valentina", "ah": "Adam"})
    assert [(label.value, label.name) for label in given.labels] == [
        (1, "vessel"),
        (1 + RATER_STEP, "vessel (rater Adam)"),
    ]
    assert masks.rater_turn(given, "AH", "f") == 1
    assert masks.rater_turn(given, "zz", "f") is None
    parts, _ = masks.encode(given, np.array([[0, 1]]), "f", turn=1)
    assert masks.collect(given, parts, (1, 2)).dense().astype(int).tolist() == [[[0, 0]], [[0, 1]]]


def test_slices_and_areas_agree_with_the_dense_masks() -> None:
    rng = np.random.default_rng(0)
    given = rule("values", {"1": "a", "2": "b", "3": "c"})
    parts, _ = masks.encode(given, rng.integers(0, 4, (5, 6, 7)), "f", dims=3)
    multi_hot = masks.collect(given, parts, (5, 6, 7))
    full = multi_hot.dense()
    for axis in range(3):
        rest = tuple(a for a in (1, 2, 3) if a != axis + 1)
        np.testing.assert_array_equal(multi_hot.areas(axis), full.sum(axis=rest))
        for index in range(full.shape[axis + 1]):
            for position, mask in multi_hot.take(axis, index).items():
                np.testing.assert_array_equal(mask, full[position].take(index, axis=axis))
    assert multi_hot.present() == [0, 1, 2]
