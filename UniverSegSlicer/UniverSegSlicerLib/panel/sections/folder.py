"""Apply to a folder: the present support set on many volumes, in a process of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from slicer.i18n import tr as _

from ...errors import InputError
from ...scene.running.plan import quality_settings
from ..background.process import CohortProcess, Interpreter, scratch_folder
from ..context import Context, value
from ..views.colours import show_problem

TABLE_PATTERN = "Table (*.csv *.tsv)"


class FolderHost(Protocol):
    """What working on a folder needs of the application."""

    def provide_packages(self) -> None:
        """Make the packages available, asking the user; raises DependencyError when they stay missing."""

    def interpreter(self) -> Interpreter:
        """The application's own Python; raises DependencyError when there is none."""

    def open(self, file: Path) -> None:
        """Show a page in the browser."""


class FolderSection:
    """Starts and stops a cohort, and says how far it is, which cases failed and why.

    Args:
        context: What the sections share.
        host: The application.
        require_torch: Asks for torch when it is missing; raises DependencyError when it stays missing.
    """

    def __init__(self, context: Context, host: FolderHost, require_torch: Callable[[], None]) -> None:
        self._context = context
        self._host = host
        self._require_torch = require_torch
        self._process: CohortProcess | None = None
        self._report: Path | None = None
        self._problems: dict[str, str] = {}
        ui = context.ui
        ui.folderTableButton.clicked.connect(lambda: context.attempt(self._choose_table))
        ui.folderStartButton.clicked.connect(self.start)
        ui.folderStopButton.clicked.connect(self.stop)
        ui.folderReportButton.clicked.connect(lambda: context.attempt(self._open_report))
        self._show_progress(0, 0)
        self._show_problems()

    @property
    def running(self) -> bool:
        """Whether a folder is worked on."""
        return self._process is not None

    @property
    def has_report(self) -> bool:
        """Whether there is a report to open."""
        return self._report is not None

    def start(self) -> None:
        """Segment the volumes; those that are done already stay as they are."""
        if self._context.attempt(self._start):
            self._say(_("Reading the volumes..."))
        else:
            self._say(self._context.problem, is_problem=True)
        self._context.refresh()

    def stop(self) -> None:
        """Stop after the moment's work."""
        if self._process is not None:
            self._process.stop()
            self._say(_("Stopping..."))

    def poll(self) -> bool:
        """Take in what the process told; True when it has ended."""
        if self._process is None:
            return False
        for event in self._process.poll():
            if event["event"] == "progress":
                self._progressed(event)
            else:
                self._ended(event)
                return True
        return False

    def close(self) -> None:
        """The panel goes away; the process stops, and what is done stays."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def _start(self) -> None:
        context, parameters = self._context, self._context.parameters
        volumes = _absolute(
            parameters.folderInput, _("Choose a folder of volumes, a table of them, or a BIDS data set.")
        )
        output = _absolute(parameters.folderOutput, _("Choose a folder for the label maps and the report."))
        options = context.options()
        scratch = scratch_folder()
        try:
            support = scratch / "support.npz"
            context.logic.save_support(context.selection(), support, options.axis, slices_only=parameters.slicesOnly)
            self._require_torch()
            self._host.provide_packages()
            self._process = CohortProcess(
                self._host.interpreter(),
                scratch,
                {
                    "support": str(support),
                    "volumes": volumes,
                    "output": output,
                    "model": options.model,
                    "device": options.device,
                    "propagation": asdict(quality_settings(options.quality)),
                    # The agreement of draws costs as much again.
                    "draws": 0 if options.quality == "fast" else 1,
                    "suffix": parameters.folderKind.strip() or None,
                },
            )
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        self._report = None
        self._problems = {}
        self._show_problems()
        self._show_progress(0, 0)

    def _progressed(self, event: dict[str, Any]) -> None:
        done, cases, case, error = event["done"], event["cases"], event["case"], event["error"]
        self._show_progress(done, cases)
        if error:
            self._problems[case] = error
            self._show_problems()
        if self._process is not None and self._process.stopping:
            return
        said = _("{done} of {cases} done.").format(done=done, cases=cases)
        if case:
            last = _("{case} failed.") if error else _("Last: {case}.")
            said += " " + last.format(case=case)
        self._say(said)

    def _ended(self, event: dict[str, Any]) -> None:
        self.close()
        if event["event"] == "finished":
            self._report = Path(event["report"])
            self._show_progress(event["cases"], event["cases"])
            self._say(_finished(event), is_problem=event["failed"] > 0)
        elif event["event"] == "stopped":
            self._say(_("Stopped. What is done stays; start again to go on from there."))
        else:
            self._say(event["error"], is_problem=True)
        self._context.refresh()

    def _choose_table(self) -> None:
        path = self._context.dialogs.open_file(_("A table of volumes"), TABLE_PATTERN)
        if path:
            self._context.parameters.folderInput = Path(path)

    def _open_report(self) -> None:
        if self._report is None or not self._report.is_file():
            raise InputError(_("The report is gone; start again to make it anew."))
        self._host.open(self._report)

    def _say(self, text: str, *, is_problem: bool = False) -> None:
        label = self._context.ui.folderLabel
        show_problem(label, is_problem)
        label.setText(text)

    def _show_progress(self, done: int, cases: int) -> None:
        bar = self._context.ui.folderProgressBar
        # Without an end it moves to and fro.
        bar.setMaximum(cases)
        bar.setValue(done)
        bar.setVisible(self._process is not None)

    def _show_problems(self) -> None:
        field = self._context.ui.folderProblems
        text = "\n".join(f"{case}: {error}" for case, error in self._problems.items())
        if text != value(field, "plainText"):
            field.setPlainText(text)
        field.setVisible(bool(text))


def _absolute(path: Path, otherwise: str) -> str:
    """A path as another process finds it; raises InputError with a sentence where none was chosen."""
    if str(path) in ("", "."):
        raise InputError(otherwise)
    return str(Path.cwd() / path.expanduser())


def _finished(event: dict[str, Any]) -> str:
    cases, failed, kept = event["cases"], event["failed"], event["cases"] - event["done_now"]
    said = _("Done: {done} of {cases} volumes have a label map.").format(done=cases - failed, cases=cases)
    if kept:
        said += " " + _("{kept} were there already.").format(kept=kept)
    if failed:
        said += " " + _("{failed} failed, for the reasons below; start again to try them once more.").format(
            failed=failed
        )
    return said
