"""Puts the stand-ins where the panel imports them from."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any, ClassVar

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtUiTools import QUiLoader

from . import ctkwidgets, parameters, pythonqt, qmrml


class _Loader(QUiLoader):
    """Makes the stand-in classes where the ``.ui`` file names them."""

    CLASSES: ClassVar[dict[str, type]] = {
        name: getattr(module, name)
        for module, names in (
            (ctkwidgets, ("ctkCollapsibleButton", "ctkPathLineEdit", "ctkSliderWidget")),
            (qmrml, ("qMRMLWidget", "qMRMLNodeComboBox")),
        )
        for name in names
    }

    def createWidget(self, class_name: str, parent: Any = None, name: str = "") -> QtWidgets.QWidget:
        if class_name in self.CLASSES:
            widget = self.CLASSES[class_name](parent)
            widget.setObjectName(name)
            return widget
        return super().createWidget(class_name, parent, name)


def load_ui(path: str) -> QtWidgets.QWidget:
    """``slicer.util.loadUI``: the widget that a ``.ui`` file describes."""
    file = QtCore.QFile(str(path))
    if not Path(path).is_file():
        raise FileNotFoundError(path)
    file.open(QtCore.QIODevice.ReadOnly)
    widget = _Loader().load(file)
    file.close()
    return widget


def child_widget_variables(widget: QtWidgets.QWidget) -> Any:
    """``slicer.util.childWidgetVariables``: named children as attributes."""
    names = types.SimpleNamespace()
    for child in widget.findChildren(QtCore.QObject):
        if child.objectName() and not child.objectName().startswith("qt_"):
            setattr(names, child.objectName(), child)
    return names


def install() -> QtWidgets.QApplication:
    """Provide ``qt``, ``ctk``, ``slicer.i18n``, ``slicer.parameterNodeWrapper`` and the qMRML classes."""
    import slicer
    import slicer.util

    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    if "qt" in sys.modules and hasattr(sys.modules["qt"], "QPushButton"):
        return application
    sys.modules["qt"] = pythonqt.make_module()
    ctk = types.ModuleType("ctk")
    for name in ("ctkCollapsibleButton", "ctkPathLineEdit", "ctkSliderWidget"):
        setattr(ctk, name, getattr(ctkwidgets, name))
    sys.modules["ctk"] = ctk
    for name in ("qMRMLWidget", "qMRMLNodeComboBox", "qMRMLSegmentEditorWidget"):
        setattr(slicer, name, getattr(qmrml, name))
    i18n = types.ModuleType("slicer.i18n")
    i18n.tr = lambda text: text
    i18n.translate = lambda _context, text: text
    wrapper = types.ModuleType("slicer.parameterNodeWrapper")
    wrapper.parameterNodeWrapper = parameters.parameterNodeWrapper
    for module in (i18n, wrapper):
        sys.modules[module.__name__] = module
        setattr(slicer, module.__name__.split(".")[1], module)
    slicer.util.loadUI = load_ui
    slicer.util.childWidgetVariables = child_widget_variables
    return application


def dark_palette() -> QtGui.QPalette:
    """A dark palette, as Slicer's dark style sets one: greys, white text, blue for what is selected."""
    kinds = QtGui.QPalette
    palette = kinds()
    for role, colour in {
        kinds.Window: (53, 53, 53),
        kinds.WindowText: (255, 255, 255),
        kinds.Base: (42, 42, 42),
        kinds.AlternateBase: (66, 66, 66),
        kinds.ToolTipBase: (53, 53, 53),
        kinds.ToolTipText: (255, 255, 255),
        kinds.Text: (255, 255, 255),
        kinds.PlaceholderText: (160, 160, 160),
        kinds.Button: (53, 53, 53),
        kinds.ButtonText: (255, 255, 255),
        kinds.Highlight: (42, 130, 218),
        kinds.HighlightedText: (255, 255, 255),
    }.items():
        palette.setColor(role, QtGui.QColor(*colour))
    for role in (kinds.WindowText, kinds.Text, kinds.ButtonText):
        palette.setColor(kinds.Disabled, role, QtGui.QColor(127, 127, 127))
    return palette
