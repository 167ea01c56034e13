"""The few CTK widgets that the panel's ``.ui`` file names."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets


class ctkCollapsibleButton(QtWidgets.QGroupBox):
    """A titled frame whose contents can be folded away."""

    contentsCollapsed = QtCore.Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._collapsed = False

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
            for child in self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindDirectChildrenOnly):
                child.setVisible(not collapsed)
            self.contentsCollapsed.emit(collapsed)

    collapsed = QtCore.Property(bool, _get_collapsed, setCollapsed)

    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        if self._collapsed:
            for child in self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindDirectChildrenOnly):
                child.setVisible(False)


class ctkPathLineEdit(QtWidgets.QLineEdit):
    """A path typed or chosen."""

    currentPathChanged = QtCore.Signal(str)
    #: A folder is looked for.
    Dirs = 1

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        # What CTK's own has unless it is told otherwise.
        self.setFocusPolicy(QtCore.Qt.NoFocus)
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
