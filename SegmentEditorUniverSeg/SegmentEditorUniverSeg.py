"""Registers the effect "UniverSeg" with the Segment Editor; a module that shows nothing of its own."""

from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModule


class SegmentEditorUniverSeg(ScriptedLoadableModule):
    """The hidden registrar module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "SegmentEditorUniverSeg"
        parent.categories = ["Segmentation"]
        parent.dependencies = ["Segmentations", "UniverSegSlicer"]
        parent.contributors = ["The UniverSegSlicer contributors"]
        parent.hidden = True
        parent.helpText = _("Adds the effect UniverSeg to the Segment Editor: fills the unmarked slices.")
        parent.acknowledgementText = ""
        slicer.app.connect("startupCompleted()", self.registerEffect)

    def registerEffect(self):
        """Make the effect known to the Segment Editor."""
        import qSlicerSegmentationsEditorEffectsPythonQt

        effect = qSlicerSegmentationsEditorEffectsPythonQt.qSlicerSegmentEditorScriptedEffect(None)
        folder = Path(__file__).parent / f"{type(self).__name__}Lib"
        effect.setPythonSource((folder / "SegmentEditorEffect.py").as_posix())
        effect.self().register()
