"""Segment, Cancel, progress and messages."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _

from ...scene.interface import State
from ...scene.running.dependencies import torch_status
from ..context import Context

PROBLEM_STYLE = "color: #b3261e"


class RunSection:
    """Starts and stops runs and tells how they go.

    Args:
        context: What the sections share.
        provide_torch: Makes torch available, asking the user; raises DependencyError when it cannot.
    """

    def __init__(self, context: Context, provide_torch: Callable[[], None]) -> None:
        self._context = context
        self._provide_torch = provide_torch
        context.ui.segmentButton.clicked.connect(self.start)
        context.ui.cancelButton.clicked.connect(self.cancel)

    def start(self) -> None:
        """Segment with the settings of the panel."""
        if self._context.ui.segmentButton.isEnabled():
            self._context.attempt(self._start)

    def cancel(self) -> None:
        """Stop the run."""
        self._context.attempt(self._context.logic.cancel)

    def require_torch(self) -> None:
        """Ask for torch when it is missing; raises DependencyError when it stays missing."""
        if not torch_status().ready:
            self._provide_torch()

    def _start(self) -> None:
        self.require_torch()
        self._context.logic.start(self._context.selection(), self._context.options())

    def update(self, state: State, hint: str) -> None:
        """Show progress and the one sentence that matters now."""
        ui = self._context.ui
        running = state.phase == "running"
        ui.progressBar.setVisible(running)
        ui.progressBar.setValue(round(100 * state.fraction))
        problem = self._context.problem or state.error
        text = problem or (state.message if state.phase in ("running", "click") and state.message else "") or hint
        report = state.report
        if report is not None and not problem and not running and state.phase == "preview":
            text = _("{hint} {seconds} s on {device}.").format(
                hint=" ".join([text, *report.warnings]), seconds=f"{report.seconds:.1f}", device=report.device
            )
        ui.messageLabel.setStyleSheet(PROBLEM_STYLE if problem else "")
        ui.messageLabel.setText(text)
