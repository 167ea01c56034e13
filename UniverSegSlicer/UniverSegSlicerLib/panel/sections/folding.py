"""Sections remember whether they are open, from one start of Slicer to the next."""

from __future__ import annotations

from typing import Any, Protocol

from ..context import value

#: The sections that can be folded, by their names in the ``.ui`` file.
FOLDED = (
    "segmentSection",
    "markSection",
    "supportSection",
    "otherSupportSection",
    "settingsSection",
    "clickSection",
    "exportSection",
    "folderSection",
    "helpSection",
)
PREFIX = "UniverSegSlicer/open/"


class Settings(Protocol):
    """The user's settings, as ``QSettings`` keeps them."""

    def value(self, key: str) -> Any:
        """What is stored, None for nothing; files give text back."""

    def setValue(self, key: str, value: Any) -> None:
        """Store a value."""


def remember_sections(ui: Any, settings: Settings) -> None:
    """Open and fold the sections as they were left, and store it whenever one is opened or folded."""
    for name in FOLDED:
        section = getattr(ui, name)
        stored = settings.value(PREFIX + name)
        if stored is not None:
            opened = str(stored).lower() in ("true", "1")
            if bool(value(section, "collapsed")) is opened:
                section.setProperty("collapsed", not opened)
        section.contentsCollapsed.connect(lambda collapsed, key=PREFIX + name: settings.setValue(key, not collapsed))
