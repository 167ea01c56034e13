"""Every state of the panel: what can be pressed and what it says."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from UniverSegSlicerLib.errors import DependencyError


def test_no_marks(desk: Any) -> None:
    desk.sample(marked=())
    assert not desk.enabled("segmentButton")
    assert "three to five slices" in desk.message
    assert desk.enabled("clickButton")


def test_painting_shows_up_by_itself(desk: Any) -> None:
    from UniverSegSlicerLib.scene.mrml.editing import Change, SegmentWriter
    from UniverSegSlicerLib.scene.mrml.grid import whole_extent

    volume, segmentation = desk.sample()
    rows = desk.ui.supportTable.rowCount()
    wanted = desk.array().astype(np.uint8)
    wanted[25, 40:60, 40:60] = 1
    size = wanted.shape[::-1]
    SegmentWriter(desk.scene, lambda: None).apply([Change("Organ", wanted, whole_extent(size))], segmentation, volume)
    desk.wait(lambda: desk.ui.supportTable.rowCount() == rows + 1, 5)


def test_switching_an_example_off(desk: Any) -> None:
    import qt

    desk.sample()
    desk.ui.supportTable.item(0, 0).setCheckState(qt.Qt.Unchecked)
    assert [row.used for row in desk.panel.support.rows] == [False, True, True]
    assert "2 examples" in desk.ui.supportLabel.text()


def test_jump_and_remove(desk: Any) -> None:
    desk.sample()
    assert not desk.enabled("jumpButton")
    desk.ui.supportTable.selectRow(1)
    desk.press("jumpButton")
    assert desk.views.jumps == [desk.logic.slice_position(desk.parameters.volume, "k", 30)]
    desk.press("removeButton")
    assert [row.index for row in desk.panel.support.rows] == [20, 40]


def test_cancel_leaves_everything_as_it_was(desk: Any) -> None:
    started, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        go_on.wait(30)

    desk.before_loading = wait
    desk.sample()
    before = desk.array()
    desk.press("segmentButton")
    assert started.wait(30)
    desk.wait(lambda: desk.enabled("cancelButton"))
    assert not desk.enabled("segmentButton")
    assert not desk.enabled("volumeSelector")
    desk.press("cancelButton")
    go_on.set()
    desk.wait(lambda: desk.phase == "idle" and not desk.logic.state.busy)
    desk.settle(0.1)
    assert np.array_equal(desk.array(), before)
    assert desk.enabled("segmentButton")


def test_failure_is_one_sentence(desk: Any) -> None:
    def fail() -> None:
        raise RuntimeError("the disk is on fire")

    desk.before_loading = fail
    desk.sample()
    desk.press("segmentButton")
    desk.wait(lambda: "disk is on fire" in desk.message)
    assert desk.phase == "idle"
    desk.before_loading = lambda: None
    desk.segment()
    assert "fire" not in desk.message


def test_discard(desk: Any) -> None:
    desk.sample()
    before = desk.array()
    desk.segment()
    nodes = desk.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    desk.press("discardButton")
    assert desk.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == nodes - 1
    assert np.array_equal(desk.array(), before)
    assert not desk.enabled("applyButton")


def test_confidence_overlay(desk: Any) -> None:
    desk.sample()
    desk.segment()
    desk.ui.confidenceCheckBox.setChecked(True)
    assert desk.views.over[0] is not None
    desk.ui.confidenceSlider.setValue(0.25)
    assert desk.views.over[1] == pytest.approx(0.25, abs=0.01)
    desk.ui.confidenceCheckBox.setChecked(False)
    assert desk.views.over[0] is None


def test_missing_torch_is_explained(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from UniverSegSlicerLib.panel.sections import run
    from UniverSegSlicerLib.scene.running.dependencies import TorchStatus

    monkeypatch.setattr(run, "torch_status", lambda: TorchStatus(False, "missing", "advice"))
    desk.torch_problem = DependencyError("PyTorch was not installed.")
    desk.sample()
    desk.press("segmentButton")
    assert desk.message == "PyTorch was not installed."
    assert desk.phase == "idle"


def test_vector_volume_is_refused(desk: Any) -> None:
    import slicer
    import vtk

    image = vtk.vtkImageData()
    image.SetDimensions(8, 8, 8)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    volume = slicer.vtkMRMLVectorVolumeNode()
    volume.SetName("Photograph")
    volume.SetAndObserveImageData(image)
    desk.scene.AddNode(volume)
    desk.parameters.volume = volume
    assert "Photograph" in desk.message
    assert not desk.enabled("segmentButton")
    assert not desk.enabled("clickButton")


def test_marks_in_two_orientations(desk: Any) -> None:
    from UniverSegSlicerLib.scene.mrml.editing import Change, SegmentWriter
    from UniverSegSlicerLib.scene.mrml.grid import whole_extent

    volume, segmentation = desk.sample()
    wanted = desk.array().astype(np.uint8)
    wanted[:, 64, 30:80] = 1
    wanted[:, 70, 30:80] = 1
    writer = SegmentWriter(desk.scene, lambda: None)
    writer.apply([Change("Organ", wanted, whole_extent(wanted.shape[::-1]))], segmentation, volume)
    desk.settle()
    assert desk.ui.supportLabel.text()
    if desk.enabled("segmentButton"):
        desk.press("segmentButton")
        desk.wait(lambda: desk.phase != "running")
        assert desk.message


def test_model_with_terms(desk: Any) -> None:
    desk.sample()
    desk.dialogs.agree = False
    desk.ui.modelComboBox.setCurrentIndex(1)
    assert desk.parameters.model == "default"
    assert desk.ui.modelComboBox.currentIndex() == 0
    desk.dialogs.agree = True
    desk.ui.modelComboBox.setCurrentIndex(1)
    assert desk.dialogs.questions == ["For research only. Agree?"] * 2
    assert desk.store.downloaded == ["restricted"]
    assert desk.parameters.model == "restricted"


def test_model_file(desk: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(b"")
    desk.dialogs.path = str(file)
    desk.press("modelFileButton")
    assert desk.parameters.model == str(file)
    assert desk.ui.modelComboBox.currentText() == "mine.safetensors"


def test_export_without_folder(desk: Any) -> None:
    desk.sample()
    desk.press("exportButton")
    assert desk.message == "Choose a folder to export to."


def test_export_into_a_file_is_refused(desk: Any, tmp_path: Path) -> None:
    blocker = tmp_path / "blocker"
    blocker.write_text("not a folder")
    desk.sample()
    desk.ui.exportPathLineEdit.setCurrentPath(str(blocker / "out"))
    desk.press("exportButton")
    assert desk.message
    assert "Written" not in desk.message


def test_scene_closes_during_a_run(desk: Any) -> None:
    started = threading.Event()
    desk.before_loading = started.set
    desk.sample()
    desk.press("segmentButton")
    assert started.wait(30)
    desk.panel.scene_closing()
    desk.scene.Clear(0)
    desk.settle()
    assert desk.phase == "idle"


def test_volume_deleted_during_a_run(desk: Any) -> None:
    started, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        go_on.wait(30)

    desk.before_loading = wait
    volume, _ = desk.sample()
    desk.press("segmentButton")
    assert started.wait(30)
    desk.scene.RemoveNode(volume)
    go_on.set()
    desk.wait(lambda: desk.phase == "idle" and not desk.logic.state.busy)
    assert not desk.enabled("applyButton")


def test_leaving_and_entering_the_module(desk: Any) -> None:
    desk.sample()
    desk.panel.enter()
    assert desk.editor.shortcuts_installed
    desk.panel.exit()
    assert not desk.editor.shortcuts_installed


def test_icons_follow_the_theme(desk: Any, application: Any) -> None:
    import qt

    from UniverSegSlicerLib.panel.views.icons import BUTTON_ICONS, set_icons

    from . import conftest

    set_icons(desk.ui, conftest.RESOURCES / "Icons")
    for name in BUTTON_ICONS:
        assert not getattr(desk.ui, name).icon().isNull(), name
    for theme in ("light", "dark"):
        for icon in set(BUTTON_ICONS.values()):
            assert not qt.QPixmap(str(conftest.RESOURCES / "Icons" / theme / f"{icon}.svg")).isNull(), (theme, icon)
