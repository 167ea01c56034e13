"""Results are written as the Segment Editor writes: undo, masks, ranges, overwrite rules; nothing else is touched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from UniverSegSlicerLib.errors import InputError

SHAPE = (6, 8, 10)


def change(segment_id: str, wanted: np.ndarray, editable: np.ndarray | None = None) -> Any:
    from UniverSegSlicerLib.scene.mrml.editing import Change
    from UniverSegSlicerLib.scene.mrml.grid import whole_extent

    return Change(segment_id, wanted, whole_extent(wanted.shape[::-1]), editable)


def box(*bounds: int) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    k0, k1, j0, j1, i0, i1 = bounds
    mask[k0:k1, j0:j1, i0:i1] = 1
    return mask


def read(segmentation: Any, segment_id: str, volume: Any) -> np.ndarray:
    from UniverSegSlicerLib.scene.mrml.segments import read_segment

    return read_segment(segmentation, segment_id, volume)


@pytest.fixture
def rules(world) -> Any:
    """A Segment Editor node with Slicer's defaults."""
    return world.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")


@pytest.fixture
def writer(world) -> Any:
    from UniverSegSlicerLib.scene.mrml.editing import SegmentWriter

    return SegmentWriter(world.scene)


@pytest.mark.parametrize("degrees", [0.0, 20.0])
def test_apply_then_undo_then_redo(world, writer, oblique, degrees):
    volume = world.volume(np.zeros(SHAPE, np.int16), oblique(degrees=degrees))
    marks, wanted = box(2, 3, 2, 6, 3, 7), box(1, 5, 3, 7, 2, 6)
    segmentation = world.segmentation(volume, {"a": marks})
    assert not writer.undo()
    voxels = writer.apply([change("a", wanted)], segmentation, volume)
    assert voxels == np.count_nonzero(marks != wanted)
    np.testing.assert_array_equal(read(segmentation, "a", volume), wanted)
    assert writer.undo()
    np.testing.assert_array_equal(read(segmentation, "a", volume), marks)
    assert writer.redo()
    np.testing.assert_array_equal(read(segmentation, "a", volume), wanted)
    assert not writer.redo()


def test_several_segments_are_one_step_of_undo(world, writer):
    volume = world.volume(np.zeros(SHAPE, np.int16))
    before = {"a": box(0, 2, 0, 4, 0, 5), "b": box(0, 2, 4, 8, 0, 5)}
    segmentation = world.segmentation(volume, before)
    after = {"a": box(0, 6, 4, 8, 0, 5), "b": box(0, 6, 0, 4, 0, 5)}  # they swap places
    writer.apply([change(key, mask) for key, mask in after.items()], segmentation, volume)
    for key, mask in after.items():
        np.testing.assert_array_equal(read(segmentation, key, volume), mask)
    assert writer.undo()
    for key, mask in before.items():
        np.testing.assert_array_equal(read(segmentation, key, volume), mask)
    assert not writer.undo()


def test_segments_of_one_image_swap_places_under_any_overwrite_mode(world, writer, rules):
    import slicer

    volume = world.volume(np.zeros(SHAPE, np.int16))
    for mode in (
        slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments,
        slicer.vtkMRMLSegmentEditorNode.OverwriteVisibleSegments,
        slicer.vtkMRMLSegmentEditorNode.OverwriteNone,
    ):
        segmentation = world.segmentation(volume, {"a": box(0, 2, 0, 4, 0, 5), "b": box(0, 2, 4, 8, 0, 5)})
        segmentation.GetSegmentation().CollapseBinaryLabelmaps(True)
        rules.SetOverwriteMode(mode)
        after = {"a": box(0, 6, 4, 8, 0, 5), "b": box(0, 6, 0, 4, 0, 5)}
        writer.apply([change(key, mask) for key, mask in after.items()], segmentation, volume, rules)
        for key, mask in after.items():
            np.testing.assert_array_equal(read(segmentation, key, volume), mask)


def test_the_embedding_editor_saves_its_own_state_once(world):
    from UniverSegSlicerLib.scene.mrml.editing import SegmentWriter

    volume = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(volume, {"a": box(2, 3, 2, 6, 3, 7), "b": box(0, 1, 0, 1, 0, 1)})
    seen = []
    writer = SegmentWriter(world.scene, save_state=lambda: seen.append(read(segmentation, "a", volume)))
    writer.apply([change("a", box(1, 5, 3, 7, 2, 6)), change("b", box(4, 5, 0, 1, 0, 1))], segmentation, volume)
    assert len(seen) == 1
    np.testing.assert_array_equal(seen[0], box(2, 3, 2, 6, 3, 7))
    assert not writer.undo()


