"""The qMRML widgets that the panel uses, over a real MRML scene (slicer-core)."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets


class qMRMLWidget(QtWidgets.QWidget):
    """A widget that hands its scene to the MRML widgets inside it."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        for child in self.findChildren(QtWidgets.QWidget):
            if child is not self and hasattr(child, "setMRMLScene"):
                child.setMRMLScene(scene)

    def mrmlScene(self) -> Any:
        return self._scene


class qMRMLNodeComboBox(QtWidgets.QComboBox):
    """A combo box of the scene's nodes of certain classes, which follows the scene."""

    currentNodeChanged = QtCore.Signal(object)
    nodeAddedByUser = QtCore.Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._types: list[str] = []
        self._none_enabled = False
        self._children = True
        self._ids: list[str] = []
        self._tags: list[int] = []
        self.currentIndexChanged.connect(lambda _index: self.currentNodeChanged.emit(self.currentNode()))

    def _get_types(self) -> list[str]:
        return self._types

    def setNodeTypes(self, types: list[str]) -> None:
        self._types = list(types)
        self._refresh()

    def _set_none(self, on: bool) -> None:
        self._none_enabled = on

    def _set_children(self, on: bool) -> None:
        self._children = on

    nodeTypes = QtCore.Property("QStringList", _get_types, setNodeTypes)
    noneEnabled = QtCore.Property(bool, lambda self: self._none_enabled, _set_none)
    showChildNodeTypes = QtCore.Property(bool, lambda self: self._children, _set_children)
    addEnabled = QtCore.Property(bool, lambda self: True, lambda self, on: None)
    renameEnabled = QtCore.Property(bool, lambda self: True, lambda self, on: None)
    removeEnabled = QtCore.Property(bool, lambda self: True, lambda self, on: None)

    def setMRMLScene(self, scene: Any) -> None:
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags = []
        self._scene = scene
        if scene is not None:
            self._tags = [
                scene.AddObserver(event, lambda *_: self._refresh())
                for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent)
            ]
        self._refresh()

    def _nodes(self) -> list[Any]:
        if self._scene is None:
            return []
        found = []
        for index in range(self._scene.GetNumberOfNodes()):
            node = self._scene.GetNthNode(index)
            if node.GetHideFromEditors():
                continue
            if node.GetClassName() in self._types or (self._children and any(node.IsA(t) for t in self._types)):
                found.append(node)
        return found

    def _refresh(self) -> None:
        current = self.currentNodeID()
        nodes = self._nodes()
        self.blockSignals(True)
        self.clear()
        self._ids = [node.GetID() for node in nodes]
        names = [node.GetName() for node in nodes]
        if self._none_enabled:
            self._ids.insert(0, "")
            names.insert(0, "None")
        self.addItems(names)
        keep = self._ids.index(current) if current in self._ids else (0 if self._ids else -1)
        self.setCurrentIndex(keep)
        self.blockSignals(False)
        if self.currentNodeID() != current:
            self.currentNodeChanged.emit(self.currentNode())

    def currentNodeID(self) -> str:
        index = self.currentIndex()
        return self._ids[index] if 0 <= index < len(self._ids) else ""

    def currentNode(self) -> Any:
        identifier = self.currentNodeID()
        return self._scene.GetNodeByID(identifier) if identifier and self._scene is not None else None

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, identifier: str) -> None:
        self._refresh()
        self.setCurrentIndex(
            self._ids.index(identifier) if identifier in self._ids else (-1 if not self._none_enabled else 0)
        )


class qMRMLSegmentEditorWidget(QtWidgets.QWidget):
    """The Segment Editor as far as the panel speaks to it: its nodes, its undo, its current segment."""

    currentSegmentIDChanged = QtCore.Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._editor_node: Any = None
        self._active_effect = ""
        self.undo_saves = 0
        self._history = slicer.vtkSegmentationHistory()
        self.shortcuts_installed = False
        layout = QtWidgets.QGridLayout(self)
        columns, right = QtWidgets.QHBoxLayout(), QtWidgets.QVBoxLayout()
        layout.addLayout(columns, 0, 0)
        columns.addLayout(right)
        self.shown = QtWidgets.QLabel("(Segment Editor)")
        # As high as Slicer's, with three segments and its tools and without the options of one.
        self.shown.setMinimumHeight(212)
        right.addWidget(self.shown)
        # As Slicer's: an empty band below the options of a tool.
        expanding = QtWidgets.QSizePolicy.Policy.Expanding
        right.addItem(QtWidgets.QSpacerItem(20, 40, QtWidgets.QSizePolicy.Policy.Minimum, expanding))

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        self._editor_node = node

    def mrmlSegmentEditorNode(self) -> Any:
        return self._editor_node

    def setSegmentationNode(self, node: Any) -> None:
        if self._editor_node is not None:
            self._editor_node.SetAndObserveSegmentationNode(node)
        self._history.SetSegmentation(node.GetSegmentation() if node is not None else None)

    def setSourceVolumeNode(self, node: Any) -> None:
        if self._editor_node is not None:
            self._editor_node.SetAndObserveSourceVolumeNode(node)

    def currentSegmentID(self) -> str:
        return (self._editor_node.GetSelectedSegmentID() or "") if self._editor_node is not None else ""

    def setCurrentSegmentID(self, identifier: str) -> None:
        self._editor_node.SetSelectedSegmentID(identifier)
        self.currentSegmentIDChanged.emit(identifier)

    def setActiveEffectByName(self, name: str) -> None:
        self._active_effect = name

    def saveStateForUndo(self) -> None:
        self.undo_saves += 1
        self._history.SaveState()

    def undo(self) -> None:
        self._history.RestorePreviousState()

    def redo(self) -> None:
        self._history.RestoreNextState()

    def installKeyboardShortcuts(self, _parent: QtWidgets.QWidget | None = None) -> None:
        self.shortcuts_installed = True

    def uninstallKeyboardShortcuts(self) -> None:
        self.shortcuts_installed = False

    def removeViewObservations(self) -> None:
        return None

    def setupViewObservations(self) -> None:
        return None

    def setEffectNameOrder(self, names: list[str]) -> None:
        self.effect_order = list(names)

    def updateWidgetFromMRML(self) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        # The many switches of its looks (setUndoEnabled, setSwitchToSegmentationsButtonVisible, ...).
        if name.startswith("set") and (
            name.endswith(("Visible", "Enabled", "States", "Style", "UndoStates", "ColumnCount"))
        ):
            return lambda *_arguments: None
        raise AttributeError(name)
