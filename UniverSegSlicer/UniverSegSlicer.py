"""The Slicer module UniverSegSlicer: thin shells around ``UniverSegSlicerLib``, no work of their own."""

from pathlib import Path

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class UniverSegSlicer(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("UniverSeg")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "SegmentEditor", "SubjectHierarchy"]
        parent.contributors = ["The UniverSegSlicer contributors"]
        parent.helpText = _(
            "Mark a structure on a few slices of a volume; a network that learns from examples segments the other "
            "slices. No training for the task, nothing leaves this computer. The panel's section First steps shows "
            "how, and the README of the extension holds a tutorial with pictures."
        )
        parent.acknowledgementText = _(
            "The method is UniverSeg: V. I. Butoi, J. J. Gonzalez Ortiz, T. Ma, M. R. Sabuncu, J. Guttag, A. V. Dalca, "
            "UniverSeg: Universal Medical Image Segmentation, ICCV 2023."
        )
        # Before another module loads torch: see UniverSegSlicerLib.processors.
        import UniverSegSlicerLib  # noqa: F401

        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData():
    """Offer a generated volume (no network needed) and a public scan in the module Sample Data."""
    from UniverSegSlicerLib.panel.sample_data import register

    register(Path(__file__).parent / "Resources" / "Icons")


class UniverSegSlicerLogic(ScriptedLoadableModuleLogic):
    """The module's logic for the Python console.

    Example:
        >>> logic = slicer.util.getModuleLogic("UniverSegSlicer")
        >>> logic.propagate(getNode("MRHead"), getNode("Segmentation"))
    """

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self._scene_logic = None

    @property
    def scene_logic(self):
        """The scene logic (``UniverSegSlicerLib.scene.logic.UniverSegLogic``), made when it is first asked for."""
        if self._scene_logic is None:
            from UniverSegSlicerLib.scene.logic import UniverSegLogic

            self._scene_logic = UniverSegLogic(slicer.mrmlScene)
        return self._scene_logic

    def getParameterNode(self):
        """The parameter node of the scene, typed."""
        from UniverSegSlicerLib.panel.parameters import PanelParameters

        return PanelParameters(super().getParameterNode())

    def propagate(self, volumeNode, segmentationNode, segmentIds=None, **options):
        """Segment the unmarked slices and write the result as one step of undo; waits until it is done.

        :param volumeNode: scalar volume node
        :param segmentationNode: segmentation node with a few marked slices
        :param segmentIds: which segments; all visible ones with marks by default
        :param options: fields of ``UniverSegSlicerLib.scene.interface.RunOptions`` (axis, reach, quality, device...)
        :return: ``UniverSegSlicerLib.scene.interface.RunReport``
        """
        return self.scene_logic.propagate(volumeNode, segmentationNode, segmentIds, **options)

    def exportToNifti(self, volumeNode, segmentationNode, folder, **options):
        """Write the segments as a NIfTI label map on the volume's grid, with a table of the names."""
        from UniverSegSlicerLib.scene.mrml.export import export_nifti

        return export_nifti(volumeNode, segmentationNode, folder, **options)

    def shutdown(self):
        """End the worker thread."""
        if self._scene_logic is not None:
            self._scene_logic.shutdown()
            self._scene_logic = None


class UniverSegSlicerWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel: loads the ``.ui`` file and hands everything to ``UniverSegSlicerLib.panel``."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None
        self._parameters = None
        self._guiTag = None

    def setup(self):
        """Make the panel; called when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        from UniverSegSlicerLib.panel.assembly import assemble

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/UniverSegSlicer.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = UniverSegSlicerLogic()
        self.panel = assemble(self.ui, self.logic.scene_logic, self.resourcePath("Icons"))
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEnd)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEnd)
        self.initializeParameterNode()

    def enter(self):
        """The module is shown."""
        self.initializeParameterNode()
        self.panel.enter()

    def exit(self):
        """Another module is shown."""
        self.panel.exit()

    def cleanup(self):
        """The application quits, or the module is reloaded."""
        self.setParameterNode(None)
        self.removeObservers()
        if self.panel is not None:
            self.panel.cleanup()
        if self.logic is not None:
            self.logic.shutdown()

    def onSceneStartClose(self, *_event):
        """The scene is about to go."""
        self.setParameterNode(None)
        self.panel.scene_closing()

    def onSceneEnd(self, *_event):
        """A scene was closed or loaded."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        """Make sure that there is a parameter node, and choose the first volume when none is chosen."""
        self.panel.prepare_editor()
        self.setParameterNode(self.logic.getParameterNode())
        if not self._parameters.volume:
            self._parameters.volume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")

    def setParameterNode(self, parameters):
        """Bind the widgets to a parameter node, or to none."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._guiTag)
            self._guiTag = None
            self.removeObserver(self._parameters, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self._parameters = parameters
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.ui)
            self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
            self.panel.set_parameters(parameters)

    def onParametersModified(self, *_event):
        """A choice changed, in the panel or from a script."""
        self.panel.on_parameters_changed()


class UniverSegSlicerTest(ScriptedLoadableModuleTest):
    """*Reload and Test* and the ctest: mark, segment, cancel, undo, click, export, reload, as a user does."""

    def setUp(self):
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Run every step; one that fails does not keep the others from running."""
        from UniverSegSlicerLib.panel.self_test import run_story

        self.setUp()
        result = run_story()
        failed = [test.id().rpartition(".")[2] for test, _trace in [*result.failures, *result.errors]]
        self.assertEqual(failed, [], "these steps failed; the Python console says more")