def test_nothing_to_change_leaves_no_step_of_undo(world, writer):
    volume = world.volume(np.zeros(SHAPE, np.int16))
    mask = box(2, 3, 2, 6, 3, 7)
    segmentation = world.segmentation(volume, {"a": mask})
    assert writer.apply([change("a", mask)], segmentation, volume) == 0
    assert not writer.undo()


def test_writing_one_slice_does_not_touch_the_rest(world, writer):
    """The label map outside the written box is the same memory content, and the modifier was one slice thin."""
    from UniverSegSlicerLib.scene.mrml.editing import Change

    rng = np.random.default_rng(3)
    noise = (rng.random(SHAPE) > 0.5).astype(np.uint8)
    noise[0, 0, 0] = noise[-1, -1, -1] = 1
    volume = world.volume(np.zeros(SHAPE, np.int16))
    other = 1 - noise
    segmentation = world.segmentation(volume, {"a": noise, "b": other})
    wanted = box(3, 4, 1, 7, 1, 9)[3:4]
    extents = []
    modify = writer._logic.ModifySegmentByLabelmap

    class Spy:
        def __getattr__(self, name):
            return getattr(writer_logic, name)

        def ModifySegmentByLabelmap(self, node, segment_id, image, mode, extent, *rest):
            extents.append(tuple(image.GetExtent()))
            return modify(node, segment_id, image, mode, extent, *rest)

    writer_logic = writer._logic
    writer._logic = Spy()
    writer.apply([Change("a", wanted, (0, 9, 0, 7, 3, 3))], segmentation, volume)
    expected = noise.copy()
    expected[3] = wanted[0]
    np.testing.assert_array_equal(read(segmentation, "a", volume), expected)
    np.testing.assert_array_equal(read(segmentation, "b", volume), other)
    assert extents
    assert all(extent[4:] == (3, 3) for extent in extents)


def test_slices_of_the_user_stay_bit_for_bit(world, writer):
    volume = world.volume(np.zeros(SHAPE, np.int16))
    marks = box(2, 3, 2, 6, 3, 7)
    segmentation = world.segmentation(volume, {"a": marks})
    editable = np.ones(SHAPE, bool)
    editable[2] = False
    wanted = box(0, 6, 0, 8, 0, 10)
    writer.apply([change("a", wanted, editable)], segmentation, volume)
    result = read(segmentation, "a", volume)
    np.testing.assert_array_equal(result[2], marks[2])
    assert result[[0, 1, 3, 4, 5]].all()


def test_without_rules_other_segments_keep_their_voxels(world, writer):
    volume = world.volume(np.zeros(SHAPE, np.int16))
    neighbour = box(0, 6, 0, 8, 5, 10)
    segmentation = world.segmentation(volume, {"a": box(2, 3, 2, 6, 3, 7), "b": neighbour})
    segmentation.GetSegmentation().CollapseBinaryLabelmaps(True)
    before_b = read(segmentation, "b", volume)
    writer.apply([change("a", box(0, 6, 0, 8, 0, 10))], segmentation, volume)
    np.testing.assert_array_equal(read(segmentation, "b", volume), before_b)
    assert read(segmentation, "a", volume).all()


@pytest.mark.parametrize(("mode", "erased"), [("OverwriteAllSegments", "bc"), ("OverwriteVisibleSegments", "b")])
def test_overwrite_rules_are_obeyed(world, writer, rules, mode, erased):
    import slicer

    volume = world.volume(np.zeros(SHAPE, np.int16))
    masks = {"a": box(2, 3, 2, 6, 3, 7), "b": box(0, 6, 0, 4, 8, 10), "c": box(0, 6, 4, 8, 8, 10)}
    segmentation = world.segmentation(volume, masks)
    segmentation.GetDisplayNode().SetSegmentVisibility("c", False)
    rules.SetOverwriteMode(getattr(slicer.vtkMRMLSegmentEditorNode, mode))
    wanted = box(0, 6, 0, 8, 0, 9)
    writer.apply([change("a", wanted)], segmentation, volume, rules)
    np.testing.assert_array_equal(read(segmentation, "a", volume), wanted)
    for key in "bc":
        expected = masks[key] & (1 - wanted) if key in erased else masks[key]
        np.testing.assert_array_equal(read(segmentation, key, volume), expected)


