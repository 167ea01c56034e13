"""The module ``qt`` as PythonQt offers it: all Qt classes in one flat namespace."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets


def _connect(self: QtCore.QObject, signal: str, slot: Callable[..., Any]) -> bool:
    """PythonQt's ``sender.connect("name(argument types)", slot)``."""
    getattr(self, signal.partition("(")[0]).connect(slot)
    return True


def _disconnect(self: QtCore.QObject, signal: str, slot: Callable[..., Any]) -> bool:
    return bool(getattr(self, signal.partition("(")[0]).disconnect(slot))


def make_module() -> types.ModuleType:
    """The flat module, with PythonQt's way to connect patched into every QObject."""
    module = types.ModuleType("qt")
    for source in (QtCore, QtGui, QtWidgets):
        for name in dir(source):
            if name.startswith("Q"):
                setattr(module, name, getattr(source, name))
    QtCore.QObject.connect = _connect
    QtCore.QObject.disconnect = _disconnect
    return module
