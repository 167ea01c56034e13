"""Painted slices are told from predicted ones, through edits, undo, and saving."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from UniverSegSlicerLib.errors import InputError

SHAPE = (12, 16, 20)


def disc(*slices: int, axis: int = 0, radius: float = 4.0) -> np.ndarray:
    """A disc of voxels on some slices along an array axis (0 is K)."""
    mask = np.zeros(SHAPE, np.uint8)
    stack = np.moveaxis(mask, axis, 0)
    rows, cols = np.ogrid[: stack.shape[1], : stack.shape[2]]
    inside = np.hypot(rows - stack.shape[1] / 2, cols - stack.shape[2] / 2) < radius
    for number in slices:
        stack[number] = inside
    return mask


class Case:
    """A volume, a segmentation with one segment "a", and shorthands."""

    def __init__(self, world: Any, mask: np.ndarray, matrix: np.ndarray | None = None) -> None:
        self.world = world
        self.volume = world.volume(np.zeros(SHAPE, np.int16), matrix)
        self.segmentation = world.segmentation(self.volume, {"a": mask})

    def marked(self, axis: str = "auto") -> tuple[str, list[int]]:
        from UniverSegSlicerLib.scene.support.marks import marked_slices

        rows = marked_slices(self.segmentation, ["a"], self.volume, axis)
        assert len({row.axis for row in rows}) == 1
        return rows[0].axis, [row.index for row in rows]

    def paint(self, mask: np.ndarray) -> None:
        self.world.paint(self.segmentation, "a", mask, self.volume)

    def content(self) -> np.ndarray:
        from UniverSegSlicerLib.scene.mrml.segments import read_segment

        return read_segment(self.segmentation, "a", self.volume)

    def apply(self, wanted: np.ndarray, axis: str, marked: list[int]) -> None:
        """What the logic does when a result is applied."""
        from UniverSegSlicerLib.scene.support.marks import remember_result

        self.paint(wanted)
        remember_result(self.segmentation, ["a"], self.volume, axis, marked)


@pytest.mark.parametrize(("axis", "array_axis"), [("k", 0), ("j", 1), ("i", 2)])
def test_painted_slices_are_found_along_every_axis(world, oblique, axis, array_axis):
    case = Case(world, disc(2, 5, 8, axis=array_axis), oblique())
    assert case.marked() == (axis, [2, 5, 8])


def test_rows_tell_area_and_segments(world):
    from UniverSegSlicerLib.scene.support.marks import marked_slices

    volume = world.volume(np.zeros(SHAPE, np.int16), np.diag([0.5, 0.8, 3.0, 1.0]))
    segmentation = world.segmentation(volume, {"a": disc(2, 5), "b": disc(5, 8, radius=2)})
    rows = marked_slices(segmentation, ["a", "b"], volume)
    assert [row.index for row in rows] == [2, 5, 8]
    assert [row.segment_ids for row in rows] == [("a",), ("a", "b"), ("b",)]
    assert rows[0].area_mm2 == pytest.approx(disc(2).sum() * 0.5 * 0.8)
    assert rows[1].area_mm2 == pytest.approx((disc(2).sum() + disc(2, radius=2).sum()) * 0.4)


def test_predictions_do_not_count_until_the_user_paints_on_them(world):
    case = Case(world, disc(2, 8))
    filled = disc(*range(2, 9), radius=4.5)
    filled[[2, 8]] = disc(2, 8)[[2, 8]]
    case.apply(filled, "k", [2, 8])
    assert case.marked() == ("k", [2, 8])
    corrected = case.content()
    corrected[5, 8, 10] = 0
    case.paint(corrected)
    assert case.marked() == ("k", [2, 5, 8])
    # A new slice beyond the result, and one that the user wiped.
    corrected[10] = disc(10)[10]
    corrected[6] = 0
    case.paint(corrected)
    assert case.marked() == ("k", [2, 5, 6, 8, 10])


def test_corrections_are_found_after_moving_a_few_voxels_without_changing_their_number(world):
    case = Case(world, disc(2, 8))
    filled = disc(*range(2, 9))
    case.apply(filled, "k", [2, 8])
    filled[5] = np.roll(filled[5], 1, axis=1)
    case.paint(filled)
    assert case.marked() == ("k", [2, 5, 8])


def test_undo_of_the_result_brings_the_marks_back_alone(world):
    from UniverSegSlicerLib.scene.mrml.editing import Change, SegmentWriter
    from UniverSegSlicerLib.scene.mrml.grid import whole_extent
    from UniverSegSlicerLib.scene.support.marks import remember_result

    case = Case(world, disc(2, 8))
    writer = SegmentWriter(world.scene)
    writer.apply([Change("a", disc(*range(2, 9)), whole_extent(SHAPE[::-1]))], case.segmentation, case.volume)
    remember_result(case.segmentation, ["a"], case.volume, "k", [2, 8])
    assert case.marked() == ("k", [2, 8])
    assert writer.undo()
    np.testing.assert_array_equal(case.content(), disc(2, 8))
    assert case.marked() == ("k", [2, 8])
    case.paint(disc(2, 5, 8))
    assert case.marked() == ("k", [2, 5, 8])


def test_a_stroke_across_the_marked_slices_is_refused_in_words_unless_the_axis_is_given(world):
    case = Case(world, disc(2, 8))
    filled = disc(*range(0, 12))
    case.apply(filled, "k", [2, 8])
    filled[:, 4:12, 9] = 1 - filled[:, 4:12, 9]  # one sagittal slice, through all axial ones
    case.paint(filled)
    with pytest.raises(InputError, match="marked along the K axis and then changed along the I axis"):
        case.marked()
    assert case.marked("i") == ("i", [9])
    assert case.marked("k") == ("k", list(range(12)))


def test_fresh_marks_in_two_orientations_are_refused_in_words(world):
    case = Case(world, disc(3, 8) | disc(7, axis=2))
    with pytest.raises(InputError, match=r"Segment 'a': slices in several orientations are marked .*i:7.*k:3"):
        case.marked()


def test_two_segments_in_two_orientations_are_refused_in_words(world):
    from UniverSegSlicerLib.scene.support.marks import marked_slices

    volume = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(volume, {"Liver": disc(3, 8), "Spleen": disc(7, axis=2)})
    with pytest.raises(InputError, match="two orientations \\('Liver' along the K axis and 'Spleen' along the I axis"):
        marked_slices(segmentation, ["Liver", "Spleen"], volume)


def test_empty_and_misplaced_segments_are_refused_in_words(world):
    from UniverSegSlicerLib.scene.support.marks import marked_slices

    volume = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(volume, {"a": disc(3), "b": np.zeros(SHAPE)})
    assert [row.index for row in marked_slices(segmentation, ["a", "b"], volume)] == [3]
    with pytest.raises(InputError, match="The segment 'b' is empty"):
        marked_slices(segmentation, ["a", "b"], volume, skip_empty=False)
    with pytest.raises(InputError, match="The segment 'b' is empty"):
        marked_slices(segmentation, ["b"], volume)
    far = np.eye(4)
    far[:3, 3] = 500
    elsewhere = world.volume(np.zeros(SHAPE, np.int16), far, "Other patient")
    with pytest.raises(InputError, match="lie outside the volume 'Other patient'"):
        marked_slices(segmentation, ["a"], elsewhere)


def test_taking_a_slice_off_the_marks(world):
    from UniverSegSlicerLib.scene.support.marks import forget_mark, marked_slices

    case = Case(world, disc(2, 5, 8))
    row = marked_slices(case.segmentation, ["a"], case.volume)[1]
    forget_mark(case.segmentation, ["a"], case.volume, row)
    assert case.marked() == ("k", [2, 8])
    np.testing.assert_array_equal(case.content(), disc(2, 5, 8))
    # Painting on it makes it a mark again.
    case.paint(disc(2, 8) | disc(5, radius=3))
    assert case.marked() == ("k", [2, 5, 8])
    for index in (2, 5, 8):
        rows = marked_slices(case.segmentation, ["a"], case.volume)
        forget_mark(case.segmentation, ["a"], case.volume, next(row for row in rows if row.index == index))
    with pytest.raises(InputError, match="No slice of the segment 'a' is marked by hand"):
        case.marked()


def test_slices_that_are_switched_off(world):
    from UniverSegSlicerLib.scene.support.marks import marked_slices
    from UniverSegSlicerLib.scene.support.switched_off import set_used, unused_slices

    case = Case(world, disc(2, 5, 8))
    set_used(case.segmentation, "k", 5, False)
    set_used(case.segmentation, "i", 3, False)
    assert [row.used for row in marked_slices(case.segmentation, ["a"], case.volume)] == [True, False, True]
    set_used(case.segmentation, "k", 5, True)
    assert all(row.used for row in marked_slices(case.segmentation, ["a"], case.volume))
    assert unused_slices(case.segmentation, "i") == {3}


def test_a_result_on_another_volume_or_place_is_not_mistaken(world):
    """The record belongs to one grid; on another one the content alone speaks."""
    case = Case(world, disc(2, 8))
    case.apply(disc(*range(2, 9)), "k", [2, 8])
    shift = np.eye(4)
    shift[:3, 3] = (0, 0, 1)
    case.segmentation.SetAndObserveTransformNodeID(world.transform(shift).GetID())
    assert case.marked("k") == ("k", list(range(3, 10)))


def test_the_record_is_saved_with_the_scene(world, tmp_path):
    from UniverSegSlicerLib.scene.support.applied_results import Record
    from UniverSegSlicerLib.scene.support.switched_off import set_used

    case = Case(world, disc(2, 8))
    case.apply(disc(*range(2, 9)), "k", [2, 8])
    set_used(case.segmentation, "k", 8, False)
    text = case.segmentation.GetSegmentation().GetSegment("a")
    path = tmp_path / "marks.seg.nrrd"
    storage = world.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.WriteData(case.segmentation)
    loaded = world.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Loaded")
    assert storage.ReadData(loaded)
    segment = loaded.GetSegmentation().GetSegment("a")
    from UniverSegSlicerLib.scene.mrml.segments import read_tag
    from UniverSegSlicerLib.scene.support.applied_results import RECORD_TAG

    assert read_tag(segment, RECORD_TAG) == read_tag(text, RECORD_TAG) != ""
    record = Record.from_text(read_tag(segment, RECORD_TAG))
    assert record is not None
    assert record.marked == (2, 8)
    assert Record.from_text(record.to_text()) == record


@pytest.mark.parametrize(
    "text", ["", "nonsense", "k;1;1;2", "k;1;1;2;!!;;", "x;1;1;2;;;", "k;1;one;2;;;", "k;1;1;2;AAAA;;"]
)
def test_damaged_records_count_as_none(text):
    pytest.importorskip("slicer")
    from UniverSegSlicerLib.scene.support.applied_results import Record

    assert Record.from_text(text) is None
