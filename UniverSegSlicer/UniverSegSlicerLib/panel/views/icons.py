"""Icons of the buttons, in two sets: dark strokes for light windows and light strokes for dark ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt

BUTTON_ICONS = {
    "segmentButton": "segment",
    "cancelButton": "cancel",
    "applyButton": "apply",
    "discardButton": "discard",
    "nextSliceButton": "next",
    "clickButton": "click",
    "exportButton": "export",
    "folderStartButton": "segment",
    "folderStopButton": "cancel",
    "jumpButton": "goto",
    "removeButton": "remove",
}


def set_icons(ui: Any, folder: Path) -> None:
    """Icons that can be seen on the window's background: dark strokes on light, light strokes on dark."""
    background = qt.QApplication.palette().color(qt.QPalette.Window)
    theme = "light" if background.lightness() >= 128 else "dark"
    for name, icon in BUTTON_ICONS.items():
        getattr(ui, name).setIcon(qt.QIcon(str(folder / theme / f"{icon}.svg")))
