"""Fill the unmarked slices from inside the Segment Editor: Initialize, look at the preview, Apply; or click on a slice.

The work runs on the scene logic's own thread, so Slicer stays usable and Cancel works; undo, masks, editable intensity
range and overwrite rules are those of the Segment Editor, and the preview follows them.
"""

from pathlib import Path

import qt
import slicer
import vtk
from SegmentEditorEffects import AbstractScriptedSegmentEditorEffect
from slicer.i18n import tr as _

POLL_MS = 20
MESSAGE_LINES = 3


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
        self._timer.timeout.connect(self._poll)

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
            "<li>Paint one more slice where it is wrong and <b>Update</b>, or <b>Apply</b>.</li>"
            "<li><b>Click</b> marks a slice without painting: a click in a slice view includes, Ctrl+click excludes, "
            "Return accepts the slice, Backspace takes a click back.</li></ul></html>"
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
        self._addRow(self.previewButton, self.cancelButton, self.applyButton)
        self.clickButton = qt.QPushButton(_("Click"))
        self.clickButton.setCheckable(True)
        self.clickButton.setToolTip(_("Click on the structure in a slice view to include it, Ctrl+click to exclude"))
        self.acceptButton = qt.QPushButton(_("Accept slice"))
        self.acceptButton.setToolTip(_("Write the slice into the selected segment (Return); one undo takes it back"))
        self.takeBackButton = qt.QPushButton(_("Undo click"))
        self.takeBackButton.setToolTip(_("Take the last click back (Backspace)"))
        self._addRow(self.clickButton, self.acceptButton, self.takeBackButton)
        self.progressBar = qt.QProgressBar()
        self.progressBar.setVisible(False)
        self.scriptedEffect.addOptionsWidget(self.progressBar)
        self.messageLabel = qt.QLabel()
        # The frame of the options does not grow with the lines of a label.
        self.messageLabel.setText("\n" * (MESSAGE_LINES - 1))
        self.messageLabel.setMinimumHeight(self.messageLabel.property("sizeHint").height())
        self.messageLabel.setWordWrap(True)
        self.messageLabel.setAlignment(qt.Qt.AlignLeft | qt.Qt.AlignTop)
        self.scriptedEffect.addOptionsWidget(self.messageLabel)
        self.previewButton.clicked.connect(self.onPreview)
        self.cancelButton.clicked.connect(self.onCancel)
        self.applyButton.clicked.connect(self.onApply)
        self.clickButton.toggled.connect(self.onClicking)
        self.acceptButton.clicked.connect(self.onAccept)
        self.takeBackButton.clicked.connect(self.onTakeBack)
        self.qualityComboBox.currentIndexChanged.connect(lambda _index: self.updateMRMLFromGUI())
        self._show()

    def _addRow(self, *buttons):
        row = qt.QHBoxLayout()
        for button in buttons:
            row.addWidget(button)
        self.scriptedEffect.addOptionsWidget(row)

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
        index = int(self.qualityComboBox.property("currentIndex"))
        self.scriptedEffect.setParameter("Quality", self.qualityComboBox.itemData(index))

    def deactivate(self):
        """Another effect is chosen: clicks and a run are dropped; a preview stays while one more slice is painted."""
        self.clickButton.setChecked(False)
        if self._logic is not None and self._logic.state.phase != "preview":
            self.onCancel()

    def cleanup(self):
        """The effect goes away with its widget."""
        self._timer.stop()
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
        from UniverSegSlicerLib.scene.running.dependencies import torch_status

        def start():
            if not torch_status().ready:
                provide_torch()
            # No ids: every visible segment that is not completed and has marks.
            self.logic().start(self._selection(), self._options())
            self._timer.start()

        self.clickButton.setChecked(False)
        self._attempt(start)

    def processInteractionEvents(self, callerInteractor, eventId, viewWidget):
        """Clicks and keys in the slice views, while clicking; True where they are ours."""
        if not self.clickButton.property("checked") or viewWidget.className() != "qMRMLSliceWidget":
            return False
        if eventId == vtk.vtkCommand.LeftButtonPressEvent:
            from UniverSegSlicerLib.panel.views.slice_clicks import to_ras

            node = viewWidget.mrmlSliceNode()
            self.onClick(
                node, to_ras(node, *callerInteractor.GetEventPosition()), bool(callerInteractor.GetControlKey())
            )
            return True
        if eventId == vtk.vtkCommand.KeyPressEvent:
            action = {"Return": self.onAccept, "KP_Enter": self.onAccept, "BackSpace": self.onTakeBack}.get(
                callerInteractor.GetKeySym()
            )
            if action is not None:
                action()
                return True
        return False

    def onClicking(self, on):
        """Clicking is switched on or off; clicks that were not accepted are dropped."""
        if on:
            from UniverSegSlicerLib.panel.host import provide_torch
            from UniverSegSlicerLib.scene.running.dependencies import torch_status

            self._attempt(lambda: torch_status().ready or provide_torch())
        elif self._logic is not None:
            self._attempt(self._logic.end_clicks)
        self._show()

    def onClick(self, sliceNode, ras, exclude):
        """A click on the structure, or (``exclude``) beside it, at a world position (RAS, mm)."""
        from UniverSegSlicerLib.panel.host import slice_at

        selection = self._selection()
        found = slice_at(sliceNode, selection.volume, ras) if selection.volume is not None else None
        if found is not None:
            self._attempt(
                lambda: self.logic().click_on(selection, *found, ras, include=not exclude, options=self._options())
            )
            self._timer.start()

    def onAccept(self):
        """Write the slice that was clicked on into the selected segment."""
        if self._clicks():
            self._attempt(self._logic.accept_clicks)

    def onTakeBack(self):
        """Take the last click back."""
        if self._clicks():
            self._attempt(self._logic.take_back_click)

    def _clicks(self):
        clicks = self._logic.clicks if self._logic is not None else None
        return len(clicks.include) + len(clicks.exclude) if clicks is not None else 0

    def _selection(self):
        from UniverSegSlicerLib.scene.interface import Selection

        node = self.scriptedEffect.parameterSetNode()
        return Selection(node.GetSourceVolumeNode(), node.GetSegmentationNode(), None, node)

    def _options(self):
        from UniverSegSlicerLib.scene.interface import RunOptions

        return RunOptions(quality=self.scriptedEffect.parameter("Quality"))

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
        self.clickButton.setEnabled(not running and phase != "preview")
        for button in (self.acceptButton, self.takeBackButton):
            button.setEnabled(bool(self._clicks()))
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
