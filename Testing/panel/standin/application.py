"""The running application as the module's shell and its self test see it: scene, module manager, slice views.

One scene (real MRML, from slicer-core), one axial slice view with a real VTK interactor, scene files, Sample Data.
Without the Segment Editor module, so the effect stays outside.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import slicer
import slicer.util
import vtk
from PySide6 import QtCore, QtWidgets

from . import scripted_modules


class SliceView:
    """The view "Red": axial, 300 x 300 pixels at 1 mm."""

    SIZE = 300

    def __init__(self, scene: Any) -> None:
        self._node = scene.AddNode(slicer.vtkMRMLSliceNode())
        self._node.SetName("Red")
        self._node.SetLayoutName("Red")
        self._node.SetSingletonTag("Red")
        self._node.SetOrientationToAxial()
        self._node.SetDimensions(self.SIZE, self.SIZE, 1)
        self._node.SetFieldOfView(self.SIZE, self.SIZE, 1)
        self._node.UpdateMatrices()
        composite = slicer.vtkMRMLSliceCompositeNode()
        composite.SetLayoutName("Red")
        composite.SetSingletonTag("Red")
        scene.AddNode(composite)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetSize(self.SIZE, self.SIZE)
        self._interactor.Enable()
        self.cursor: Any = None

    def sliceView(self) -> SliceView:
        return self

    def interactor(self) -> Any:
        return self._interactor

    def mrmlSliceNode(self) -> Any:
        return self._node

    def setViewCursor(self, cursor: Any) -> None:
        self.cursor = cursor

    def unsetViewCursor(self) -> None:
        self.cursor = None


class LayoutManager:
    """The layout with its one slice view."""

    def __init__(self, view: SliceView) -> None:
        self._view = view

    def sliceViewNames(self) -> tuple[str, ...]:
        return ("Red",)

    def sliceWidget(self, _name: str) -> SliceView:
        return self._view

    def mrmlSliceLogics(self) -> Any:
        return vtk.vtkCollection()


class Application:
    """``slicer.app``: signals that fire once, the event loop, layout and settings."""

    def __init__(self, qt_application: QtWidgets.QApplication, scene: Any) -> None:
        self._qt = qt_application
        self._started: list[Callable[[], None]] = []
        self._logic = slicer.vtkMRMLApplicationLogic()
        self._logic.SetMRMLScene(scene)
        self._segmentations = slicer.vtkSlicerSegmentationsModuleLogic()
        self._segmentations.SetMRMLApplicationLogic(self._logic)
        self._segmentations.SetMRMLScene(scene)
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
        self._layout = LayoutManager(SliceView(scene))
        self.window = QtWidgets.QMainWindow()
        self._settings = QtCore.QSettings(str(Path(mkdtemp()) / "settings.ini"), QtCore.QSettings.IniFormat)

    def connect(self, signal: str, receiver: Callable[[], None]) -> None:
        assert signal == "startupCompleted()", signal
        self._started.append(receiver)

    def complete_startup(self) -> None:
        """What Slicer tells once all modules are loaded."""
        while self._started:
            self._started.pop(0)()

    def processEvents(self) -> None:
        self._qt.processEvents()

    def userSettings(self) -> QtCore.QSettings:
        """Settings of this run alone."""
        return self._settings

    def layoutManager(self) -> LayoutManager:
        return self._layout

    def segmentations_logic(self) -> Any:
        """``slicer.modules.segmentations.logic()``."""
        return self._segmentations


def sample_data() -> types.ModuleType:
    """The module ``SampleData`` as far as registering, finding and loading a sample goes."""
    module = types.ModuleType("SampleData")

    class SampleDataLogic:
        sources: list[types.SimpleNamespace] = []  # noqa: RUF012 - one list for all, as in Slicer

        @classmethod
        def registerCustomSampleDataSource(cls, **source: Any) -> None:
            cls.sources.append(types.SimpleNamespace(**source))

        def sourceForSampleName(self, name: str) -> types.SimpleNamespace:
            return next(source for source in self.sources if source.sampleName == name)

    module.SampleDataLogic = SampleDataLogic  # type: ignore[attr-defined]
    return module


def save_scene(path: str) -> bool:
    """``slicer.util.saveScene`` for a bundle."""
    return bool(slicer.mrmlScene.WriteToMRB(path))


def load_scene(path: str) -> bool:
    """``slicer.util.loadScene`` for a bundle."""
    cache, data_io = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
    cache.SetRemoteCacheDirectory(mkdtemp())
    data_io.SetCacheManager(cache)
    slicer.mrmlScene.SetDataIOManager(data_io)
    return bool(slicer.mrmlScene.ReadFromMRB(path, True))


@contextmanager
def running(qt_application: QtWidgets.QApplication, shells: list[Path]) -> Iterator[scripted_modules.ModuleManager]:
    """An application that has loaded the modules in ``shells``; everything is put back afterwards."""
    scene = slicer.vtkMRMLScene()
    application = Application(qt_application, scene)
    modules = scripted_modules.ModuleManager()
    modules.namespace.segmentations = types.SimpleNamespace(logic=application.segmentations_logic)
    replaced = {
        slicer: {"mrmlScene": scene, "app": application, "modules": modules.namespace},
        slicer.util: {
            "mainWindow": lambda: application.window,
            "saveScene": save_scene,
            "loadScene": load_scene,
            "startupEnvironment": lambda: dict(os.environ),
            "showStatusMessage": lambda *_arguments: None,
            **modules.functions(),
        },
    }
    kept_modules = dict(sys.modules)
    before = {holder: {name: vars(holder).get(name) for name in values} for holder, values in replaced.items()}
    for holder, values in replaced.items():
        vars(holder).update(values)
    sys.modules["SampleData"] = sample_data()
    sys.modules["slicer.ScriptedLoadableModule"] = scripted_modules.make_module()
    try:
        for shell in shells:
            modules.load(shell)
        application.complete_startup()
        yield modules
    finally:
        modules.unload()
        scene.Clear(1)
        for holder, values in before.items():
            for name, value in values.items():
                vars(holder).pop(name) if value is None else setattr(holder, name, value)
        for name in {"SampleData", "slicer.ScriptedLoadableModule", *(shell.stem for shell in shells)}:
            sys.modules.pop(name, None)
            if name in kept_modules:
                sys.modules[name] = kept_modules[name]
