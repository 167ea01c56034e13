"""Scripted modules as Slicer loads, shows, reloads and tests them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtGui, QtWidgets

from .qmrml import qMRMLWidget


class ScriptedLoadableModule:
    """Base of a module's description; its name leads to ``<name>Widget`` and ``<name>Test``."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__

    def runTest(self, msec: int = 100) -> None:
        test = getattr(importlib.import_module(type(self).__module__), f"{self.moduleName}Test")()
        test.messageDelay = msec
        test.runTest()


class ScriptedLoadableModuleWidget:
    """Base of a module's panel, with the two entries of the developer's menu."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent
        self.layout = parent.layout()
        self.reloadTestAction = QtGui.QAction("Reload and Test", parent)
        self.reloadTestAction.triggered.connect(self.onReloadAndTest)
        self.testAction = QtGui.QAction("Test", parent)
        self.testAction.triggered.connect(self.onTest)
        #: What a press of the two raised; an exception does not leave a slot of Qt.
        self.failure: Exception | None = None

    def resourcePath(self, name: str) -> str:
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / name)

    def setup(self) -> None:
        return None

    def onReload(self) -> None:
        slicer.util.reloadScriptedModule(self.moduleName)

    def onTest(self) -> None:
        try:
            slicer.util.getModule(self.moduleName).description.runTest()
        except Exception as error:
            self.failure = error

    def onReloadAndTest(self) -> None:
        self.onReload()
        self.onTest()


class ScriptedLoadableModuleLogic:
    """Base of a module's logic: one parameter node a scene."""

    def __init__(self) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> Any:
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag(self.moduleName)
            node.SetAttribute("ModuleName", self.moduleName)
            node.SetName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base of a module's test."""

    def runTest(self) -> None:
        raise AssertionError(f"no test is defined in {type(self).__name__}")


def make_module() -> types.ModuleType:
    """The module ``slicer.ScriptedLoadableModule``."""
    module = types.ModuleType("slicer.ScriptedLoadableModule")
    for kind in (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    ):
        setattr(module, kind.__name__, kind)
    return module


class Loaded:
    """A module that the application knows."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.name = path.stem
        self.parent = types.SimpleNamespace(path=self.path)
        self.frame: qMRMLWidget | None = None
        self.widget: Any = None
        self.read()

    def read(self) -> None:
        """Load the source anew and describe the module."""
        spec = importlib.util.spec_from_file_location(self.name, self.path)
        assert spec is not None and spec.loader is not None
        self.module = importlib.util.module_from_spec(spec)
        sys.modules[self.name] = self.module
        spec.loader.exec_module(self.module)
        self.description = getattr(self.module, self.name)(self.parent)

    def make_widget(self) -> Any:
        """The module's panel, made when it is first wanted."""
        if self.widget is None:
            self.frame = qMRMLWidget()
            QtWidgets.QVBoxLayout(self.frame)
            self.frame.setMRMLScene(slicer.mrmlScene)
            self.frame.isEntered = False
            self.widget = getattr(self.module, f"{self.name}Widget")(self.frame)
            self.widget.setup()
        return self.widget

    def drop_widget(self) -> None:
        """Clean the panel up."""
        if self.widget is not None:
            self.leave()
            self.widget.cleanup()
            self.frame.setMRMLScene(None)
            self.frame.deleteLater()
            self.frame = self.widget = None

    def enter(self) -> None:
        """Show the panel."""
        widget = self.make_widget()
        if not self.frame.isEntered:
            self.frame.isEntered = True
            widget.enter()

    def leave(self) -> None:
        """Hide the panel."""
        if self.frame is not None and self.frame.isEntered:
            self.frame.isEntered = False
            self.widget.exit()


class ModuleManager:
    """Every loaded module, the one that is shown, and the functions of ``slicer.util`` about them."""

    def __init__(self) -> None:
        self.namespace = types.SimpleNamespace()
        self._loaded: dict[str, Loaded] = {}

    def load(self, path: Path) -> None:
        """Load a module's source file."""
        module = Loaded(path)
        self._loaded[module.name] = module
        setattr(self.namespace, module.name.lower(), module)

    def unload(self) -> None:
        """Clean every panel up."""
        for module in self._loaded.values():
            module.drop_widget()

    def select(self, name: str) -> None:
        """Show one module and hide the others."""
        for other in self._loaded.values():
            if other.name != name:
                other.leave()
        self._loaded[name].enter()

    def reload(self, name: str) -> None:
        """Read the source anew and make a new panel; a shown one is shown again."""
        module = self._loaded[name]
        shown = module.frame is not None and module.frame.isEntered
        module.drop_widget()
        module.read()
        module.make_widget()
        if shown:
            module.enter()

    def logic(self, name: str) -> Any:
        """The logic of a module's panel."""
        return self._loaded[name].make_widget().logic

    def functions(self) -> dict[str, Callable[..., Any]]:
        """What takes the place of the functions of ``slicer.util``."""
        return {
            "moduleNames": lambda: list(self._loaded),
            "modulePath": lambda name: self._loaded[name].path,
            "getModule": lambda name: self._loaded[name],
            "getModuleWidget": lambda name: self._loaded[name].make_widget(),
            "getModuleLogic": self.logic,
            "selectModule": self.select,
            "reloadScriptedModule": self.reload,
        }
