"""What the sections of the panel share: the widgets, the logic, the chosen nodes, and one way to report a problem."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from slicer.i18n import tr as _

from ..errors import UniverSegError
from ..progress import CancelToken, ProgressCallback
from ..scene.interface import Logic, RunOptions, Selection


class Dialogs(Protocol):
    """Questions that need a window; tests answer them without one."""

    def ask(self, question: str) -> bool:
        """Whether the user agrees."""

    def open_file(self, title: str, pattern: str) -> str:
        """An existing file, "" when the user changed their mind."""

    def save_file(self, title: str, pattern: str, suggestion: str) -> str:
        """A file to write, "" when the user changed their mind."""

    def wait_for(self, title: str, work: Callable[[ProgressCallback, CancelToken], None]) -> None:
        """Do some work off the main thread, with progress and a way to cancel; raises what the work raises."""


class Views(Protocol):
    """The slice views of the application."""

    def jump_to(self, ras: tuple[float, float, float]) -> None:
        """Centre every slice view on a world position (RAS, mm)."""

    def current_slice(self, volume: Any, axis: str = "") -> tuple[str, int] | None:
        """(axis, 0-based index) of the volume that a slice view shows; None when none shows it.

        Where a view shows slices along ``axis``, it is that view's; else that of any view.
        """

    def listen(self, clicked: Callable[[str, int, tuple[float, float, float], bool], None], volume: Any) -> None:
        """Call ``clicked(axis, index, RAS, exclude)`` for each left click on the volume in a slice view."""

    def stop_listening(self) -> None:
        """Give the clicks back to the views."""

    def show_volume(self, volume: Any) -> None:
        """Show a volume in the background of the slice views."""

    def overlay(self, volume: Any, opacity: float) -> None:
        """Show a volume (or None) over the background of the slice views."""


@dataclass
class Context:
    """Shared by the sections of the panel.

    Attributes:
        ui: The widgets of the ``.ui`` file by name.
        logic: The scene logic.
        parameters: The parameter node of the scene; None while a scene closes.
        editor: The embedded Segment Editor widget.
        dialogs: Questions with a window.
        views: The slice views.
        refresh: Brings every section up to date, the table of examples included.
        show_state: Brings everything but that table up to date.
        said: What became of the last action, in words, until the next one or until the segments change by other means.
        acting: Whether an action is under way.
    """

    ui: Any
    logic: Logic
    editor: Any
    dialogs: Dialogs
    views: Views
    parameters: Any = None
    refresh: Callable[[], None] = field(default=lambda: None)
    show_state: Callable[[], None] = field(default=lambda: None)
    said: str = ""
    acting: bool = False
    _message: str = ""

    def selection(self) -> Selection:
        """The nodes chosen in the panel, with the Segment Editor's rules."""
        if self.parameters is None:
            return Selection(None, None)
        return Selection(
            self.parameters.volume, self.parameters.segmentation, None, self.editor.mrmlSegmentEditorNode()
        )

    def options(self) -> RunOptions:
        """The settings of the section Segment."""
        parameters = self.parameters
        current = None
        axis = parameters.axis.value
        if parameters.range.value in ("slice", "around"):
            shown = self.views.current_slice(parameters.volume, self._axis_of_marks() if axis == "auto" else axis)
            if shown is not None:
                current = shown[1]
                axis = shown[0] if axis == "auto" else axis
        return RunOptions(
            axis=axis,
            reach=parameters.range.value,
            current=current,
            quality=parameters.quality.value,
            model=parameters.model,
            device=parameters.device.value,
            surface=parameters.surface,
        )

    def _axis_of_marks(self) -> str:
        """Along which the slices that count as marks are stacked, "" without one."""
        rows = self.logic.support(self.selection(), "auto").rows
        return next((row.axis for row in rows if row.kind == "marked" and row.used), "")

    def attempt(self, action: Callable[[], Any], *, marks: bool = True) -> bool:
        """Do what a button asks for; what goes wrong becomes one sentence in the panel. True when it went well.

        ``marks`` False: the action changes no mark and no example, so that the segments need not be read again.
        """
        self._message = self.said = ""
        self.acting = True
        try:
            action()
        except UniverSegError as error:
            self._message = str(error)
        except Exception as error:
            # A fault of ours must neither pop up a traceback nor pass unseen.
            logging.exception("UniverSeg panel")
            self._message = _("Something went wrong ({kind}: {error}). The log says more.").format(
                kind=type(error).__name__, error=error
            )
        else:
            return True
        finally:
            self.acting = False
            (self.refresh if marks else self.show_state)()
        return False

    @property
    def problem(self) -> str:
        """The last sentence of :meth:`attempt`, "" when it went well."""
        return self._message

    def forget_problem(self) -> None:
        """Clear the sentences: the user has moved on."""
        self._message = self.said = ""


def value(widget: Any, name: str) -> Any:
    """A property of a widget, the same way under PythonQt and PySide."""
    return widget.property(name)
