"""The few CTK widgets that the panel's ``.ui`` file names."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets


class ctkCollapsibleButton(QtWidgets.QGroupBox):
    """A titled frame whose contents can be folded away, with the mouse or, as any button, with Space.

    What is hidden inside for another reason stays hidden when the frame is opened.
    """

    contentsCollapsed = QtCore.Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._collapsed = False
        self._forcing = False
        self._wanted: dict[QtWidgets.QWidget, bool] = {}
        self.setFocusPolicy(QtCore.Qt.StrongFocus)

    def _get_text(self) -> str:
        return self.title()

    def _set_text(self, text: str) -> None:
        self.setTitle(text)

    text = QtCore.Property(str, _get_text, _set_text)

    def _get_collapsed(self) -> bool:
        return self._collapsed

    def setCollapsed(self, collapsed: bool) -> None:
        if collapsed != self._collapsed:
            self._collapsed = collapsed
            self._force()
            self.contentsCollapsed.emit(collapsed)

    collapsed = QtCore.Property(bool, _get_collapsed, setCollapsed)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        if event.key() == QtCore.Qt.Key_Space:
            self.setCollapsed(not self._collapsed)
        else:
            super().keyPressEvent(event)

    def _force(self) -> None:
        self._forcing = True
        for child in self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindDirectChildrenOnly):
            self._wanted.setdefault(
                child, not child.testAttribute(QtCore.Qt.WA_WState_ExplicitShowHide) or not child.isHidden()
            )
            child.setVisible(self._wanted[child] and not self._collapsed)
        self._forcing = False

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        if event.added() and event.child().isWidgetType():
            event.child().installEventFilter(self)
        super().childEvent(event)

    def eventFilter(self, child: QtCore.QObject, event: QtCore.QEvent) -> bool:
        shown = {QtCore.QEvent.ShowToParent: True, QtCore.QEvent.HideToParent: False}.get(event.type())
        if shown is not None and not self._forcing:
            self._wanted[child] = shown
            if shown and self._collapsed:
                self._force()
        return False

    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        if self._collapsed:
            self._force()


class ctkPathLineEdit(QtWidgets.QLineEdit):
    """A path typed or chosen."""

    currentPathChanged = QtCore.Signal(str)
    #: A folder is looked for.
    Dirs = 1

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.textChanged.connect(self.currentPathChanged)

    def _get_path(self) -> str:
        return self.text()

    def setCurrentPath(self, path: str) -> None:
        self.setText(path)

    currentPath = QtCore.Property(str, _get_path, setCurrentPath)


class ctkSliderWidget(QtWidgets.QWidget):
    """A slider over real numbers."""

    valueChanged = QtCore.Signal(float)
    STEPS = 1000

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high, self._step = 0.0, 1.0, 0.01
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal)
        self._slider.setRange(0, self.STEPS)
        self._slider.valueChanged.connect(lambda _position: self.valueChanged.emit(self._real()))
        QtWidgets.QHBoxLayout(self).addWidget(self._slider)

    def _real(self) -> float:
        return self._low + (self._high - self._low) * self._slider.value() / self.STEPS

    def setValue(self, value: float) -> None:
        self._slider.setValue(round(self.STEPS * (value - self._low) / (self._high - self._low)))

    def _set_low(self, low: float) -> None:
        self._low = low

    def _set_high(self, high: float) -> None:
        self._high = high

    def _set_step(self, step: float) -> None:
        self._step = step

    value = QtCore.Property(float, _real, setValue)
    minimum = QtCore.Property(float, lambda self: self._low, _set_low)
    maximum = QtCore.Property(float, lambda self: self._high, _set_high)
    singleStep = QtCore.Property(float, lambda self: self._step, _set_step)
