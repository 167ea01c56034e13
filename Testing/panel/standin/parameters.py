"""``slicer.parameterNodeWrapper`` as far as the panel's parameter class uses it.

Values live in a real ``vtkMRMLScriptedModuleNode``; widgets are bound by the dynamic property
``SlicerParameterName`` as Slicer does it, for the five kinds of widget in the panel.
"""

from __future__ import annotations

import enum
import pathlib
import typing
from collections.abc import Callable
from typing import Any

from PySide6 import QtWidgets

from .ctkwidgets import ctkPathLineEdit
from .qmrml import qMRMLNodeComboBox


def _to_text(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return value.name
    return str(value)


def _from_text(kind: Any, text: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind[text]
    if kind is bool:
        return text == "True"
    return kind(text)


class _Base:
    def __init__(self, node: Any) -> None:
        object.__setattr__(self, "parameterNode", node)
        object.__setattr__(self, "_bindings", {})

    def AddObserver(self, event: Any, callback: Callable[..., Any], priority: float = 0.0) -> int:
        return int(self.parameterNode.AddObserver(event, callback, priority))

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def __getattr__(self, name: str) -> Any:
        kind = self._kinds[name]
        if hasattr(kind, "SafeDownCast"):
            return self.parameterNode.GetNodeReference(name)
        text = self.parameterNode.GetParameter(name)
        return _from_text(kind, text) if text != "" else self._defaults[name]

    def __setattr__(self, name: str, value: Any) -> None:
        kind = self._kinds[name]
        if hasattr(kind, "SafeDownCast"):
            self.parameterNode.SetNodeReferenceID(name, value.GetID() if value is not None else None)
        else:
            self.parameterNode.SetParameter(name, _to_text(value))

    def connectGui(self, ui: Any) -> int:
        bound = []
        for widget in vars(ui).values():
            name = widget.property("SlicerParameterName") if isinstance(widget, QtWidgets.QWidget) else None
            if not name:
                continue
            bound.append(_bind(self, str(name), widget, self._kinds[str(name)]))

        def refresh(*_: Any) -> None:
            for _read, write in bound:
                write()

        refresh()
        tag = self.AddObserver("ModifiedEvent", refresh)
        self._bindings[tag] = bound
        return tag

    def disconnectGui(self, tag: int | None) -> None:
        if tag is not None and self._bindings.pop(tag, None) is not None:
            self.RemoveObserver(tag)


def _bind(parameters: Any, name: str, widget: QtWidgets.QWidget, kind: Any) -> tuple[Any, Any]:
    def store(value: Any) -> None:
        if getattr(parameters, name) != value:
            setattr(parameters, name, value)

    if isinstance(widget, qMRMLNodeComboBox):
        widget.currentNodeChanged.connect(store)
        return (
            store,
            lambda: (
                widget.currentNode() is getattr(parameters, name) or widget.setCurrentNode(getattr(parameters, name))
            ),
        )
    if isinstance(widget, QtWidgets.QComboBox):
        members = list(kind)
        labels = [getattr(kind, "label", lambda member: member.name)(member) for member in members]
        widget.clear()
        widget.addItems(labels)
        widget.currentIndexChanged.connect(lambda index: index >= 0 and store(members[index]))
        return store, lambda: widget.setCurrentIndex(members.index(getattr(parameters, name)))
    if isinstance(widget, QtWidgets.QCheckBox):
        widget.toggled.connect(store)
        return store, lambda: widget.setChecked(getattr(parameters, name))
    if isinstance(widget, ctkPathLineEdit):
        widget.currentPathChanged.connect(lambda text: store(pathlib.Path(text)))
        return store, lambda: widget.setCurrentPath(str(getattr(parameters, name)))
    if isinstance(widget, QtWidgets.QLineEdit):
        widget.textChanged.connect(store)
        return store, lambda: widget.text() == getattr(parameters, name) or widget.setText(getattr(parameters, name))
    raise TypeError(f"no binding for {type(widget).__name__}")


def parameterNodeWrapper(cls: type) -> type:
    """The class decorator: typed attributes become parameters of a node."""
    kinds = typing.get_type_hints(cls)
    defaults = {name: getattr(cls, name) for name in kinds if hasattr(cls, name)}
    return type(cls.__name__, (_Base,), {"_kinds": kinds, "_defaults": defaults, "__doc__": cls.__doc__})
