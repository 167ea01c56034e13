"""Click to segment: clicks in a slice view include or exclude, the slice updates live."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _

from ...errors import InputError
from ..context import Context, value


class ClickSection:
    """The click mode of the panel.

    Args:
        context: What the sections share.
        require_torch: Asks for torch when it is missing; raises DependencyError when it stays missing.
    """

    def __init__(self, context: Context, require_torch: Callable[[], None]) -> None:
        self._context = context
        self._require_torch = require_torch
        self._listening = False
        ui = context.ui
        ui.clickButton.toggled.connect(self._on_toggled)
        ui.acceptClickButton.clicked.connect(self.accept)
        ui.undoClickButton.clicked.connect(self.take_back)
        ui.leaveClickButton.clicked.connect(self.leave)

    @property
    def active(self) -> bool:
        """Whether clicks in the views are ours."""
        return self._listening

    @property
    def count(self) -> int:
        """Clicks on the slice so far."""
        clicks = self._context.logic.clicks
        return len(clicks.include) + len(clicks.exclude) if clicks is not None else 0

    def accept(self) -> None:
        """Write the slice into the segment; it joins the support set. Clicking goes on."""
        if self._listening and self.count:
            self._context.attempt(self._context.logic.accept_clicks)

    def take_back(self) -> None:
        """Take the last click back."""
        if self._listening and self.count:
            self._context.attempt(self._context.logic.take_back_click)

    def leave(self) -> None:
        """Stop clicking; what was not accepted is dropped."""
        if self._listening:
            self._context.ui.clickButton.setChecked(False)

    def _on_toggled(self, on: bool) -> None:
        if on and not self._context.attempt(self._begin):
            self._context.ui.clickButton.setChecked(False)
        elif not on:
            self._end()
        self._context.ui.clickButton.setText(
            _("Stop clicking") if value(self._context.ui.clickButton, "checked") else _("Start clicking")
        )

    def _begin(self) -> None:
        self._require_torch()
        selection = self._context.selection()
        if selection.volume is None:
            raise InputError(_("Choose a volume before clicking."))
        # Painting tools and clicks cannot share the mouse.
        self._context.editor.setActiveEffectByName("")
        self._context.views.listen(self._on_click, selection.volume)
        self._listening = True

    def _end(self) -> None:
        if self._listening:
            self._listening = False
            self._context.views.stop_listening()
            self._context.attempt(self._context.logic.end_clicks)

    def _on_click(self, axis: str, index: int, ras: tuple[float, float, float], exclude: bool) -> None:
        context = self._context
        context.attempt(
            lambda: context.logic.click_on(
                context.selection(), axis, index, ras, include=not exclude, options=context.options()
            )
        )
