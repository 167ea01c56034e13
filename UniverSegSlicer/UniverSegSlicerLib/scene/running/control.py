"""Starting, cancelling, previewing, applying and discarding runs."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from ...diagnostics import Fact, RunRecord, model_fact, run_log, volume_facts, where_raised
from ...errors import DependencyError, InputError
from ...progress import CancelToken, ProgressCallback
from ..interface import RunOptions, Selection
from ..mrml import preview
from ..mrml.editing import stamp_of
from ..mrml.grid import Part
from ..mrml.volumes import array_of, geometry_of, ijk_to_ras
from ..support.agreement import Agreement
from .computing import RunResult, compute
from .dependencies import torch_status
from .finished import FinishedRun, Snapshot, check_present, describe, report_of, without_preview
from .preparing import make_plan
from .session import Session
from .surface import surfaces_of
from .worker import Job

#: The preview follows the Segment Editor's masks when they have been left alone for this long, in seconds.
SETTLE_S = 0.2


class RunControl:
    """One run at a time, from Segment to Apply or Discard.

    Attributes:
        finished: The result that waits, None without one.
        failure: Why the last run failed, None when it did not.
        agreement: What the last finished run made of the marks.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._scene = session.scene
        self._holder = session.holder
        self._worker = session.worker
        self._confidence: tuple[Any, np.ndarray] | None = None
        self._facts: dict[str, Fact] = {}
        self.finished: FinishedRun | None = None
        self.failure: BaseException | None = None
        self.agreement: Agreement | None = None
        self._surface: Job | None = None
        self._shown: dict[str, Part | None] = {}
        self._rules: tuple[Any, ...] = ()
        self._rules_changed: tuple[float, tuple[Any, ...]] | None = None

    def start(self, selection: Selection, options: RunOptions) -> None:
        """See :meth:`~UniverSegSlicerLib.scene.interface.Logic.start`."""
        if self._holder.state.phase == "running":
            raise InputError("A segmentation is running already: wait for it, or press Cancel first.")
        require_torch()
        plan = make_plan(self._scene, selection, options, self._session.stored)
        snapshot = Snapshot.take(selection, plan)
        self._facts = _facts_of(selection, options)
        self._drop()
        self.failure = None

        def work(token: CancelToken, report: ProgressCallback) -> RunResult:
            report(0.0, "Loading the model")
            model = self._session.models.get(options.model, options.device)
            token.raise_if_cancelled()
            return compute(plan, model, report, token)

        self._holder.set(phase="running", fraction=0.0, message="Starting", error="", report=None)
        self._worker.submit(
            Job(
                "Segmentation",
                work,
                done=lambda result: self._on_done(snapshot, result),
                failed=self._on_failed,
                progress=lambda fraction, message: self._holder.set(fraction=fraction, message=message),
            )
        )

    def cancel(self) -> None:
        """Stop the run at once as far as the user is concerned; the worker follows within one chunk of slices."""
        if self._holder.state.phase == "running":
            self._worker.cancel()
            self._holder.set(phase="idle", fraction=0.0, message="Cancelled; the segmentation is as it was.")

    def apply(self) -> int:
        """See :meth:`~UniverSegSlicerLib.scene.interface.Logic.apply`."""
        if self.finished is None:
            raise InputError("There is no result to apply: press Segment first.")
        report = self._holder.state.report or self.finished.report
        voxels = self.finished.write(self._scene, self._session.writer)
        self._drop_preview()
        self._holder.set(phase="idle", message=describe(voxels, report), error="", report=without_preview(report))
        return voxels

    def discard(self) -> None:
        """Throw the result away."""
        if self.finished is not None:
            self._drop()
            self._holder.set(phase="idle", message="Discarded; the segmentation is as it was.", error="", report=None)

    def show_surface(self, visible: bool) -> None:
        """Make the preview's surface on the worker thread, or take it away."""
        if self._surface is not None:
            self._surface.token.cancel()
            self._surface = None
        if self.finished is None:
            return
        selection, node = self.finished.snapshot.selection, self.finished.report.preview
        if not visible:
            preview.hide_surfaces(node)
            return
        parts, matrix = self._shown, ijk_to_ras(selection.volume)

        def show(surfaces: dict[str, Any]) -> None:
            if self._scene.IsNodePresent(node):
                preview.show_surfaces(node, surfaces)

        def fail(sentence: str, _error: BaseException) -> None:
            # A comfort: the result is there without it.
            self._holder.set(error=sentence)

        self._surface = Job("Surface", lambda token, _report: surfaces_of(parts, matrix, token), done=show, failed=fail)
        self._worker.submit(self._surface)

    def follow_rules(self) -> None:
        """Show the preview anew when the Segment Editor's masks have changed and come to rest."""
        if self.finished is None:
            return
        now = stamp_of(self.finished.rules(self._scene))
        if now == self._rules:
            self._rules_changed = None
            return
        if self._rules_changed is None or self._rules_changed[1] != now:
            self._rules_changed = (time.monotonic(), now)
        elif time.monotonic() - self._rules_changed[0] > SETTLE_S:
            self._rules, self._rules_changed = now, None
            node, volume = self.finished.report.preview, self.finished.snapshot.selection.volume
            had_surface = self._surface is not None
            self.show_surface(False)
            self._shown = self.finished.outcome(self._scene, self._session.writer)
            for segment_id, part in self._shown.items():
                preview.set_preview(node, volume, segment_id, part)
            self.show_surface(had_surface)

    def show_confidence(self, visible: bool) -> None:
        """Make or remove the confidence volume of the last run."""
        report = self._holder.state.report
        if report is None or self._confidence is None:
            return
        volume, percent = self._confidence
        node = report.confidence
        if node is not None and not self._scene.IsNodePresent(node):
            node = None
        if visible and node is None and self._scene.IsNodePresent(volume):
            node = preview.show_confidence(self._scene, volume, percent)
        elif not visible and node is not None:
            preview.remove_node(self._scene, node)
            node = None
        self._holder.set(report=replace(report, confidence=node))

    def notice_deleted_nodes(self) -> None:
        """Give the result up when its nodes are gone."""
        if self.finished is None:
            return
        selection = self.finished.snapshot.selection
        try:
            check_present(self._scene, selection)
        except InputError as error:
            self._drop()
            self._holder.set(phase="idle", message="", error=str(error), report=None)

    def release(self) -> None:
        """Let go of every node: the scene closes."""
        self._drop()
        self.agreement = None
        self._holder.set(phase="idle", fraction=0.0, message="", error="", report=None)

    def _on_done(self, snapshot: Snapshot, result: RunResult) -> None:
        try:
            check_present(self._scene, snapshot.selection)
            finished = FinishedRun(snapshot, result, report_of(snapshot, result))
            parts = finished.outcome(self._scene, self._session.writer)
            if not parts:
                raise InputError("Every segment of the run was deleted; nothing was changed.")
        except InputError as error:
            self._on_failed(str(error), error)
            return
        told = finished.report
        self._log(told.seconds, "done", examples=told.examples, segments=len(told.segment_ids), device=told.device)
        selection = snapshot.selection
        node = preview.show_preview(self._scene, selection.segmentation, selection.volume, parts)
        report = replace(finished.report, preview=node)
        self.finished = replace(finished, report=report)
        self._confidence = (selection.volume, result.confidence)
        self._shown, self._rules = parts, stamp_of(finished.rules(self._scene))
        self.agreement = Agreement(
            selection.segmentation.GetID(), finished.report.axis, result.agreement, snapshot.digests
        )
        self._holder.set(
            phase="preview", fraction=1.0, message="Look at the result, then apply or discard it.", report=report
        )
        if snapshot.plan.options.surface:
            self.show_surface(True)

    def _on_failed(self, sentence: str, error: BaseException) -> None:
        self.failure = error
        self._log(0.0, where_raised(error))
        self._holder.set(phase="idle", fraction=0.0, message="", error=sentence)

    def _log(self, seconds: float, outcome: str, **more: Fact) -> None:
        run_log.add(RunRecord("Segmentation", round(seconds, 3), outcome, {**self._facts, **more}))

    def _drop(self) -> None:
        """Forget the last result with everything that it put into the scene."""
        report = self._holder.state.report
        if report is not None and report.confidence is not None and self._scene.IsNodePresent(report.confidence):
            preview.remove_node(self._scene, report.confidence)
        self._confidence = None
        self._drop_preview()

    def _drop_preview(self) -> None:
        if self._surface is not None:
            self._surface.token.cancel()
            self._surface = None
        self._shown = {}
        finished, self.finished = self.finished, None
        if finished is not None and self._scene.IsNodePresent(finished.report.preview):
            preview.remove_node(self._scene, finished.report.preview)


def _facts_of(selection: Selection, options: RunOptions) -> dict[str, Fact]:
    """What a report may tell of a run that starts: no name of a node, segment or file."""
    from ...network.weights import read_catalogue

    array = array_of(selection.volume)
    spacing = geometry_of(selection.volume).spacing
    return {
        **volume_facts(array.shape, spacing, array.dtype),
        "reach": options.reach,
        "quality": options.quality,
        "model": model_fact(options.model, read_catalogue()),
    }


def require_torch() -> None:
    """Refuse, in words, to start without torch (DependencyError)."""
    status = torch_status()
    if not status.ready:
        raise DependencyError(f"{status.message} {status.advice}")
