"""The module ``qt`` as PythonQt offers it: all Qt classes in one flat namespace."""

from __future__ import annotations

import types

from PySide6 import QtCore, QtGui, QtWidgets


def make_module() -> types.ModuleType:
    """The flat module. (The panel connects signals by attribute, which PythonQt and PySide do alike.)"""
    module = types.ModuleType("qt")
    for source in (QtCore, QtGui, QtWidgets):
        for name in dir(source):
            if name.startswith("Q"):
                setattr(module, name, getattr(source, name))
    return module
