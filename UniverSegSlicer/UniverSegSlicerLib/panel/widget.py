"""The panel as a whole: sections, timer, shortcuts, and what happens when the scene changes under it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import qt
import slicer

from ..errors import UniverSegError
from ..scene.mrml.creation import segmentation_made_for
from ..scene.mrml.volumes import check_volume
from .context import Context, Dialogs, Views, value
from .sections import (
    ClickSection,
    ExportSection,
    FolderHost,
    FolderSection,
    ModelSection,
    ModelStore,
    ReportSection,
    ReviewSection,
    RunSection,
    Settings,
    SupportSection,
    remember_sections,
)
from .state import Situation, controls, hint
from .views.keys import Keys, keyboard_is_in

#: How often results of the worker are taken in and it is lent the interpreter, in ms.
POLL_MS = 20
#: The support table is read again when painting has paused for this long, in seconds.
SETTLE_S = 0.25
#: Fields for a path.
PATHS = ("exportPathLineEdit", "folderInputPathLineEdit", "folderOutputPathLineEdit")


class UniverSegPanel:
    """Wires the widgets of the ``.ui`` file to the scene logic.

    Args:
        ui: The widgets by name.
        logic: The scene logic.
        editor: The embedded Segment Editor widget, its parameter node set.
        dialogs: Questions with a window.
        views: The slice views.
        models: The catalogue of networks.
        provide_torch: Makes torch available, asking the user; raises DependencyError when it cannot.
        folders: What working on a folder needs of the application.
        window: The main window, where shortcuts live.
        settings: The user's settings, in which sections remember whether they are open.
        prepare_editor: Gives the editor widget its node when the scene has none (any more).
    """

    def __init__(
        self,
        ui: Any,
        logic: Any,
        editor: Any,
        dialogs: Dialogs,
        views: Views,
        models: ModelStore,
        provide_torch: Callable[[], None],
        folders: FolderHost,
        window: Any,
        settings: Settings,
        prepare_editor: Callable[[], None] = lambda: None,
    ) -> None:
        #: Gives the editor widget its node when the scene has none (any more).
        self.prepare_editor = prepare_editor
        self.context = Context(
            ui=ui,
            logic=logic,
            editor=editor,
            dialogs=dialogs,
            views=views,
            refresh=self.refresh,
            show_state=self._show_state,
        )
        self.run = RunSection(self.context, provide_torch)
        self.support = SupportSection(self.context, self.run.require_torch)
        self.review = ReviewSection(self.context)
        self.clicks = ClickSection(self.context, self.run.require_torch)
        self.export = ExportSection(self.context)
        self.folder = FolderSection(self.context, folders, self.run.require_torch)
        self.models = ModelSection(self.context, models)
        self.report = ReportSection(self.context)
        remember_sections(ui, settings)
        self._keys = Keys(
            window,
            editor,
            lambda: keyboard_is_in(ui.inputSection.parent(), ui.editorContainer),
            {"Ctrl+Return": self.run.start},
            {"Return": self.clicks.accept, "Backspace": self.clicks.take_back, "Esc": self.clicks.leave},
        )
        self._revision = -1
        self._report: Any = None
        self._changed_at: float | None = None
        self._observed: list[tuple[Any, int]] = []
        self._nodes: tuple[Any, Any] = (None, None)
        self._shown: Any = None
        self._marks_problem = ""
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.tick)
        self._timer.start()

    # --- life cycle, called by the module's shell ---

    def set_parameters(self, parameters: Any) -> None:
        """Use another parameter node, or none while a scene closes."""
        self.context.parameters = parameters
        self.context.forget_problem()
        if parameters is None:
            self._shown = None
            self._follow(None, None)
        else:
            self.models.update()
            self.on_parameters_changed()

    def enter(self) -> None:
        """The module is shown."""
        self.context.editor.setupViewObservations()
        self._keys.enter()
        self._mark_changed()

    def exit(self) -> None:
        """Another module is shown; a run goes on, clicking stops."""
        self.clicks.leave()
        self.context.editor.setActiveEffectByName("")
        self._keys.exit()
        self.context.editor.removeViewObservations()

    def scene_closing(self) -> None:
        """The scene is about to go: stop everything that touches it."""
        self.clicks.leave()
        self.context.views.overlay(None, 0.0)
        self.context.logic.scene_closing()
        self.set_parameters(None)

    def cleanup(self) -> None:
        """The application quits or the module reloads."""
        self._timer.stop()
        self._keys.exit()
        self.clicks.leave()
        self.folder.close()
        self._follow(None, None)
        self.context.logic.shutdown()

    # --- following the scene ---

    def on_parameters_changed(self) -> None:
        """The chosen nodes or settings changed."""
        parameters = self.context.parameters
        if parameters is None:
            return
        volume, segmentation = self._chosen()
        if volume is not None and segmentation is None:
            self._mark_changed()
        if (volume, segmentation) != self._nodes:
            self._follow(volume, segmentation)
        if volume is not self._shown and volume is not None and not _problem_of(volume):
            self._shown = volume
            self.context.views.show_volume(volume)
        self.refresh()

    def tick(self) -> None:
        """Take in the worker's results; redraw when something changed."""
        state = self.context.logic.poll()
        self.folder.poll()
        self._keys.follow(self.clicks.active)
        settled = self._changed_at is not None and time.monotonic() - self._changed_at > SETTLE_S
        if settled:
            self._provide_segmentation()
        if settled or self._chosen() != self._nodes:
            self.on_parameters_changed()
        elif state.report is not self._report:
            # A result says of each mark how it agrees with the others.
            self.refresh()
        elif state.revision != self._revision:
            # Progress comes many times a second; the segments are read again only when they have changed.
            self._show_state()

    def refresh(self) -> None:
        """Bring every widget up to date, the support table included."""
        self._marks_problem = self.support.update()
        self._show_state()

    def _show_state(self) -> None:
        """Bring everything but the support table up to date."""
        context = self.context
        state = context.logic.state
        self._revision = state.revision
        self._report = state.report
        now = self._situation(state)
        for name, enabled in controls(now).items():
            getattr(context.ui, name).setEnabled(enabled)
        for name in PATHS:
            # A path that was never chosen is the empty one, which reads as a dot.
            if value(getattr(context.ui, name), "currentPath") == ".":
                getattr(context.ui, name).setCurrentPath("")
        self.run.update(state, context.said or hint(now))
        self.review.update(state)

    def _provide_segmentation(self) -> None:
        """As in the Segment Editor: a segmentation is there to paint in at once.

        Made only when the scene has settled, since one may be about to come along with the volume.
        """
        self._changed_at = None
        volume, segmentation = self._chosen()
        if volume is not None and segmentation is None and not _problem_of(volume):
            found = segmentation_made_for(volume) or self.context.logic.new_segmentation(volume)
            self.context.parameters.segmentation = found

    def _chosen(self) -> tuple[Any, Any]:
        parameters = self.context.parameters
        return (parameters.volume, parameters.segmentation) if parameters is not None else (None, None)

    def _situation(self, state: Any) -> Situation:
        volume, segmentation = self._chosen()
        rows = [row for row in self.support.rows if row.used]
        report = state.report
        return Situation(
            volume=volume is not None,
            problem=_problem_of(volume) if volume is not None else "",
            marks_problem=self._marks_problem,
            marks=sum(row.kind == "marked" for row in rows),
            elsewhere=sum(row.kind != "marked" and row.examples > 0 for row in rows),
            running=state.phase == "running",
            preview=state.phase == "preview",
            clicking=self.clicks.active,
            clicks=self.clicks.count,
            suggestions=report is not None and bool(report.suggestions),
            confidence=report is not None and (report.confidence is not None or state.phase == "preview"),
            segments=segmentation.GetSegmentation().GetNumberOfSegments() if segmentation is not None else 0,
            folder=self.folder.running,
            report=self.folder.has_report,
        )

    def _follow(self, volume: Any, segmentation: Any) -> None:
        for subject, tag in self._observed:
            subject.RemoveObserver(tag)
        self._observed = []
        if volume is not self._nodes[0] and self._nodes[0] is not None:
            self.clicks.leave()
        pairs = zip(self._nodes, (volume, segmentation), strict=True)
        others = any(old is not None and old is not new for old, new in pairs)
        if others and not self.context.acting:
            # What was said is about the nodes before.
            self.context.forget_problem()
        self._nodes = (volume, segmentation)
        editor = self.context.editor
        editor.setSegmentationNode(segmentation)
        if segmentation is not None:
            editor.setSourceVolumeNode(volume)
        if volume is not None:
            # A volume can be listed before its voxels are there.
            for event in (volume.ImageDataModifiedEvent, "ModifiedEvent"):
                self._observed.append((volume, volume.AddObserver(event, self._mark_changed)))
        for node in (volume, segmentation):
            if node is not None:
                # Whether the two fit depends on the transforms that they are under.
                self._observed.append((node, node.AddObserver(node.TransformModifiedEvent, self._on_segments_changed)))
        if segmentation is not None:
            subject = segmentation.GetSegmentation()
            kinds = slicer.vtkSegmentation
            for event in (
                kinds.SegmentAdded,
                kinds.SegmentRemoved,
                kinds.SegmentModified,
                kinds.SourceRepresentationModified,
            ):
                self._observed.append((subject, subject.AddObserver(event, self._on_segments_changed)))

    def _on_segments_changed(self, *_arguments: Any) -> None:
        if not self.context.acting:
            # Painted on or undone: what the last action said is over.
            self.context.said = ""
        self._mark_changed()

    def _mark_changed(self, *_arguments: Any) -> None:
        self._changed_at = time.monotonic()


def _problem_of(volume: Any) -> str:
    try:
        check_volume(volume)
    except UniverSegError as error:
        return str(error)
    return ""
