"""The tutorial: its words are those of the panel, and its steps lead from an empty scene to an exported file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import SimpleITK as sitk

REPOSITORY = Path(__file__).resolve().parents[2]
UI = REPOSITORY / "UniverSegSlicer" / "Resources" / "UI" / "UniverSegSlicer.ui"
#: Names of Slicer's and of its Segment Editor's, the module's, the samples', and the Segment Editor effect's.
BEYOND_THE_PANEL = {
    "Sample Data", "Add Data", "MRHead", "CTChest", "UniverSegPhantom", "UniverSeg", "Segmentation", "Paint", "Draw",
    "Show 3D", "Mask",
    "Editable intensity range", "Initialize", "Update", "Click",
}  # fmt: skip


def test_every_word_is_one_of_the_panel(application: Any) -> None:
    from UniverSegSlicerLib.panel.parameters import Range

    written = (REPOSITORY / "docs" / "tutorial.md").read_text(encoding="utf-8")
    named = re.findall(r"(?<!\*)\*{1,2}([A-Z0-9][^*`]*?)\*{1,2}(?!\*)", written)
    shown = {text.strip(":") for element in ElementTree.parse(UI).iter("string") if (text := element.text)}
    shown |= {choice.label() for choice in Range}
    sources = "".join(
        file.read_text(encoding="utf-8")
        for file in (UI.parents[2] / "UniverSegSlicerLib").rglob("*.py")
        if {"panel", "scene"} & set(file.parts)
    )
    assert len(named) > 25
    for phrase in named:
        for part in re.split(r" > |: ", " ".join(phrase.split())):
            known = part in shown or part in BEYOND_THE_PANEL or f'"{part}' in sources
            assert known, f"the panel has no {part!r}"


class Brain:
    """The ICBM-152 T1 and its ventricles, (K, J, I)."""

    def __init__(self) -> None:
        from UniverSegSlicerLib.cli.demo_data import VENTRICLES, load_demo_data

        data = load_demo_data()
        self.volume, self.truth = data.volume, (data.truth == VENTRICLES).astype(np.uint8)


@pytest.fixture
def brain_desk(application: Any) -> Iterator[Any]:
    """The panel with the network that comes with the extension, on an empty scene."""
    pytest.importorskip("nilearn")
    from UniverSegSlicerLib.network.weights.store import locate_model

    from .conftest import Desk

    desk = Desk(application, locate_model("default"))
    yield desk
    desk.close()


@pytest.mark.timeout(900)
def test_from_an_empty_scene_to_the_exported_file(brain_desk: Any, tmp_path: Path) -> None:
    from UniverSegSlicerLib.scene.mrml.editing import Change, SegmentWriter
    from UniverSegSlicerLib.scene.mrml.grid import whole_extent

    desk, brain = brain_desk, Brain()

    # 1. Load a volume
    file = tmp_path / "brain.nii.gz"
    image = sitk.GetImageFromArray(brain.volume.array)
    for name in ("spacing", "origin", "direction"):
        getattr(image, f"Set{name.capitalize()}")(np.ravel(getattr(brain.volume.geometry, name)).tolist())
    sitk.WriteImage(image, str(file))
    volume = loaded(desk.scene, file)
    desk.parameters.volume = volume
    desk.wait(lambda: desk.parameters.segmentation is not None)
    segmentation = desk.parameters.segmentation
    assert segmentation.GetName() == f"{volume.GetName()} segmentation"
    (segment,) = desk.segments()
    segment_id = segmentation.GetSegmentation().GetNthSegmentID(0)
    segment.SetName("ventricles")

    # 2. Mark a few slices: coronal ones, one near each end and three between
    held = np.flatnonzero(brain.truth.any(axis=(0, 2)))
    marked = [int(n) for n in np.linspace(held[0] + 2, held[-1] - 2, 5).round()]
    for count, index in enumerate(marked, start=1):
        painted = desk.array(segment_id).astype(np.uint8)
        painted[:, index] = brain.truth[:, index]
        change = Change(segment_id, painted, whole_extent(painted.shape[::-1]))
        SegmentWriter(desk.scene, desk.editor.saveStateForUndo).apply([change], segmentation, volume)
        desk.wait(lambda count=count: desk.ui.supportTable.rowCount() == count)
    assert desk.ui.supportTable.item(0, 1).text().startswith("Coronal")
    before = desk.array(segment_id)

    # 3. Segment
    desk.ui.qualityComboBox.setCurrentIndex(0)
    desk.ui.deviceComboBox.setCurrentIndex(3)
    desk.press("segmentButton")
    desk.wait(lambda: desk.phase == "preview" and desk.enabled("applyButton"), 800)
    assert "Found: ventricles " in desk.message and " ml" in desk.message
    assert np.array_equal(desk.array(segment_id), before)
    desk.logic.writer.save_state = desk.editor.saveStateForUndo
    desk.press("applyButton")
    found = desk.array(segment_id)
    assert np.array_equal(found[:, marked], before[:, marked])
    desk.editor.undo()
    assert np.array_equal(desk.array(segment_id), before)
    desk.editor.redo()
    truth = brain.truth.astype(bool)
    dice = 2 * (found & truth).sum() / (found.sum() + truth.sum())
    assert dice > 0.8, dice

    # 4. Correct
    desk.press("nextSliceButton")
    assert len(desk.views.jumps) == 1

    # 6. The next patient
    desk.dialogs.path = str(tmp_path / "ventricles.npz")
    desk.press("saveSupportButton")
    assert "ventricles.npz" in desk.message

    # 7. Export
    desk.ui.exportPathLineEdit.setCurrentPath(str(tmp_path / "out"))
    desk.press("exportButton")
    (written,) = (tmp_path / "out").glob("*.nii.gz")
    exported = sitk.ReadImage(str(written))
    assert np.array_equal(sitk.GetArrayFromImage(exported) == 1, found)
    assert np.allclose(exported.GetOrigin(), image.GetOrigin()) and np.allclose(
        exported.GetDirection(), image.GetDirection()
    )
    assert "ventricles" in (tmp_path / "out" / "labels.csv").read_text(encoding="utf-8")


def loaded(scene: Any, file: Path) -> Any:
    """A file of the disk as a volume node, as *Add Data* does it."""
    import slicer

    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(file))
    volume = slicer.vtkMRMLScalarVolumeNode()
    volume.SetName(file.name.split(".")[0])
    scene.AddNode(volume)
    assert storage.ReadData(volume) == 1
    return volume
