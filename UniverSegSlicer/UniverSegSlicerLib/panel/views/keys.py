"""Which keys are whose: the panel's own, those of click-to-segment, and the Segment Editor's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt

Actions = Mapping[str, Callable[[], None]]

#: One of them is the redo of each system; people know the other from elsewhere.
REDO = ("Ctrl+Y", "Ctrl+Shift+Z")


class Keys:
    """Gives keys to the panel and to its Segment Editor, by where the keyboard is and by what goes on.

    The Segment Editor's keys are shortcuts of the whole window, Space and Esc among them: a button of the panel that
    was reached with Tab could not be pressed, and of two shortcuts for one key Qt calls neither. So they rest while
    the keyboard is in the panel outside the editor, and while clicking; undo and redo then go through ours.

    Args:
        window: The main window (or any widget that holds the panel and the views).
        editor: The embedded Segment Editor widget.
        inside: Whether the keyboard is in the panel outside the editor.
        always: Keys (such as "Ctrl+Return") and what they do while the panel is shown.
        clicking: The same while click-to-segment is on.
    """

    def __init__(
        self, window: Any, editor: Any, inside: Callable[[], bool], always: Actions, clicking: Actions
    ) -> None:
        self._window, self._editor, self._inside = window, editor, inside
        self._always, self._clicking = always, clicking
        self._shown = False
        self._state: tuple[bool, bool] | None = None
        self._made: list[Any] = []

    def enter(self) -> None:
        """The panel is shown."""
        self._shown = True
        self.follow(False)

    def exit(self) -> None:
        """Another module is shown: give every key back."""
        self._shown, self._state = False, None
        self._clear()
        self._editor.uninstallKeyboardShortcuts()

    def follow(self, clicking: bool) -> None:
        """Bring the keys up to date; cheap enough for a timer."""
        if not self._shown:
            return
        state = (clicking, clicking or self._inside())
        if state == self._state:
            return
        self._state = state
        self._clear()
        ours = dict(self._always)
        if state[1]:
            self._editor.uninstallKeyboardShortcuts()
            ours |= {"Ctrl+Z": self._editor.undo} | dict.fromkeys(REDO, self._editor.redo)
        else:
            self._editor.installKeyboardShortcuts()
            # The editor has the one that is usual on this system.
            usual = qt.QKeySequence(qt.QKeySequence.Redo).toString()
            ours |= {keys: self._editor.redo for keys in REDO if keys != usual}
        if clicking:
            ours |= self._clicking
        for keys, action in ours.items():
            shortcut = qt.QShortcut(self._window)
            shortcut.setKey(qt.QKeySequence(keys))
            shortcut.activated.connect(action)
            self._made.append(shortcut)

    def _clear(self) -> None:
        for shortcut in self._made:
            shortcut.setEnabled(False)
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._made = []


def keyboard_is_in(outer: Any, but: Any) -> bool:
    """Whether the focused widget lies in ``outer`` and not in ``but``."""
    widget = qt.QApplication.focusWidget()
    while widget is not None:
        if widget == but:
            return False
        if widget == outer:
            return True
        widget = widget.parent()
    return False
