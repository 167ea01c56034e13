"""The whole story against real MRML with a tiny seeded network: run, preview, apply, undo, rules, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.scene.running_case import MARKED, SHAPE, Case, image, on_slices, segment_on, structure
from UniverSegSlicerLib.errors import DependencyError, InputError
from UniverSegSlicerLib.scene.interface import Logic, RunOptions, Selection


def test_it_is_what_the_panel_expects(make):
    logic: Logic = make().logic
    for name in (name for name in vars(Logic) if not name.startswith("_")):
        assert hasattr(logic, name), name


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_run_preview_apply_undo(make, oblique, degrees):
    case = make(matrix=oblique((1.0, 1.2, 2.5), degrees))
    before = {key: case.read(key) for key in "ab"}
    nodes = case.nodes()
    case.logic.start(case.selection, case.options)
    assert case.logic.state.phase == "running"
    state = case.finish()
    assert (state.phase, state.error) == ("preview", "")
    for key in "ab":
        np.testing.assert_array_equal(case.read(key), before[key])  # a preview changes nothing
    report = state.report
    assert report is not None
    assert (report.axis, report.segment_ids, report.examples) == ("k", ("a", "b"), 2)
    assert report.device == "cpu"
    assert report.seconds > 0
    assert {suggestion.index for suggestion in report.suggestions}.isdisjoint(MARKED)
    shown = {key: segment_on(report.preview, key, case.volume) for key in "ab"}

    voxels = case.logic.apply()
    assert case.logic.state.phase == "idle"
    assert case.nodes() - nodes <= 1  # the hidden writer is all that is left
    for key in "ab":
        after = case.read(key)
        np.testing.assert_array_equal(after, shown[key])  # what was shown is what was written
        np.testing.assert_array_equal(after[list(MARKED)], before[key][list(MARKED)])
    assert voxels == sum(np.count_nonzero(case.read(key) != before[key]) for key in "ab") > 0
    assert not (case.read("a") & case.read("b")).any()
    assert case.marked() == list(MARKED)
    assert case.logic.writer.undo()
    for key in "ab":
        np.testing.assert_array_equal(case.read(key), before[key])
    assert not case.logic.writer.undo()


def test_the_scene_gives_what_the_arrays_give(make, tiny_model_path):
    """The result of a run in the scene is that of the same run on plain arrays."""
    from UniverSegSlicerLib.network import load_model
    from UniverSegSlicerLib.scene.mrml.volumes import volume_of
    from UniverSegSlicerLib.scene.running.plan import settings_for
    from UniverSegSlicerLib.segmentation import propagate

    case = make()
    case.logic.propagate(case.volume, case.segmentation, model=str(tiny_model_path), device="cpu", quality="fast")
    labels = on_slices(structure(1), *MARKED).astype(np.uint16)
    labels[on_slices(structure(2), *MARKED) > 0] = 2
    expected = propagate(
        volume_of(case.volume),
        labels,
        model=load_model(tiny_model_path, "cpu"),
        settings=settings_for(case.options, MARKED, SHAPE[0]),
    )
    for value, key in enumerate("ab", start=1):
        np.testing.assert_array_equal(case.read(key), expected.labels == value)


def test_a_second_pass_learns_from_the_corrections_and_keeps_them(make):
    case = make()
    case.logic.start(case.selection, case.options)
    case.finish()
    case.logic.apply()
    first = case.read("a")
    corrected = first.copy()
    # Whatever was predicted there, this is another shape.
    corrected[4] = np.roll(structure(1)[4], 1, axis=0)
    assert (corrected[4] != first[4]).any()
    case.world.paint(case.segmentation, "a", corrected, case.volume)
    assert case.marked() == [2, 4, 6]
    case.logic.start(case.selection, case.options)
    state = case.finish()
    assert state.report.examples == 3
    case.logic.apply()
    np.testing.assert_array_equal(case.read("a")[[2, 4, 6]], corrected[[2, 4, 6]])


def test_what_the_user_paints_while_it_runs_is_not_overwritten(running):
    case, gate = running
    painted = case.read("a")
    painted[4, 3:6, 3:6] = 1
    case.world.paint(case.segmentation, "a", painted, case.volume)
    gate.go.set()
    case.finish()
    case.logic.apply()
    np.testing.assert_array_equal(case.read("a")[4], painted[4])
    assert 4 in case.marked()


def test_discard_leaves_no_trace(make):
    case = make()
    before, nodes = case.read("a"), case.nodes()
    case.logic.start(case.selection, case.options)
    case.finish()
    case.logic.show_confidence(True)
    case.logic.discard()
    assert case.nodes() == nodes
    assert case.logic.state.phase == "idle"
    assert case.logic.state.report is None
    np.testing.assert_array_equal(case.read("a"), before)
    with pytest.raises(InputError, match="no result to apply"):
        case.logic.apply()


def test_confidence_volume_comes_and_goes(make):
    from UniverSegSlicerLib.scene.mrml.volumes import array_of, ijk_to_ras

    case = make()
    case.logic.show_confidence(True)  # nothing to show yet
    case.logic.start(case.selection, case.options)
    case.finish()
    case.logic.show_confidence(True)
    node = case.logic.state.report.confidence
    percent = array_of(node)
    assert percent.shape == SHAPE
    assert percent.max() <= 100
    assert (percent[list(MARKED)] == 100).all()
    np.testing.assert_allclose(ijk_to_ras(node), ijk_to_ras(case.volume))
    assert not node.GetSaveWithScene()
    display = node.GetDisplayNode()
    assert display.GetApplyThreshold() and 0 == display.GetLowerThreshold() < display.GetUpperThreshold() < 100
    case.logic.apply()
    assert case.logic.state.report.confidence is node  # still there to look at
    case.logic.show_confidence(False)
    assert not case.scene.IsNodePresent(node)
    case.logic.show_confidence(True)
    case.scene.RemoveNode(case.logic.state.report.confidence)  # by the user, in the Data module
    case.logic.show_confidence(False)
    assert case.logic.state.report.confidence is None


def test_reach_between_the_marks_and_one_slice(make):
    case = make()
    before = case.read("a")
    options = RunOptions(**{**vars(case.options), "reach": "between"})
    case.logic.start(case.selection, options)
    case.finish()
    case.logic.apply()
    changed = np.flatnonzero((case.read("a") != before).any(axis=(1, 2)))
    assert changed.size
    assert set(changed) <= {3, 4, 5}
    case.logic.writer.undo()
    case.logic.start(case.selection, RunOptions(**{**vars(options), "reach": "slice", "current": 4}))
    case.finish()
    case.logic.apply()
    assert set(np.flatnonzero((case.read("a") != before).any(axis=(1, 2)))) <= {4}
    with pytest.raises(InputError, match="Slice 6 is marked already"):
        case.logic.start(case.selection, RunOptions(reach="slice", current=6))
    with pytest.raises(InputError, match="Slice 99 is not one of 0 to 8"):
        case.logic.start(case.selection, RunOptions(reach="slice", current=99))


def test_marked_slices_may_be_replaced_on_request(make):
    case = make()
    before = case.read("a")
    case.logic.propagate(case.volume, case.segmentation, ["a"], **{**vars(case.options), "keep_marked": False})
    after = case.read("a")
    assert (after[list(MARKED)] != before[list(MARKED)]).any()
    np.testing.assert_array_equal(case.read("b"), on_slices(structure(2), *MARKED))


def test_switched_off_slices_are_no_examples_but_stay(make):
    case = make()
    before = case.read("a")
    case.logic.set_used(case.selection, "k:6", False)
    case.logic.start(case.selection, case.options)
    assert case.finish().report.examples == 1
    case.logic.apply()
    np.testing.assert_array_equal(case.read("a")[6], before[6])
    case.logic.set_used(case.selection, "k:2", False)
    with pytest.raises(InputError, match="Every marked slice is switched off"):
        case.logic.start(case.selection, case.options)


def test_overlapping_segments_are_run_apart_and_both_keep_their_marks(world, make):
    case = make()
    overlapping = on_slices(np.roll(structure(1), 3, axis=2), *MARKED)
    segmentation = world.segmentation(
        case.volume, {"a": on_slices(structure(1), *MARKED), "c": overlapping}, "Overlapping"
    )
    report = case.logic.propagate(case.volume, segmentation, **vars(case.options))
    assert report.segment_ids == ("a", "c")
    for key, mask in (("a", on_slices(structure(1), *MARKED)), ("c", overlapping)):
        np.testing.assert_array_equal(segment_on(segmentation, key, case.volume)[list(MARKED)], mask[list(MARKED)])


def test_rules_of_the_editor_are_obeyed(world, make):
    case = make()
    rules = world.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    rules.SetSourceVolumeIntensityMask(True)
    rules.SetSourceVolumeIntensityMaskRange(80.0, 200.0)
    before = case.read("a")
    case.logic.propagate(case.volume, case.segmentation, editor=rules, **vars(case.options))
    added = (case.read("a") > 0) & (before == 0)
    assert not added[image() < 80].any()


def without_segmentation(case: Case) -> None:
    case.selection = Selection(case.volume, None)


def without_volume(case: Case) -> None:
    case.selection = Selection(None, case.segmentation)


def all_hidden(case: Case) -> None:
    case.segmentation.GetDisplayNode().SetAllSegmentsVisibility(False)


def emptied(case: Case) -> None:
    case.world.paint(case.segmentation, "a", np.zeros(SHAPE), case.volume)
    case.selection = Selection(case.volume, case.segmentation, ("a",))


def warped(case: Case) -> None:
    case.segmentation.SetAndObserveTransformNodeID(case.world.warp().GetID())


def without_model(case: Case) -> None:
    case.options = RunOptions(model="/nowhere/x.safetensors", device="cpu")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_segmentation, "No segmentation is selected"),
        (without_volume, "No volume is selected"),
        (all_hidden, "Every segment of"),
        (emptied, "The segment 'a' is empty"),
        (warped, "non-linear transform"),
        (without_model, "x.safetensors"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(make, spoil, message):
    case = make()
    spoil(case)
    nodes = case.nodes()
    try:
        case.logic.start(case.selection, case.options)
        sentence = case.finish().error
    except InputError as error:
        sentence = str(error)
    assert message in sentence
    assert "\n" not in sentence
    assert case.logic.state.phase == "idle"
    assert case.nodes() == nodes


def test_missing_torch_is_said_with_the_way_to_get_it(make, monkeypatch):
    from UniverSegSlicerLib.scene.running import control
    from UniverSegSlicerLib.scene.running.dependencies import torch_status

    case = make()
    monkeypatch.setattr(control, "torch_status", lambda: torch_status(find=lambda name: None))
    with pytest.raises(DependencyError, match=r"PyTorch is not installed yet.*installTorch"):
        case.logic.start(case.selection, case.options)
    with pytest.raises(DependencyError):
        case.logic.begin_clicks(case.selection, "k", 4, case.options)


def test_new_segmentation_is_ready_to_mark_on(world, make):
    case = make()
    node = case.logic.new_segmentation(case.volume, "Liver")
    infos = node.GetSegmentation()
    assert infos.GetNumberOfSegments() == 1
    assert infos.GetNthSegment(0).GetName() == "Liver"
    role = node.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(role) is case.volume
    with pytest.raises(InputError, match="No volume"):
        case.logic.new_segmentation(None)
