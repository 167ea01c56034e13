"""The button that copies what a bug report needs."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from ...diagnostics import report_text, run_log
from ..context import Context


class ReportSection:
    """Puts the report into the clipboard; it is shown nowhere else and sent nowhere."""

    def __init__(self, context: Context) -> None:
        self._context = context
        context.ui.reportButton.clicked.connect(lambda: context.attempt(self.copy))

    def copy(self) -> None:
        """Copy the report and say so on the button."""
        version = getattr(slicer.app, "applicationVersion", None)
        text = report_text(run_log.records, {"slicer": None if version is None else str(version)})
        qt.QApplication.clipboard().setText(text)
        self._context.ui.reportButton.setText(_("Report copied: paste it where you need it"))
