"""What a user does, inside a real Slicer: load, mark, segment, cancel, undo, click, export, reload the scene.

Runs with ``Slicer --testing --no-splash --additional-module-paths UniverSegSlicer SegmentEditorUniverSeg
--python-script Testing/Slicer/UniverSegSlicerStory.py`` and as a ctest. Needs torch, but no network and no GPU. With
the environment variable ``UNIVERSEG_SCREENSHOTS`` set to a folder, pictures of the main window are written there.
"""

import os
import sys
import tempfile
import time
import traceback
import unittest
from pathlib import Path

import numpy as np
import qt
import slicer

MARKED = (20, 30, 40)
PATIENCE_S = 300


class UniverSegSlicerStory(unittest.TestCase):
    """One scene, one story a test; the bundled model on the CPU."""

    def setUp(self):
        slicer.mrmlScene.Clear()
        slicer.util.selectModule("UniverSegSlicer")
        self.widget = slicer.util.getModuleWidget("UniverSegSlicer")
        self.panel = self.widget.panel
        self.logic = self.panel.context.logic
        self.ui = self.widget.ui

    def tearDown(self):
        slicer.mrmlScene.Clear()

    # --- helpers ---

    def waitFor(self, condition, seconds=None):
        seconds = seconds or PATIENCE_S
        end = time.time() + seconds
        while not condition():
            self.assertLess(time.time(), end, f"waited {seconds} s; panel says: {self.ui.messageLabel.text}")
            slicer.app.processEvents()
            time.sleep(0.01)

    def settle(self, seconds=0.6):
        end = time.time() + seconds
        while time.time() < end:
            slicer.app.processEvents()
            time.sleep(0.01)

    def press(self, name):
        button = getattr(self.ui, name)
        self.assertTrue(button.enabled, f"{name} is greyed out; panel says: {self.ui.messageLabel.text}")
        button.click()
        slicer.app.processEvents()

    def shoot(self, name, section="inputSection"):
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

    def loadSample(self, marked=MARKED):
        from UniverSegSlicerLib.scene.mrml.sample import add_sample

        volume, segmentation = add_sample(slicer.mrmlScene, marked)
        parameters = self.panel.context.parameters
        parameters.volume = volume
        if segmentation is not None:
            parameters.segmentation = segmentation
        self.settle()
        return volume, parameters.segmentation

    def array(self, segmentation, segmentId, volume):
        return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segmentId, volume) != 0

    def firstSegment(self, segmentation):
        return segmentation.GetSegmentation().GetNthSegmentID(0)

    # --- the story ---

    def test_1_mark_segment_apply_undo(self):
        volume, segmentation = self.loadSample()
        self.assertEqual(self.ui.supportTable.rowCount, len(MARKED))
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
        self.assertEqual(self.ui.supportTable.rowCount, len(MARKED))
        self.shoot("3-applied", "supportSection")
        self.panel.context.editor.undo()
        np.testing.assert_array_equal(self.array(segmentation, organ, volume), before)
        self.panel.context.editor.redo()
        np.testing.assert_array_equal(self.array(segmentation, organ, volume), after)

    def test_2_cancel(self):
        volume, segmentation = self.loadSample()
        organ = self.firstSegment(segmentation)
        before = self.array(segmentation, organ, volume)
        self.press("segmentButton")
        self.waitFor(lambda: self.ui.cancelButton.enabled)
        started = time.time()
        self.press("cancelButton")
        self.waitFor(lambda: self.logic.state.phase == "idle" and not self.logic.state.busy, 30)
        self.assertLess(time.time() - started, 10)
        np.testing.assert_array_equal(self.array(segmentation, organ, volume), before)

    def test_3_click(self):
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

    def clickInRedView(self):
        """A left click in the middle of the red view, through Qt's event queue like one of the mouse."""
        view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
        interactor = view.interactor()
        width, height = interactor.GetSize()
        interactor.SetEventInformation(width // 2, height // 2, 0, 0, "\0", 0, None)
        interactor.LeftButtonPressEvent()
        interactor.LeftButtonReleaseEvent()
        slicer.app.processEvents()

    def test_4_export(self):
        import SimpleITK as sitk

        volume, segmentation = self.loadSample()
        with tempfile.TemporaryDirectory() as folder:
            self.ui.exportPathLineEdit.currentPath = folder
            self.press("exportButton")
            self.assertIn("Written", self.ui.messageLabel.text)
            files = list(Path(folder).glob("*.nii.gz"))
            self.assertEqual(len(files), 1)
            written = sitk.GetArrayFromImage(sitk.ReadImage(str(files[0])))
            organ = self.array(segmentation, self.firstSegment(segmentation), volume)
            np.testing.assert_array_equal(written == 1, organ)

    def test_5_scene_saved_and_loaded(self):
        self.loadSample()
        self.ui.qualityComboBox.setCurrentIndex(0)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear()
            self.assertTrue(slicer.util.loadScene(path))
            self.settle(1.0)
        self.assertEqual(self.ui.supportTable.rowCount, len(MARKED))
        self.assertEqual(self.panel.context.parameters.quality.value, "fast")
        self.assertTrue(self.ui.segmentButton.enabled)

    def test_6_scene_closed_during_a_run(self):
        self.loadSample()
        self.press("segmentButton")
        slicer.mrmlScene.Clear()
        self.settle(1.0)
        self.assertEqual(self.logic.state.phase, "idle")

    def test_7_python_console(self):
        volume, segmentation = self.loadSample()
        organ = self.firstSegment(segmentation)
        before = self.array(segmentation, organ, volume)
        report = slicer.util.getModuleLogic("UniverSegSlicer").propagate(volume, segmentation, quality="fast")
        self.assertEqual(report.axis, "k")
        self.assertGreater(self.array(segmentation, organ, volume).sum(), before.sum())

    def test_8_segment_editor_effect(self):
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

    def test_9_sample_data(self):
        import SampleData

        source = SampleData.SampleDataLogic().sourceForSampleName("UniverSegPhantom")
        self.assertTrue(source.customDownloader(source))
        self.settle()
        self.assertEqual(self.ui.supportTable.rowCount, 3)


def run():
    """Run the story and leave Slicer with its result as the exit code."""
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(UniverSegSlicerStory)
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
    print(
        f"{result.testsRun - len(result.failures) - len(result.errors)} passed, "
        f"{len(result.failures) + len(result.errors)} failed"
    )
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    try:
        code = run()
    except Exception:
        traceback.print_exc()
        code = 1
    qt.QTimer.singleShot(0, lambda: slicer.util.exit(code))
