"""The Segment Editor effect on real MRML: it fills slices, takes clicks, and follows the editor's masks."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SOURCE = Path(__file__).resolve().parents[2] / "SegmentEditorUniverSeg" / "SegmentEditorUniverSegLib"


class ScriptedEffect:
    """What ``qSlicerSegmentEditorScriptedEffect`` offers to an effect, over an editor node."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._parameters: dict[str, str] = {}
        self.saves = 0

    def parameterSetNode(self) -> Any:
        return self._node

    def setParameterDefault(self, name: str, value: str) -> None:
        self._parameters.setdefault(name, value)

    def setParameter(self, name: str, value: str) -> None:
        self._parameters[name] = value

    def parameter(self, name: str) -> str:
        return self._parameters.get(name, "")

    def addLabeledOptionsWidget(self, _label: str, _widget: Any) -> None:
        return None

    def addOptionsWidget(self, _widget: Any) -> None:
        return None

    def saveStateForUndo(self) -> None:
        self.saves += 1


class View:
    """A slice view with a click or a key."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def className(self) -> str:
        return "qMRMLSliceWidget"

    def mrmlSliceNode(self) -> Any:
        return self._node


@pytest.fixture
def effect(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The effect in an editor that shows the sample with its marks."""
    import slicer

    module = types.ModuleType("SegmentEditorEffects")

    class Base:
        def __init__(self, scriptedEffect: Any) -> None:
            self.scriptedEffect = scriptedEffect

    module.AbstractScriptedSegmentEditorEffect = Base  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "SegmentEditorEffects", module)
    monkeypatch.syspath_prepend(str(SOURCE))
    monkeypatch.setattr(slicer, "mrmlScene", desk.scene, raising=False)
    sys.modules.pop("SegmentEditorEffect", None)
    from SegmentEditorEffect import SegmentEditorEffect

    volume, segmentation = desk.sample()
    desk.editor_node.SetAndObserveSegmentationNode(segmentation)
    desk.editor_node.SetAndObserveSourceVolumeNode(volume)
    made = SegmentEditorEffect(ScriptedEffect(desk.editor_node))
    made._logic = desk.logic  # with the tiny network
    desk.logic.writer.save_state = made.scriptedEffect.saveStateForUndo
    made.setMRMLDefaults()
    made.setupOptionsFrame()
    made.updateGUIFromMRML()
    yield made
    made._timer.stop()


def events(x: int, y: int, *, control: bool = False, key: str = "") -> Any:
    """An interactor with what happened in its view."""
    import vtk

    interactor = vtk.vtkGenericRenderWindowInteractor()
    interactor.SetSize(300, 300)
    interactor.SetEventInformation(x, y, int(control), 0, "\0", 0, key or None)
    return interactor


def test_clicks_mark_a_slice_and_masks_are_followed(desk: Any, effect: Any) -> None:
    import slicer
    import vtk

    node = desk.scene.AddNode(slicer.vtkMRMLSliceNode())
    node.SetOrientationToAxial()
    node.SetDimensions(300, 300, 1)
    node.SetFieldOfView(300, 300, 1)
    node.JumpSliceByCentering(*desk.logic.slice_position(desk.parameters.volume, "k", 35))
    node.UpdateMatrices()
    view, press = View(node), vtk.vtkCommand.LeftButtonPressEvent
    assert not effect.processInteractionEvents(events(150, 150), press, view), "not ours unless clicking"
    effect.clickButton.setChecked(True)
    before = desk.array()
    range_ = desk.editor_node
    range_.SetSelectedSegmentID("Organ")
    range_.SetSourceVolumeIntensityMask(True)
    range_.SetSourceVolumeIntensityMaskRange(90, 130)
    assert effect.processInteractionEvents(events(150, 150), press, view)
    desk.wait(lambda: not desk.logic.poll().busy)
    assert desk.logic.clicks.index == 35
    assert effect.processInteractionEvents(events(140, 150, control=True), press, view)
    assert (len(desk.logic.clicks.include), len(desk.logic.clicks.exclude)) == (1, 1)
    assert effect.processInteractionEvents(events(0, 0, key="BackSpace"), vtk.vtkCommand.KeyPressEvent, view)
    assert len(desk.logic.clicks.exclude) == 0
    desk.wait(lambda: not desk.logic.poll().busy)
    assert effect.acceptButton.isEnabled()
    preview = next(
        each for each in (desk.scene.GetNthNodeByClass(n, "vtkMRMLSegmentationNode") for n in range(9)) if each is not
        None and "preview" in each.GetName()
    )  # fmt: skip
    from UniverSegSlicerLib.scene.mrml.segments import read_segment

    shown = read_segment(preview, "Organ", desk.parameters.volume) != 0
    assert effect.processInteractionEvents(events(0, 0, key="Return"), vtk.vtkCommand.KeyPressEvent, view)
    after = desk.array()
    assert np.array_equal(after[35], shown[35]), "what was shown is what was written"
    grey = desk.volume_array()[35][after[35] & ~before[35]]
    assert ((grey >= 90) & (grey <= 130)).all()
    assert effect.scriptedEffect.saves == 1
    others = np.arange(len(after)) != 35
    assert np.array_equal(after[others], before[others])
    effect.clickButton.setChecked(False)
    assert desk.logic.clicks is None


def test_leaving_the_effect_drops_what_was_not_applied(desk: Any, effect: Any) -> None:
    effect.previewButton.click()
    assert desk.phase == "running"
    assert not effect.clickButton.isEnabled()
    before = desk.array()
    effect.deactivate()
    assert desk.phase == "idle"
    assert np.array_equal(desk.array(), before)
    assert effect.messageLabel.text()


def test_a_message_of_several_lines_is_shown_whole(effect: Any) -> None:
    """As wide as the options are in Slicer, whatever the font."""
    label = effect.messageLabel
    for sentence in (
        "Click to correct, Ctrl+click to exclude; Enter accepts the slice.",
        "Slice 86 was added to the examples. One undo takes it back.",
    ):
        label.setText(sentence)
        assert label.heightForWidth(290) <= label.minimumHeight()


def test_a_preview_stays_while_one_more_slice_is_painted(desk: Any, effect: Any) -> None:
    """Choosing Paint leaves the effect; coming back offers Update, which hears the new slice."""
    import slicer

    from Testing.scene.conftest import array_to_labelmap

    marked = desk.array()
    effect.previewButton.click()
    desk.wait(effect.applyButton.isEnabled)
    effect.deactivate()
    assert desk.phase == "preview"
    volume, segmentation = desk.parameters.volume, desk.parameters.segmentation
    painted = marked.copy()
    painted[25] = painted[20]
    image, logic = slicer.vtkOrientedImageData(), slicer.vtkSlicerSegmentationsModuleLogic
    array_to_labelmap(painted.astype(np.uint8), segmentation, volume, image)
    logic.SetBinaryLabelmapToSegment(image, segmentation, "Organ", logic.MODE_REPLACE)
    effect.previewButton.click()
    assert desk.phase == "running"
    desk.wait(effect.applyButton.isEnabled)
    effect.applyButton.click()
    desk.wait(lambda: desk.phase == "idle")
    assert np.array_equal(desk.array()[25], painted[25]), "the slice came back as it was painted"
    assert effect.scriptedEffect.saves == 1