def test_editable_area_is_obeyed_for_additions_and_removals(world, writer, rules):
    import slicer

    volume = world.volume(np.zeros(SHAPE, np.int16))
    marks, lung = box(0, 6, 0, 4, 0, 10), box(0, 3, 0, 8, 0, 10)
    segmentation = world.segmentation(volume, {"a": marks, "lung": lung})
    rules.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
    rules.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)
    rules.SetMaskSegmentID("lung")
    wanted = box(0, 6, 4, 8, 0, 10)
    writer.apply([change("a", wanted)], segmentation, volume, rules)
    result = read(segmentation, "a", volume)
    np.testing.assert_array_equal(result[:3, 4:], wanted[:3, 4:])  # added inside the lung
    assert not result[3:, 4:].any()  # nothing outside it
    np.testing.assert_array_equal(result[3:, :4], marks[3:, :4])  # nothing removed outside it either
    assert not result[:3, :4].any()
    np.testing.assert_array_equal(read(segmentation, "lung", volume), lung)
    assert rules.GetMaskMode() == slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment


def test_editable_area_outside_other_segments_is_that_of_each_segment(world, writer, rules):
    import slicer

    volume = world.volume(np.zeros(SHAPE, np.int16))
    bone = box(0, 6, 0, 8, 5, 10)
    segmentation = world.segmentation(volume, {"a": box(0, 1, 0, 1, 0, 1), "b": box(0, 1, 7, 8, 0, 1), "bone": bone})
    rules.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
    rules.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
    changes = [change("a", box(0, 6, 0, 4, 0, 10)), change("b", box(0, 6, 4, 8, 0, 10))]
    writer.apply(changes, segmentation, volume, rules)
    np.testing.assert_array_equal(read(segmentation, "a", volume), box(0, 6, 0, 4, 0, 5))
    np.testing.assert_array_equal(read(segmentation, "b", volume), box(0, 6, 4, 8, 0, 5))
    np.testing.assert_array_equal(read(segmentation, "bone", volume), bone)


@pytest.mark.parametrize("moved", [False, True])
def test_editable_intensity_range_is_obeyed(world, writer, rules, oblique, moved):
    rng = np.random.default_rng(5)
    array = rng.integers(0, 200, SHAPE).astype(np.int16)
    volume = world.volume(array, oblique())
    marks = box(2, 3, 0, 8, 0, 10)
    segmentation = world.segmentation(volume, {"a": marks})
    if moved:
        both = world.transform(oblique((1, 1, 1), 40.0)).GetID()
        volume.SetAndObserveTransformNodeID(both)
        segmentation.SetAndObserveTransformNodeID(both)
    rules.SetSourceVolumeIntensityMask(True)
    rules.SetSourceVolumeIntensityMaskRange(50.0, 150.0)
    wanted = box(0, 6, 1, 7, 1, 9)
    wanted[2] = 0
    writer.apply([change("a", wanted)], segmentation, volume, rules)
    inside = (array >= 50) & (array <= 150)
    np.testing.assert_array_equal(read(segmentation, "a", volume), np.where(inside, wanted, marks))
    assert writer.undo()
    np.testing.assert_array_equal(read(segmentation, "a", volume), marks)


def test_written_through_a_whole_voxel_transform(world, writer):
    """The segmentation sits elsewhere: the result lands where the volume is, and the segment's box grows there."""
    volume = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(volume, {"a": box(2, 3, 2, 6, 3, 7)})
    shift = np.eye(4)
    shift[:3, 3] = (3, 0, -1)
    volume.SetAndObserveTransformNodeID(world.transform(shift).GetID())
    wanted = box(0, 6, 0, 8, 0, 10)
    writer.apply([change("a", wanted)], segmentation, volume)
    np.testing.assert_array_equal(read(segmentation, "a", volume), wanted)
    # Seen from the volume's old place: what lies beyond the shifted volume is as it was.
    volume.SetAndObserveTransformNodeID(None)
    result = read(segmentation, "a", volume)
    assert not result[:, :, :3].any()
    assert result[:5, :, 3:].all()


