"""Clicks in the slice views, while click-to-segment is on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import vtk

#: Before the views' own interaction (window/level, crosshair), which must not see a click that is ours.
PRIORITY = 100.0


class SliceClicks:
    """Calls ``clicked(slice node, RAS point, exclude)`` for every left click in a slice view.

    Args:
        layout_manager: Slicer's layout manager, which knows the slice views.
        clicked: Called on the main thread; ``exclude`` is True with the Control key held.
    """

    def __init__(self, layout_manager: Any, clicked: Callable[[Any, tuple[float, float, float], bool], None]) -> None:
        self._layout_manager = layout_manager
        self._clicked = clicked
        self._observed: list[tuple[Any, int]] = []

    @property
    def active(self) -> bool:
        """Whether clicks are listened to."""
        return bool(self._observed)

    def start(self) -> None:
        """Listen to every slice view of the layout."""
        self.stop()
        for name in self._layout_manager.sliceViewNames():
            view = self._layout_manager.sliceWidget(name).sliceView()
            view.setViewCursor(qt.QCursor(qt.Qt.CrossCursor))
            interactor = view.interactor()
            node = view.mrmlSliceNode()
            tags: list[int] = []

            def pressed(caller: Any, _event: str, node: Any = node, tags: list[int] = tags) -> None:
                x, y = caller.GetEventPosition()
                exclude = bool(caller.GetControlKey())
                for tag in tags:
                    command = caller.GetCommand(tag)
                    if command is not None:
                        command.SetAbortFlag(1)
                self._clicked(node, to_ras(node, x, y), exclude)

            tags.append(interactor.AddObserver(vtk.vtkCommand.LeftButtonPressEvent, pressed, PRIORITY))
            self._observed.append((interactor, tags[0]))

    def stop(self) -> None:
        """Stop listening; safe to call twice."""
        for interactor, tag in self._observed:
            interactor.RemoveObserver(tag)
        if self._observed:
            for name in self._layout_manager.sliceViewNames():
                self._layout_manager.sliceWidget(name).sliceView().unsetViewCursor()
        self._observed = []


def to_ras(slice_node: Any, x: float, y: float) -> tuple[float, float, float]:
    """The world point (RAS, mm) under a pixel of a slice view."""
    point = slice_node.GetXYToRAS().MultiplyPoint((x, y, 0.0, 1.0))
    return float(point[0]), float(point[1]), float(point[2])
