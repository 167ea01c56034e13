"""What a new user does, in one go: choose, look at the marks, segment, review, apply, click, save, export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk


def test_from_marks_to_files(desk: Any, tmp_path: Path) -> None:
    assert desk.message == "Choose a volume to begin."
    assert not desk.enabled("segmentButton")

    desk.sample()
    assert desk.ui.supportTable.rowCount() == 3
    assert desk.enabled("segmentButton")
    marked = desk.array()

    desk.segment()
    assert "preview" in desk.message
    report = desk.logic.state.report
    for segment_id, name in report.names.items():
        assert f"{name} " in desk.message
        assert report.millilitres[segment_id] == pytest.approx(report.voxels[segment_id] * desk.voxel_ml())
    assert " ml" in desk.message
    desk.wait(lambda: desk.ui.supportTable.item(1, 3).text().endswith("%"))
    assert desk.ui.supportTable.item(0, 3).text() == "", "nobody foretells the outermost marks"
    organ = report.preview.GetSegmentation().GetSegment("Organ")
    desk.wait(lambda: organ.GetRepresentation("Closed surface") is not None)
    desk.ui.surfaceCheckBox.setChecked(False)
    assert organ.GetRepresentation("Closed surface") is None
    assert not desk.panel.context.options().surface, "switched off it stays off"
    assert np.array_equal(desk.array(), marked), "a preview must not touch the segments"

    saves = desk.editor.undo_saves
    desk.logic.writer.save_state = desk.editor.saveStateForUndo
    desk.press("applyButton")
    assert desk.phase == "idle"
    assert desk.editor.undo_saves == saves + 1, "one step of undo for one result"
    filled = desk.array()
    assert np.array_equal(filled[[20, 30, 40]], marked[[20, 30, 40]]), "marked slices come back bit for bit"
    assert desk.ui.supportTable.rowCount() == 3, "predicted slices are no marks"

    desk.press("nextSliceButton")
    assert len(desk.views.jumps) == 1

    desk.ui.exportPathLineEdit.setCurrentPath(str(tmp_path / "out"))
    desk.ui.singleSegmentsCheckBox.setChecked(True)
    desk.press("exportButton")
    assert "Written" in desk.message
    label_map = next((tmp_path / "out").glob("*marks.nii.gz"))
    written = sitk.GetArrayFromImage(sitk.ReadImage(str(label_map)))
    assert np.array_equal(written == 1, filled)
    assert (tmp_path / "out" / "labels.csv").is_file()

    desk.dialogs.path = str(tmp_path / "shared.npz")
    desk.press("saveSupportButton")
    assert (tmp_path / "shared.npz").is_file()


def test_shared_support_set_needs_no_marks(desk: Any, tmp_path: Path) -> None:
    desk.sample()
    desk.dialogs.path = str(tmp_path / "shared.npz")
    desk.press("saveSupportButton")
    desk.scene.RemoveNode(desk.parameters.segmentation)
    desk.settle()
    # The next patient: the same scan, nothing marked.
    desk.press("loadSupportButton")
    desk.settle()
    assert any(row.kind == "file" for row in desk.panel.support.rows)
    assert desk.enabled("segmentButton")
    desk.press("clearSupportButton")
    assert not any(row.kind == "file" for row in desk.panel.support.rows)


def test_clicks_make_a_marked_slice(desk: Any) -> None:
    volume, _ = desk.sample(marked=())
    assert desk.parameters.segmentation is not None, "a segmentation is made on demand"
    desk.ui.clickButton.setChecked(True)
    assert desk.views.clicked is not None
    ras = desk.logic.slice_position(volume, "k", 30)
    desk.views.clicked("k", 30, ras, False)
    desk.wait(lambda: desk.panel.clicks.count == 1 and not desk.logic.state.busy)
    desk.views.clicked("k", 31, desk.logic.slice_position(volume, "k", 31), False)
    assert "another slice" in desk.message
    desk.press("undoClickButton")
    assert desk.panel.clicks.count == 0
    desk.views.clicked("k", 30, ras, True)
    desk.views.clicked("k", 30, (ras[0] + 20, ras[1], ras[2]), False)
    desk.wait(lambda: desk.panel.clicks.count == 2 and not desk.logic.state.busy)
    desk.press("leaveClickButton")
    assert desk.logic.clicks is None
    assert desk.views.clicked is None
    assert desk.ui.clickButton.text() == "Start clicking"
