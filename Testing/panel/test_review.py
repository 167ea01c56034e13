"""What the panel says of results and of support sets that are saved and used on the next volume."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from UniverSegSlicerLib.segmentation import SupportSet


def test_many_structures_are_summed_up(application: Any) -> None:
    from UniverSegSlicerLib.panel.sections.run import MOST_NAMED, found
    from UniverSegSlicerLib.scene.interface import RunReport

    def report(count: int) -> RunReport:
        keys = tuple(str(n) for n in range(count))
        sizes = dict.fromkeys(keys, 12.34)
        return RunReport("k", keys, 3, {key: f"Rib {key}" for key in keys}, dict.fromkeys(keys, 1), sizes, 1.0, "", "")

    assert found(report(2)) == "Rib 0 12.3 ml, Rib 1 12.3 ml"
    assert found(report(MOST_NAMED + 20)) == f"{MOST_NAMED + 20} structures, 296 ml together"


def test_a_saved_set_on_the_next_volume(desk: Any, tmp_path: Path) -> None:
    """A complete segmentation is saved with its whole scan; the next volume gets every structure by one button."""
    assert "can identify a patient" in desk.ui.saveSupportLabel.text()
    assert not desk.enabled("useSupportButton")
    desk.sample(marked=tuple(range(60)))
    desk.dialogs.path = str(tmp_path / "whole.npz")
    desk.press("saveSupportButton")
    assert "1 whole scan(s), by which a patient can be identified" in desk.message
    whole = SupportSet.load(tmp_path / "whole.npz")
    assert len(whole.scans) == 1
    assert set(whole.label_names.values()) == {"Organ", "Vessel", "Bone"}

    desk.ui.slicesOnlyCheckBox.setChecked(True)
    desk.dialogs.path = str(tmp_path / "slices.npz")
    desk.press("saveSupportButton")
    assert "no whole scan" in desk.message
    assert SupportSet.load(tmp_path / "slices.npz").scans == ()

    desk.scene.RemoveNode(desk.parameters.segmentation)
    desk.settle()
    desk.dialogs.path = str(tmp_path / "whole.npz")
    desk.press("loadSupportButton")
    desk.settle()
    desk.press("useSupportButton")
    assert desk.phase == "running", desk.message
    desk.press("cancelButton")
    assert {segment.GetName() for segment in desk.segments()} == {"Organ", "Vessel", "Bone"}


def test_marks_alone_go_in_as_slices(desk: Any, tmp_path: Path) -> None:
    desk.sample()
    desk.dialogs.path = str(tmp_path / "marks.npz")
    desk.press("saveSupportButton")
    assert "3 slices, no whole scan, for no segmentation is complete" in desk.message


def test_the_panel_says_what_became_of_the_last_action(desk: Any, tmp_path: Path) -> None:
    """Of several, the last; and it is no longer said once the segments are others."""
    desk.logic.writer.save_state = desk.editor.saveStateForUndo
    desk.sample()
    desk.segment()
    desk.press("applyButton")
    assert "One undo takes it back" in desk.message
    desk.settle()
    assert "One undo takes it back" in desk.message, "its own change of the segments is no news"
    desk.editor.undo()
    desk.settle()
    assert desk.message == "Ready: press Segment."
    desk.ui.exportPathLineEdit.setCurrentPath(str(tmp_path / "out"))
    desk.press("exportButton")
    assert "Written" in desk.message
    desk.dialogs.path = str(tmp_path / "set.npz")
    desk.press("saveSupportButton")
    assert "Saved set.npz" in desk.message and "Written" not in desk.message
    desk.press("exportButton")
    assert "Written" in desk.message and "Saved" not in desk.message
    desk.press("segmentButton")
    desk.press("cancelButton")
    assert desk.message == "Cancelled; the segmentation is as it was."
    desk.wait(lambda: not desk.logic.state.busy)
    desk.segment()
    desk.press("discardButton")
    assert desk.message == "Discarded; the segmentation is as it was."
    desk.panel.set_parameters(None)
    desk.panel.set_parameters(desk.parameters)
    assert "Discarded" not in desk.message, "another scene"


def test_around_the_current_slice_means_a_view_along_the_marks(desk: Any) -> None:
    from UniverSegSlicerLib.panel.parameters import Axis, Range

    desk.sample()
    desk.parameters.range = Range.AROUND
    desk.views.current = ("k", 25)
    assert desk.panel.context.options().current == 25 and desk.views.asked_for == "k"
    desk.parameters.axis = Axis.J
    desk.panel.context.options()
    assert desk.views.asked_for == "j"


@pytest.mark.parametrize("order", [("Red", "Green", "Yellow"), ("Yellow", "Green", "Red")])
def test_the_current_slice_is_that_of_the_view_along_an_axis(
    desk: Any, monkeypatch: pytest.MonkeyPatch, order: tuple[str, ...]
) -> None:
    """Whichever view the layout names first."""
    import slicer

    from UniverSegSlicerLib.panel import host

    volume, _segmentation = desk.sample()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(desk.scene)
    nodes = {}
    for name, orientation in (("Red", "Axial"), ("Green", "Coronal"), ("Yellow", "Sagittal")):
        node = desk.scene.AddNewNodeByClass("vtkMRMLSliceNode", name)
        node.SetDimensions(100, 100, 1)
        node.SetFieldOfView(100, 100, 1)
        getattr(node, f"SetOrientationTo{orientation}")()
        node.UpdateMatrices()
        nodes[name] = node
    expected = [("i", 40), ("j", 50), ("k", 20)]
    for (axis, index), name in zip(expected, ("Yellow", "Green", "Red"), strict=True):
        nodes[name].JumpSliceByCentering(*desk.logic.slice_position(volume, axis, index))
        nodes[name].UpdateMatrices()
    manager = SimpleNamespace(
        sliceViewNames=lambda: order,
        sliceWidget=lambda name: SimpleNamespace(mrmlSliceNode=lambda: nodes[name]),
    )
    monkeypatch.setattr(host.slicer, "app", SimpleNamespace(layoutManager=lambda: manager), raising=False)
    views = host.SlicerViews()
    assert [views.current_slice(volume, axis) for axis in "ijk"] == expected
    assert views.current_slice(volume) is not None


def warp(desk: Any) -> Any:
    """A transform that bends the space, in the scene of a desk."""
    import vtk

    spline = vtk.vtkThinPlateSplineTransform()
    points = [vtk.vtkPoints(), vtk.vtkPoints()]
    for number, position in enumerate([(0, 0, 0), (40, 0, 0), (0, 40, 0), (0, 0, 40), (20, 20, 20)]):
        points[0].InsertNextPoint(*position)
        points[1].InsertNextPoint(position[0] + 5 * (number == 4), *position[1:])
    spline.SetSourceLandmarks(points[0])
    spline.SetTargetLandmarks(points[1])
    spline.SetBasisToR()
    node = desk.scene.AddNewNodeByClass("vtkMRMLTransformNode", "Warp")
    node.SetAndObserveTransformToParent(spline)
    return node


@pytest.mark.parametrize("first", ["volume", "segmentation"])
def test_transforms_are_followed_one_node_after_the_other(desk: Any, first: str) -> None:
    """Who does what the refusal asks for can go on at once."""
    volume, segmentation = desk.sample()
    nodes = (volume, segmentation) if first == "volume" else (segmentation, volume)
    transform = warp(desk)
    for transform_id in (transform.GetID(), None):
        nodes[0].SetAndObserveTransformNodeID(transform_id)
        desk.settle()
        assert "non-linear transform lies between" in desk.message and not desk.enabled("segmentButton")
        nodes[1].SetAndObserveTransformNodeID(transform_id)
        desk.settle()
        assert desk.message == "Ready: press Segment." and desk.enabled("segmentButton")


def test_what_was_said_of_one_segmentation_is_not_said_of_the_next(desk: Any) -> None:
    volume, _segmentation = desk.sample()
    desk.segment()
    desk.press("discardButton")
    assert "Discarded" in desk.message
    desk.parameters.segmentation = desk.logic.new_segmentation(volume)
    desk.settle()
    assert desk.message.startswith("Mark the structure")


@pytest.mark.parametrize("why", ["completed", "filled"])
def test_why_segment_is_greyed_out_is_said_beside_it(desk: Any, why: str) -> None:
    import slicer

    desk.sample(tuple(range(60)) if why == "filled" else (20, 30, 40))
    if why == "completed":
        kind = slicer.vtkSlicerSegmentationsModuleLogic
        for segment in desk.segments():
            kind.SetSegmentStatus(segment, kind.Completed)
        desk.settle()
    assert not desk.enabled("segmentButton")
    assert ("marked as completed" if why == "completed" else "filled through and through") in desk.message
