"""A segment that was emptied and painted anew is new work: what a result once filled counts for nothing."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.scene.running_case import MARKED, SHAPE, on_slices, structure


def disc(*slices: int, radius: float = 3.3) -> np.ndarray:
    """A disc of voxels on some K slices of the case's grid."""
    mask = np.zeros(SHAPE, np.uint8)
    rows, cols = np.ogrid[: SHAPE[1], : SHAPE[2]]
    mask[list(slices)] = np.hypot(rows - 12, cols - 9) < radius
    return mask


def clear(case, segment_id="a"):
    """What the Segmentations module and the Segment Editor's logical operator do."""
    import slicer

    slicer.vtkSlicerSegmentationsModuleLogic.ClearSegment(case.segmentation, segment_id)


def erase(case, segment_id="a"):
    """What erasing and scissors do: the label map stays, with nothing in it."""
    case.world.paint(case.segmentation, segment_id, np.zeros(SHAPE), case.volume)


def subtract(case, segment_id="a"):
    """The logical operator Subtract, by which the segment loses itself."""
    import slicer

    logic = slicer.vtkSlicerSegmentationsModuleLogic
    image = slicer.vtkOrientedImageData()
    case.segmentation.GetBinaryLabelmapRepresentation(segment_id, image)
    values = slicer.vtkOrientedImageData()
    values.DeepCopy(image)
    values.GetPointData().GetScalars().Fill(0)
    logic.SetBinaryLabelmapToSegment(values, case.segmentation, segment_id, logic.MODE_MERGE_MIN)


@pytest.fixture
def filled(make):
    """A segment of which a result filled every slice but the two marks."""
    from UniverSegSlicerLib.scene.support.marks import remember_result

    case = make()
    case.world.paint(case.segmentation, "a", structure(1), case.volume)
    remember_result(case.segmentation, ["a"], case.volume, "k", MARKED)
    case.segmentation.GetSegmentation().RemoveSegment("b")
    assert case.marked() == list(MARKED)
    return case


@pytest.mark.parametrize("empty", [clear, erase, subtract])
@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize("slices", [(1, 4, 7), (2, 6), (4,)], ids=str)
def test_emptied_and_painted_anew(filled, empty, seen, slices):
    """Whether or not somebody looked in between, and on whichever slices the new marks are."""
    empty(filled)
    if seen:
        assert filled.marked() == []
    filled.world.paint(filled.segmentation, "a", disc(*slices), filled.volume)
    assert filled.marked() == list(slices)


def test_painted_anew_just_as_before(filled):
    """The same marks once more, as a threshold draws them: they are all that counts."""
    clear(filled)
    filled.world.paint(filled.segmentation, "a", on_slices(structure(1), *MARKED), filled.volume)
    assert filled.marked() == list(MARKED)


def test_undo_of_the_clearing_brings_the_result_back(filled):
    import slicer

    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(filled.segmentation.GetSegmentation())
    history.SaveState()
    clear(filled)
    assert filled.marked() == []
    history.RestorePreviousState()
    assert np.array_equal(filled.read("a"), structure(1))
    assert filled.marked() == list(MARKED), "predictions are predictions again"
    history.RestoreNextState()
    filled.world.paint(filled.segmentation, "a", disc(3), filled.volume)
    assert filled.marked() == [3]


def test_removed_and_added_again_under_the_same_name(filled):
    held = filled.segmentation.GetSegmentation()
    held.RemoveSegment("a")
    held.AddEmptySegment("a", "a")
    filled.world.paint(filled.segmentation, "a", disc(1, 5), filled.volume)
    assert filled.marked() == [1, 5]


def test_slices_that_were_switched_off_are_on_again_for_new_marks(filled):
    filled.logic.set_used(filled.selection, "k:2", False)
    clear(filled)
    assert filled.marked() == []
    filled.world.paint(filled.segmentation, "a", disc(2, 5), filled.volume)
    assert all(row.used for row in filled.logic.support(filled.selection).rows)


@pytest.mark.parametrize("gone", [(4,), (3, 4, 5), (7, 8)], ids=str)
def test_predictions_that_were_emptied_say_that_nothing_is_there(filled, gone):
    """As long as other predictions stand: one slice, a gap between two parts, the end that a result ran over."""
    left = structure(1)
    left[list(gone)] = 0
    filled.world.paint(filled.segmentation, "a", left, filled.volume)
    rows = filled.logic.support(filled.selection).rows
    assert [row.index for row in rows] == sorted({*MARKED, *gone})
    assert {row.index for row in rows if row.area_mm2 == 0} == set(gone)


def test_an_end_that_a_result_ran_over_is_emptied_whole(filled):
    from UniverSegSlicerLib.scene.support.marks import remember_result

    marks = on_slices(structure(1), 2, 3)
    filled.world.paint(filled.segmentation, "a", on_slices(structure(1), 2, 3, 4, 5, 6), filled.volume)
    remember_result(filled.segmentation, ["a"], filled.volume, "k", [2, 3])
    filled.world.paint(filled.segmentation, "a", marks, filled.volume)
    assert filled.marked() == [2, 3, 4, 5, 6]


def test_a_run_after_starting_over_knows_the_new_marks_alone(make):
    case = make()
    case.segmentation.GetSegmentation().RemoveSegment("b")
    case.logic.propagate(case.volume, case.segmentation, model=case.options.model, device="cpu", quality="fast")
    clear(case)
    case.world.paint(case.segmentation, "a", disc(1, 4, 7), case.volume)
    report = case.logic.propagate(
        case.volume, case.segmentation, model=case.options.model, device="cpu", quality="fast"
    )
    assert report.examples == 3
    assert np.array_equal(case.read("a")[[1, 4, 7]], disc(1, 4, 7)[[1, 4, 7]])
