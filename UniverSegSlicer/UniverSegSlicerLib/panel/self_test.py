"""What a user does, inside a running Slicer: load, mark, segment, cancel, undo, click, export, reload the scene.

*Reload and Test* and the ctest of the module run it. Needs torch, but no network and no GPU. With the environment
variable ``UNIVERSEG_SCREENSHOTS`` set to a folder, pictures of the main window are written there.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from ..scene.mrml.sample import add_sample
from .background.packages import REQUIREMENTS, missing_of, read_requirements
from .context import value

MARKED = (20, 30, 40)
PATIENCE_S = 300.0


class Story(unittest.TestCase):
    """One scene, one story a test; the bundled model on the CPU."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()
        slicer.util.selectModule("UniverSegSlicer")
        self.widget = slicer.util.getModuleWidget("UniverSegSlicer")
        self.panel = self.widget.panel
        self.logic = self.panel.context.logic
        self.ui = self.widget.ui

    def tearDown(self) -> None:
        slicer.mrmlScene.Clear()

    # --- helpers ---

    @property
    def message(self) -> str:
        """The panel's one sentence."""
        return str(value(self.ui.messageLabel, "text"))

    @property
    def rows(self) -> int:
        """Rows of the support table."""
        return int(value(self.ui.supportTable, "rowCount"))

    def waitFor(self, condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
        """Run the event loop until something holds."""
        end = time.time() + seconds
        while not condition():
            self.assertLess(time.time(), end, f"waited {seconds} s; panel says: {self.message}")
            slicer.app.processEvents()
            time.sleep(0.01)

    def settle(self, seconds: float = 0.6) -> None:
        """Let timers run for a while."""
        end = time.time() + seconds
        while time.time() < end:
            slicer.app.processEvents()
            time.sleep(0.01)

    def press(self, name: str) -> None:
        """Press a button, which must be enabled."""
        button = getattr(self.ui, name)
        self.assertTrue(value(button, "enabled"), f"{name} is greyed out; panel says: {self.message}")
        button.click()
        slicer.app.processEvents()

    def shoot(self, name: str, section: str = "inputSection") -> None:
        """A picture of the main window, with a section of the panel in view, where pictures are wanted."""
        folder = os.environ.get("UNIVERSEG_SCREENSHOTS")
        if folder:
            slicer.util.mainWindow().resize(1500, 960)
            slicer.util.setDataProbeVisible(False)
            slicer.util.setModuleHelpSectionVisible(False)
            slicer.util.setApplicationLogoVisible(False)
            self.settle(1.0)
            area = getattr(self.ui, section)
            parent = area.parent()
            while parent is not None and not hasattr(parent, "ensureWidgetVisible"):
                parent = parent.parent()
            if parent is not None:
                parent.verticalScrollBar().setValue(area.pos.y())
            self.settle(1.0)
            slicer.util.mainWindow().grab().save(str(Path(folder) / f"{name}.png"))

    def loadSample(self, marked: tuple[int, ...] = MARKED) -> tuple[Any, Any]:
        """The generated scan, with some slices marked, chosen in the panel."""
        volume, segmentation = add_sample(slicer.mrmlScene, marked)
        parameters = self.panel.context.parameters
        parameters.volume = volume
        if segmentation is not None:
            parameters.segmentation = segmentation
        self.settle()
        return volume, parameters.segmentation

    def array(self, segmentation: Any, segmentId: str, volume: Any) -> np.ndarray:
        """A segment on the volume's grid, boolean (K, J, I)."""
        return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segmentId, volume) != 0

    def firstSegment(self, segmentation: Any) -> str:
        """Id of the first segment."""
        return str(segmentation.GetSegmentation().GetNthSegmentID(0))

    # --- the story ---

    def test_1_mark_segment_apply_undo(self) -> None:
        volume, segmentation = self.loadSample()
        self.assertEqual(self.rows, len(MARKED))
        self.shoot("1-marked", "markSection")
        organ = self.firstSegment(segmentation)
        before = self.array(segmentation, organ, volume)
        self.press("segmentButton")
        self.waitFor(lambda: self.logic.state.phase == "preview")
        self.shoot("2-preview", "supportSection")
        np.testing.assert_array_equal(self.array(segmentation, organ, volume), before)
        self.press("applyButton")
        after = self.array(segmentation, organ, volume)
        self.assertGreater(after.sum(), before.sum())
        np.testing.assert_array_equal(after[list(MARKED)], before[list(MARKED)])
        self.settle()
        self.assertEqual(self.rows, len(MARKED))
        self.shoot("3-applied", "supportSection")
        self.panel.context.editor.undo()
        np.testing.assert_array_equal(self.array(segmentation, organ, volume), before)
        self.panel.context.editor.redo()
        np.testing.assert_array_equal(self.array(segmentation, organ, volume), after)

    def test_2_cancel(self) -> None:
        volume, segmentation = self.loadSample()
        organ = self.firstSegment(segmentation)
        before = self.array(segmentation, organ, volume)
        self.press("segmentButton")
        self.waitFor(lambda: value(self.ui.cancelButton, "enabled"))
        started = time.time()
        self.press("cancelButton")
        self.waitFor(lambda: self.logic.state.phase == "idle" and not self.logic.state.busy, 30)
        self.assertLess(time.time() - started, 10)
        np.testing.assert_array_equal(self.array(segmentation, organ, volume), before)

    def test_3_click(self) -> None:
        volume, segmentation = self.loadSample(marked=())
        self.assertIsNotNone(segmentation)
        self.ui.clickButton.setChecked(True)
        self.settle()
        position = self.logic.slice_position(volume, "k", 30)
        self.panel.context.views.jump_to(position)
        self.settle()
        self.clickInRedView()
        self.waitFor(lambda: self.panel.clicks.count == 1 and not self.logic.state.busy)
        self.shoot("4-click", "segmentSection")
        self.press("acceptClickButton")
        self.settle()
        marked = self.array(segmentation, self.firstSegment(segmentation), volume)
        self.assertEqual(set(np.flatnonzero(marked.any(axis=(1, 2)))) - {30}, set())
        self.press("leaveClickButton")
        self.assertIsNone(self.logic.clicks)

    def clickInRedView(self) -> None:
        """A left click in the middle of the red view, through Qt's event queue like one of the mouse."""
        view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
        interactor = view.interactor()
        width, height = interactor.GetSize()
        interactor.SetEventInformation(width // 2, height // 2, 0, 0, "\0", 0, None)
        interactor.LeftButtonPressEvent()
        interactor.LeftButtonReleaseEvent()
        slicer.app.processEvents()

    def test_4_export(self) -> None:
        import SimpleITK as sitk

        volume, segmentation = self.loadSample()
        with tempfile.TemporaryDirectory() as folder:
            self.ui.exportPathLineEdit.setCurrentPath(folder)
            self.press("exportButton")
            self.assertIn("Written", self.message)
            files = list(Path(folder).glob("*.nii.gz"))
            self.assertEqual(len(files), 1)
            written = sitk.GetArrayFromImage(sitk.ReadImage(str(files[0])))
            organ = self.array(segmentation, self.firstSegment(segmentation), volume)
            np.testing.assert_array_equal(written == 1, organ)

    def test_5_scene_saved_and_loaded(self) -> None:
        self.loadSample()
        self.ui.qualityComboBox.setCurrentIndex(0)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear()
            self.assertTrue(slicer.util.loadScene(path))
            self.settle(1.0)
        self.assertEqual(self.rows, len(MARKED))
        self.assertEqual(self.panel.context.parameters.quality.value, "fast")
        self.assertTrue(value(self.ui.segmentButton, "enabled"))

    def test_6_scene_closed_during_a_run(self) -> None:
        self.loadSample()
        self.press("segmentButton")
        slicer.mrmlScene.Clear()
        self.settle(1.0)
        self.assertEqual(self.logic.state.phase, "idle")

    def test_7_python_console(self) -> None:
        volume, segmentation = self.loadSample()
        organ = self.firstSegment(segmentation)
        before = self.array(segmentation, organ, volume)
        report = slicer.util.getModuleLogic("UniverSegSlicer").propagate(volume, segmentation, quality="fast")
        self.assertEqual(report.axis, "k")
        self.assertGreater(self.array(segmentation, organ, volume).sum(), before.sum())

    def test_8_segment_editor_effect(self) -> None:
        if "SegmentEditorUniverSeg" not in slicer.util.moduleNames():
            self.skipTest("the module SegmentEditorUniverSeg is not loaded")
        volume, segmentation = self.loadSample()
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.util.getModuleWidget("SegmentEditor").editor
        editor.setSegmentationNode(segmentation)
        editor.setSourceVolumeNode(volume)
        editor.setActiveEffectByName("UniverSeg")
        effect = editor.activeEffect().self()
        organ = self.firstSegment(segmentation)
        before = self.array(segmentation, organ, volume)
        effect.previewButton.click()
        self.waitFor(lambda: effect.logic().state.phase == "preview")
        self.shoot("5-effect")
        effect.applyButton.click()
        self.assertGreater(self.array(segmentation, organ, volume).sum(), before.sum())
        editor.undo()
        np.testing.assert_array_equal(self.array(segmentation, organ, volume), before)
        editor.setActiveEffect(None)

    def test_9_sample_data(self) -> None:
        import SampleData

        source = SampleData.SampleDataLogic().sourceForSampleName("UniverSegPhantom")
        self.assertTrue(source.customDownloader(source))
        self.settle()
        self.assertEqual(self.rows, 3)

    def test_folder(self) -> None:
        import SimpleITK as sitk

        resources = Path(self.widget.resourcePath(REQUIREMENTS))
        missing = missing_of(read_requirements(resources))
        if missing:
            self.skipTest(f"not installed: {', '.join(missing)}")
        volume, _ = self.loadSample()
        self.ui.qualityComboBox.setCurrentIndex(0)
        with tempfile.TemporaryDirectory() as folder:
            scans, results = Path(folder) / "scans", Path(folder) / "results"
            scans.mkdir()
            image = sitk.GetImageFromArray(slicer.util.arrayFromVolume(volume)[18:32])
            image.SetSpacing(volume.GetSpacing())
            sitk.WriteImage(image, str(scans / "whole.nii.gz"))
            (scans / "damaged.nii.gz").write_bytes((scans / "whole.nii.gz").read_bytes()[:500])
            self.ui.folderInputPathLineEdit.setCurrentPath(str(scans))
            self.ui.folderOutputPathLineEdit.setCurrentPath(str(results))
            self.press("folderStartButton")
            self.assertTrue(value(self.ui.segmentButton, "enabled"), "Slicer can be used meanwhile")
            self.waitFor(lambda: not self.panel.folder.running)
            self.shoot("6-folder", "folderSection")
            said = str(value(self.ui.folderLabel, "text"))
            self.assertIn("1 of 2 volumes have a label map", said)
            self.assertIn("damaged", str(value(self.ui.folderProblems, "plainText")))
            self.assertTrue((results / "whole.nii.gz").is_file())
            self.assertTrue((results / "report.html").is_file())


def run_story() -> unittest.TestResult:
    """Run every step and print how each went."""
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Story)
    return unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