def test_written_to_a_finer_lattice(world, writer):
    """The segmentation is edited at half the voxel size: each voxel of the result fills its eight."""
    from UniverSegSlicerLib.scene.mrml.creation import new_segmentation

    volume = world.volume(np.zeros(SHAPE, np.int16))
    matrix = np.diag([0.5, 0.5, 0.5, 1.0])
    matrix[:3, 3] = -0.25
    fine = world.volume(np.zeros([2 * n for n in SHAPE], np.int16), matrix, "Fine")
    segmentation = new_segmentation(world.scene, fine, "Seg")
    segmentation.GetSegmentation().AddEmptySegment("a", "a")
    wanted = box(1, 5, 2, 7, 3, 8)
    writer.apply([change("a", wanted)], segmentation, volume)
    np.testing.assert_array_equal(read(segmentation, "a", volume), wanted)
    expected = wanted.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    np.testing.assert_array_equal(read(segmentation, "a", fine), expected)


def test_written_through_a_rotation_reads_back_as_well_as_nearest_voxels_can(world, writer, oblique):
    shape = (20, 24, 28)
    volume = world.volume(np.zeros(shape, np.int16))
    segmentation = world.segmentation(volume, {"a": np.zeros(shape, np.uint8)})
    move = oblique((1, 1, 1), 11.0)
    move[:3, 3] = (2.2, -1.4, 0.6)
    segmentation.SetAndObserveTransformNodeID(world.transform(move).GetID())
    wanted = np.zeros(shape, np.uint8)
    wanted[5:15, 6:18, 7:21] = 1
    writer.apply([change("a", wanted)], segmentation, volume)
    result = read(segmentation, "a", volume)
    dice = 2 * (result & wanted).sum() / (result.sum() + wanted.sum())
    assert dice > 0.94
    inner = wanted.copy()
    inner[[5, 14]] = inner[:, [6, 17]] = inner[:, :, [7, 20]] = 0
    assert result[inner > 0].all()  # only the surface may move, by half a voxel


def test_names_colours_terminology_tags_and_place_are_kept(world, writer):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(world.scene)
    volume = world.volume(np.zeros(SHAPE, np.int16))
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    hierarchy.CreateItem(study, volume)  # in Slicer the hierarchy's plugins do this
    segmentation = world.segmentation(volume, {"a": box(2, 3, 2, 6, 3, 7)})
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(segmentation)) == study
    segment = segmentation.GetSegmentation().GetSegment("a")
    terminology = "Segmentation category and type - DICOM master list~SCT^85756007^Tissue~SCT^10200004^Liver~^^~~^^~^^"
    segment.SetName("Liver")
    segment.SetColor(0.1, 0.5, 0.9)
    segment.SetTerminology(terminology)
    segment.SetTag("Lab.Reader", "KW")
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetSegmentStatus(segment, logic.NotStarted)
    writer.apply([change("a", box(0, 6, 2, 6, 3, 7))], segmentation, volume)
    segment = segmentation.GetSegmentation().GetSegment("a")
    assert segment.GetName() == "Liver"
    assert segment.GetColor() == pytest.approx((0.1, 0.5, 0.9))
    assert segment.GetTerminology() == terminology
    assert segment.HasTag("Lab.Reader")
    assert logic.GetSegmentStatus(segment) == logic.InProgress
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(segmentation)) == study


def test_deleted_segment_and_warped_segmentation_are_refused_before_anything_is_written(world, writer):
    volume = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(volume, {"a": box(2, 3, 2, 6, 3, 7), "b": box(0, 1, 0, 1, 0, 1)})
    before = read(segmentation, "a", volume)
    changes = [change("a", box(0, 6, 0, 8, 0, 10)), change("b", box(0, 6, 0, 8, 0, 10))]
    segmentation.GetSegmentation().RemoveSegment("b")
    with pytest.raises(InputError, match="'b' of 'Segmentation' was deleted"):
        writer.apply(changes, segmentation, volume)
    np.testing.assert_array_equal(read(segmentation, "a", volume), before)
    segmentation.SetAndObserveTransformNodeID(world.warp().GetID())
    with pytest.raises(InputError, match="non-linear transform"):
        writer.apply(changes[:1], segmentation, volume)
    assert not writer.undo()


def test_writing_goes_on_after_the_scene_was_cleared(world, writer):
    for _ in range(2):
        volume = world.volume(np.zeros(SHAPE, np.int16))
        segmentation = world.segmentation(volume, {"a": box(2, 3, 2, 6, 3, 7)})
        writer.apply([change("a", box(0, 6, 0, 8, 0, 10))], segmentation, volume)
        assert read(segmentation, "a", volume).all()
        world.scene.Clear(0)
    writer.release()
    writer.release()
    assert world.scene.GetNumberOfNodesByClass("vtkMRMLSegmentEditorNode") == 0
