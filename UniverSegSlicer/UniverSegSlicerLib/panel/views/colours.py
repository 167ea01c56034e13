"""The colour of problems, made from the palette, so that it can be read on dark windows as on light ones."""

from __future__ import annotations

from typing import Any

import qt

# Hue and saturation of a warning red; how light it is hangs on what it stands on.
_HUE, _SATURATION = 4, 170
_ON_LIGHT, _ON_DARK = 95, 190


def problem_colour(palette: Any) -> Any:
    """A red that stands out from a palette's window."""
    light = palette.color(qt.QPalette.Window).lightness() >= 128
    return qt.QColor.fromHsl(_HUE, _SATURATION, _ON_LIGHT if light else _ON_DARK)


def show_problem(label: Any, is_problem: bool) -> None:
    """Write a label's text as a problem, red and bold, or as the window's own text."""
    palette = qt.QApplication.palette()
    if is_problem:
        palette.setColor(qt.QPalette.WindowText, problem_colour(palette))
    font = qt.QApplication.font()
    font.setBold(is_problem)
    label.setPalette(palette)
    label.setFont(font)
