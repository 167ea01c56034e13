"""Segment, Cancel, progress and messages."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _

from ...scene.interface import RunReport, State
from ...scene.running.dependencies import torch_status
from ..context import Context
from ..views.colours import show_problem

#: So many structures are named with their size; of more, the sum is told.
MOST_NAMED = 4


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
            self._context.attempt(self._start, marks=False)

    def cancel(self) -> None:
        """Stop the run."""
        self._context.attempt(self._cancel, marks=False)

    def require_torch(self) -> None:
        """Ask for torch when it is missing; raises DependencyError when it stays missing."""
        if not torch_status().ready:
            self._provide_torch()

    def _cancel(self) -> None:
        self._context.logic.cancel()
        self._context.said = self._context.logic.state.message

    def _start(self) -> None:
        self.require_torch()
        self._context.logic.start(self._context.selection(), self._context.options())

    def update(self, state: State, hint: str) -> None:
        """Show progress and the one sentence that matters now."""
        ui = self._context.ui
        running = state.phase == "running"
        # In this order: a bar that is seen is drawn at once when its value changes, and the window waits for that.
        ui.progressBar.setValue(round(100 * state.fraction))
        ui.progressBar.setVisible(running)
        problem = self._context.problem or state.error
        text = problem or (state.message if state.phase in ("running", "click") and state.message else "") or hint
        report = state.report
        if report is not None and not problem and not running and state.phase == "preview":
            text = _("Found: {found}. {seconds} s on {device}. {hint}").format(
                found=found(report),
                seconds=f"{report.seconds:.1f}",
                device=report.device,
                hint=" ".join([*report.warnings, text]),
            )
        show_problem(ui.messageLabel, bool(problem))
        ui.messageLabel.setText(text)


def found(report: RunReport) -> str:
    """How much of each structure, or of all where they are many."""
    sizes = [(report.names[key], millilitres) for key, millilitres in report.millilitres.items()]
    if len(sizes) > MOST_NAMED:
        total = sum(millilitres for _name, millilitres in sizes)
        return _("{count} structures, {ml} ml together").format(count=len(sizes), ml=_rounded(total))
    return ", ".join(_("{name} {ml} ml").format(name=name, ml=_rounded(millilitres)) for name, millilitres in sizes)


def _rounded(millilitres: float) -> str:
    """Three figures, and no powers of ten."""
    if millilitres >= 100:
        return f"{millilitres:.0f}"
    return f"{millilitres:.1f}" if millilitres >= 1 else f"{millilitres:.3f}"
