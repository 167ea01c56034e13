"""Apply, discard, surface, confidence, and the next slice to mark."""

from __future__ import annotations

from collections.abc import Callable

from ...scene.interface import State
from ..context import Context, value


class ReviewSection:
    """What can be done with a result."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._next = 0
        self._shown: object = None
        ui = context.ui
        ui.applyButton.clicked.connect(lambda: context.attempt(lambda: self._end(context.logic.apply)))
        ui.discardButton.clicked.connect(lambda: context.attempt(lambda: self._end(context.logic.discard)))
        ui.nextSliceButton.clicked.connect(lambda: context.attempt(self._jump, marks=False))
        ui.surfaceCheckBox.toggled.connect(
            lambda on: context.attempt(lambda: context.logic.show_surface(on), marks=False)
        )
        ui.confidenceCheckBox.toggled.connect(lambda _on: context.attempt(self._overlay, marks=False))
        ui.confidenceSlider.valueChanged.connect(lambda _value: self._show_overlay())

    def update(self, state: State) -> None:
        """Follow a new report: its suggestions start at the first again."""
        if state.report is not self._shown:
            self._shown = state.report
            self._next = 0
            if state.report is None and value(self._context.ui.confidenceCheckBox, "checked"):
                self._context.ui.confidenceCheckBox.setChecked(False)
            elif value(self._context.ui.confidenceCheckBox, "checked"):
                self._overlay()

    def _end(self, how: Callable[[], object]) -> None:
        how()
        self._context.said = self._context.logic.state.message

    def _jump(self) -> None:
        report = self._context.logic.state.report
        if report is None or not report.suggestions:
            return
        suggestion = report.suggestions[self._next % len(report.suggestions)]
        self._next += 1
        self._context.views.jump_to(suggestion.ras)

    def _overlay(self) -> None:
        wanted = bool(value(self._context.ui.confidenceCheckBox, "checked"))
        self._context.logic.show_confidence(wanted)
        self._show_overlay()

    def _show_overlay(self) -> None:
        report = self._context.logic.state.report
        shown = report.confidence if report is not None else None
        if not value(self._context.ui.confidenceCheckBox, "checked"):
            shown = None
        self._context.views.overlay(shown, float(value(self._context.ui.confidenceSlider, "value")))
