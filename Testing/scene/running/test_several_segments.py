"""Several segments in one run: marked on the same slices or not, next to complete ones, overlapping or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from Testing.scene.running_case import SHAPE, on_slices, segment_on, structure
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.scene.interface import RunOptions, Selection
from UniverSegSlicerLib.scene.running.preparing import make_plan
from UniverSegSlicerLib.scene.support.elsewhere import StoredSets


@pytest.fixture
def plan_for(make) -> Any:
    """Makes a segmentation from masks and plans a run of it."""
    case = make()

    def plan(masks: dict[str, np.ndarray], chosen: tuple[str, ...] | None = None, **options: Any) -> Any:
        segmentation = case.world.segmentation(case.volume, masks, "Several")
        selection = Selection(case.volume, segmentation, chosen)
        return make_plan(case.scene, selection, RunOptions(**options), StoredSets())

    return plan


def test_segments_marked_on_the_same_slices_share_one_pass(plan_for):
    plan = plan_for({"a": on_slices(structure(1), 2, 6), "b": on_slices(structure(2), 2, 6)})
    ((group,),) = plan.layers
    assert group.segment_ids == ("a", "b")
    assert sorted(group.kept) == sorted(group.used) == [2, 6]
    marks, indices = group.marks(plan.volume)
    assert indices == (2, 6)
    np.testing.assert_array_equal(marks, on_slices(structure(1), 2, 6) + 2 * on_slices(structure(2), 2, 6))


def test_each_segment_is_filled_between_its_own_marks(plan_for):
    """As "Fill between slices" does: a slice that was painted for another segment is no hole in this one."""
    plan = plan_for({"a": on_slices(structure(1), 0, 4, 8), "b": on_slices(structure(2), 2, 5)})
    assert len(plan.layers) == 1
    assert len(plan.groups) == 2
    np.testing.assert_array_equal(plan.editable("a"), [0, 1, 1, 1, 0, 1, 1, 1, 0])
    # 4 lies between the marks of b; 0 and 8 lie beyond them, where b was left out on purpose.
    np.testing.assert_array_equal(plan.editable("b"), [0, 1, 0, 1, 1, 0, 1, 1, 0])
    assert plan.group_of("b").used == {2, 5}  # that b is absent on 0 and 8 is not claimed, only left alone


def test_overlapping_segments_are_in_different_layers(plan_for):
    a, b = on_slices(structure(1), 2, 6), on_slices(structure(2), 2, 6)
    plan = plan_for({"a": a, "within a": on_slices(structure(1), 6), "b": b})
    assert [[group.segment_ids for group in layer] for layer in plan.layers] == [[("a", "b")], [("within a",)]]


def test_painted_voxels_stay_with_their_segment_and_no_voxel_has_two(make):
    case = make()
    a, b = on_slices(structure(1), 0, 4, 8), on_slices(np.roll(structure(2), -5, axis=2), 2, 5)
    segmentation = case.world.segmentation(case.volume, {"a": a, "b": b}, "Several")
    case.logic.propagate(case.volume, segmentation, **vars(case.options))
    found = {key: segment_on(segmentation, key, case.volume) for key in "ab"}
    assert not (found["a"] & found["b"]).any()
    assert found["a"][a > 0].all()
    assert found["b"][b > 0].all()
    np.testing.assert_array_equal(found["a"][[0, 4, 8]], a[[0, 4, 8]])
    np.testing.assert_array_equal(found["b"][[0, 2, 5, 8]], b[[0, 2, 5, 8]])


def test_the_surer_segment_gets_a_voxel_and_paint_beats_both():
    pytest.importorskip("slicer")
    from UniverSegSlicerLib.imaging import Geometry, Volume
    from UniverSegSlicerLib.scene.running.computing import Owners
    from UniverSegSlicerLib.scene.support.examples import SliceExamples

    owners = Owners((1, 1, 4))
    owners.claim(np.array([[[1, 1, 0, 1]]]), np.array([[[60, 60, 0, 90]]]))
    owners.claim(np.array([[[2, 0, 2, 2]]]), np.array([[[70, 99, 10, 80]]]))
    np.testing.assert_array_equal(owners.labels, [[[2, 1, 2, 1]]])
    volume = Volume(np.zeros((1, 1, 4)), Geometry((4, 1, 1)))
    owners.settle([SliceExamples(volume, "k", {0: np.array([[3, 0, 0, 3]], np.uint16)}, "CT")])
    np.testing.assert_array_equal(owners.labels, [[[3, 1, 2, 3]]])


def test_complete_segments_are_left_out_unless_asked_for(plan_for):
    """An imported organ that fills every slice does not turn every slice into a marked one."""
    masks = {"tumour": on_slices(structure(1), 2, 6), "lung": structure(2)}
    plan = plan_for(masks)
    assert list(plan.names) == ["tumour"]
    assert plan.editable("tumour").sum() == SHAPE[0] - 2
    with pytest.raises(InputError, match="nothing is left to segment"):
        plan_for({"lung": structure(2)})
    plan = plan_for(masks, chosen=("tumour", "lung"), axis="k")
    assert set(plan.names) == {"tumour", "lung"}


def test_one_structure_after_the_other(make):
    """Liver: mark, run, apply. Then the spleen is marked: the next run is about the spleen alone."""
    case = make()
    case.world.paint(case.segmentation, "b", np.zeros(SHAPE), case.volume)
    case.logic.propagate(case.volume, case.segmentation, **vars(case.options))
    liver = case.read("a")
    assert liver[3].any()
    case.world.paint(case.segmentation, "b", on_slices(structure(2), 3, 7), case.volume)
    assert case.marked() == [3, 7]
    report = case.logic.propagate(case.volume, case.segmentation, **vars(case.options))
    assert report.segment_ids == ("b",)
    np.testing.assert_array_equal(case.read("a"), liver)
    # Nothing is new now: a further run would be about both.
    assert case.marked() == [2, 3, 6, 7]
    # A correction of the liver makes the run about the liver.
    was = liver[4].copy()
    liver[4] = np.roll(structure(1)[4], 1, axis=0)
    assert (liver[4] != was).any()
    case.world.paint(case.segmentation, "a", liver, case.volume)
    assert case.marked() == [2, 4, 6]


def test_a_mark_that_was_taken_off_or_accepted_is_news(make):
    case = make()
    case.logic.propagate(case.volume, case.segmentation, **vars(case.options))
    corrected = case.read("b")
    corrected[1] = np.roll(structure(2)[1], 2, axis=0)
    case.world.paint(case.segmentation, "b", corrected, case.volume)
    assert case.marked() == [1, 2, 6]  # of b alone
    only_a = Selection(case.volume, case.segmentation, ("a",))
    case.logic.remove(only_a, "k:6")
    plan = make_plan(case.scene, case.selection, case.options, StoredSets())
    assert set(plan.names) == {"a", "b"}
    assert plan.marked_by("a") == {2}
    # One undo makes it a mark again, whatever else has been taken off with it.
    assert case.logic.writer.undo()
    assert case.marked() == [1, 2, 6]
    case.logic.remove(only_a, "k:2", "k:6")
    assert case.logic.writer.undo()
    assert case.marked() == [1, 2, 6]
