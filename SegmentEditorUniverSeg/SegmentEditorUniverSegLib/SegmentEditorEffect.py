"""Fill the unmarked slices from inside the Segment Editor: Initialize, look at the preview, Apply.

The work runs on the scene logic's own thread, so Slicer stays usable and Cancel works; undo, masks, editable intensity
range and overwrite rules are those of the Segment Editor.
"""

from pathlib import Path

import qt
import slicer
from SegmentEditorEffects import AbstractScriptedSegmentEditorEffect
from slicer.i18n import tr as _

POLL_MS = 40


class SegmentEditorEffect(AbstractScriptedSegmentEditorEffect):
    """The effect as the Segment Editor lists it."""

    def __init__(self, scriptedEffect):
        scriptedEffect.name = "UniverSeg"  # an identifier, not translated
        scriptedEffect.title = _("UniverSeg")
        scriptedEffect.perSegment = False  # works on every visible segment with marks
        scriptedEffect.requireSegments = True
        AbstractScriptedSegmentEditorEffect.__init__(self, scriptedEffect)
        self._logic = None
        self._closing = None
        self._revision = -1
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self._poll)

    def clone(self):
        """Another instance, as the effect factory asks for."""
        import qSlicerSegmentationsEditorEffectsPythonQt as effects

        clonedEffect = effects.qSlicerSegmentEditorScriptedEffect(None)
        clonedEffect.setPythonSource(Path(__file__).as_posix())
        return clonedEffect

    def icon(self):
        """The button's picture."""
        path = Path(__file__).with_suffix(".png")
        return qt.QIcon(str(path)) if path.exists() else qt.QIcon()

    def helpText(self):
        """What the effect does, under its button."""
        return _(
            "<html>Fill in the slices that you have not marked, from those that you have.<br>"
            "<ul><li>Paint each structure on three to five slices of one orientation.</li>"
            "<li><b>Initialize</b> computes a preview of every visible segment with marks.</li>"
            "<li>Paint one more slice where it is wrong and <b>Update</b>, or <b>Apply</b>.</li></ul></html>"
        )

    def setupOptionsFrame(self):
        """The widgets of the effect."""
        self.qualityComboBox = qt.QComboBox()
        for value, label in (("fast", _("Fast")), ("balanced", _("Balanced")), ("best", _("Best"))):
            self.qualityComboBox.addItem(label, value)
        self.qualityComboBox.setToolTip(
            _("Best tunes the network on the examples where that helps, asks it several times and averages.")
        )
        self.scriptedEffect.addLabeledOptionsWidget(_("Quality:"), self.qualityComboBox)
        self.previewButton = qt.QPushButton(_("Initialize"))
        self.previewButton.setToolTip(_("Compute a preview of the unmarked slices"))
        self.cancelButton = qt.QPushButton(_("Cancel"))
        self.cancelButton.setToolTip(_("Stop, or throw the preview away; the segments stay as they were"))
        self.applyButton = qt.QPushButton(_("Apply"))
        self.applyButton.setToolTip(_("Write the preview into the segments; one undo takes it back"))
        row = qt.QHBoxLayout()
        for button in (self.previewButton, self.cancelButton, self.applyButton):
            row.addWidget(button)
        self.scriptedEffect.addOptionsWidget(row)
        self.progressBar = qt.QProgressBar()
        self.progressBar.setVisible(False)
        self.scriptedEffect.addOptionsWidget(self.progressBar)
        self.messageLabel = qt.QLabel()
        self.messageLabel.setWordWrap(True)
        self.scriptedEffect.addOptionsWidget(self.messageLabel)
        self.previewButton.connect("clicked()", self.onPreview)
        self.cancelButton.connect("clicked()", self.onCancel)
        self.applyButton.connect("clicked()", self.onApply)
        self.qualityComboBox.connect("currentIndexChanged(int)", self.updateMRMLFromGUI)

    def setMRMLDefaults(self):
        """Parameters of a new scene."""
        self.scriptedEffect.setParameterDefault("Quality", "balanced")

    def updateGUIFromMRML(self):
        """Show the stored quality and what can be pressed."""
        index = self.qualityComboBox.findData(self.scriptedEffect.parameter("Quality"))
        blocked = self.qualityComboBox.blockSignals(True)
        self.qualityComboBox.setCurrentIndex(max(index, 0))
        self.qualityComboBox.blockSignals(blocked)
        self._show()

    def updateMRMLFromGUI(self):
        """Store the quality."""
        self.scriptedEffect.setParameter("Quality", self.qualityComboBox.itemData(self.qualityComboBox.currentIndex))

    def deactivate(self):
        """Another effect is chosen: a run or preview that was not applied is dropped."""
        self.onCancel()

    def cleanup(self):
        """The effect goes away with its widget."""
        self._timer.stop()
        self._timer.disconnect("timeout()", self._poll)
        if self._closing is not None:
            slicer.mrmlScene.RemoveObserver(self._closing)
            self._closing = None
        if self._logic is not None:
            self._logic.shutdown()
            self._logic = None

    def logic(self):
        """The scene logic, made at the first use."""
        if self._logic is None:
            from UniverSegSlicerLib.scene.logic import UniverSegLogic

            self._logic = UniverSegLogic(slicer.mrmlScene)
            self._logic.writer.save_state = self.scriptedEffect.saveStateForUndo
            self._closing = slicer.mrmlScene.AddObserver(slicer.mrmlScene.StartCloseEvent, self._onSceneClosing)
        return self._logic

    def onPreview(self):
        """Start computing the preview."""
        from UniverSegSlicerLib.panel.host import provide_torch
        from UniverSegSlicerLib.scene.interface import RunOptions, Selection
        from UniverSegSlicerLib.scene.running.dependencies import torch_status

        def start():
            if not torch_status().ready:
                provide_torch()
            node = self.scriptedEffect.parameterSetNode()
            # No ids: every visible segment that is not completed and has marks.
            selection = Selection(node.GetSourceVolumeNode(), node.GetSegmentationNode(), None, node)
            self.logic().start(selection, RunOptions(quality=self.scriptedEffect.parameter("Quality")))
            self._timer.start()

        self._attempt(start)

    def onCancel(self):
        """Stop the run, or discard the preview."""
        if self._logic is None:
            return
        if self._logic.state.phase == "preview":
            self._attempt(self._logic.discard)
        else:
            self._attempt(self._logic.cancel)

    def onApply(self):
        """Write the preview into the segments."""
        if self._logic is not None:
            self._attempt(self._logic.apply)

    def _attempt(self, action):
        from UniverSegSlicerLib.errors import UniverSegError

        try:
            action()
        except UniverSegError as error:
            self._show(str(error))
        else:
            self._show()

    def _poll(self):
        if self._logic is None:
            return
        state = self._logic.poll()
        if state.revision != self._revision:
            self._revision = state.revision
            self._show()
        if state.phase == "idle" and not state.busy:
            self._timer.stop()

    def _show(self, problem=""):
        state = self._logic.state if self._logic is not None else None
        phase = state.phase if state is not None else "idle"
        running = phase == "running"
        self.previewButton.setText(_("Update") if phase == "preview" else _("Initialize"))
        self.previewButton.setEnabled(not running)
        self.cancelButton.setEnabled(phase in ("running", "preview"))
        self.applyButton.setEnabled(phase == "preview")
        self.progressBar.setVisible(running)
        if state is not None:
            self.progressBar.setValue(round(100 * state.fraction))
            problem = problem or state.error
        self.messageLabel.setText(problem or (state.message if state is not None else ""))

    def _onSceneClosing(self, *_event):
        self._timer.stop()
        if self._logic is not None:
            self._logic.scene_closing()
