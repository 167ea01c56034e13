"""What stands where: nothing that a run needs is out of sight, no empty bands, and sections stay as they were left."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

#: What Slicer leaves for a panel in a window of 1280 x 800: width and height in pixels.
ROOM = (450, 640)
#: Everything from the choice of a volume to Apply.
NEEDED = (
    "volumeSelector", "segmentationSelector", "editorContainer", "supportTable", "segmentButton", "cancelButton",
    "applyButton", "discardButton", "nextSliceButton", "surfaceCheckBox", "confidenceCheckBox", "messageLabel",
)  # fmt: skip


def top_and_bottom(desk: Any, name: str) -> tuple[int, int]:
    """Where a widget begins and ends, in pixels from the top of the panel."""
    import qt

    widget = getattr(desk.ui, name)
    top = widget.mapTo(desk.root, qt.QPoint(0, 0)).y()
    return top, top + widget.height()


def test_everything_for_a_run_is_in_sight(desk: Any) -> None:
    desk.root.resize(*ROOM)
    desk.root.show()
    desk.sample()
    assert desk.root.sizeHint().width() <= ROOM[0]
    for name in NEEDED:
        top, bottom = top_and_bottom(desk, name)
        assert getattr(desk.ui, name).isVisible(), name
        assert 0 <= top < bottom <= ROOM[1], (name, top, bottom)


@pytest.mark.parametrize("height", [640, 1400])
def test_no_empty_bands_between_sections(desk: Any, height: int) -> None:
    """Room that is left over lies below the last section."""
    desk.root.resize(ROOM[0], height)
    desk.root.show()
    desk.sample()
    layout = desk.root.layout()
    shown = [layout.itemAt(n).widget() for n in range(layout.count()) if layout.itemAt(n).widget() is not None]
    for above, below in itertools.pairwise(shown):
        gap = below.geometry().top() - above.geometry().bottom()
        assert 0 < gap <= 8, (above.objectName(), below.objectName(), gap)
        assert above.height() <= above.sizeHint().height() + 2, above.objectName()


def test_no_empty_band_in_a_section_or_under_the_editor(desk: Any) -> None:
    from UniverSegSlicerLib.panel.sections.folding import FOLDED

    desk.root.resize(*ROOM)
    desk.root.show()
    desk.sample()
    for name in FOLDED:
        # Slicer's folded sections stand apart by this, 10 pixels unless told otherwise.
        assert getattr(desk.ui, name).property("collapsedHeight") == 0, name
    editor = desk.editor
    assert editor.height() - editor.shown.height() <= 2 * editor.layout().contentsMargins().bottom()


def test_the_table_shows_whole_areas_and_titles(desk: Any) -> None:
    """Whatever the font: what is cut off can be read in a tooltip."""
    desk.root.resize(*ROOM)
    desk.root.show()
    desk.sample()
    table = desk.ui.supportTable
    for column in (0, 2, 3):
        assert table.columnWidth(column) >= table.sizeHintForColumn(column), column
    assert sum(table.columnWidth(column) for column in range(5)) <= table.viewport().width()
    assert table.columnWidth(1) >= table.columnWidth(4) - 1 > 60
    assert table.item(0, 1).toolTip() == table.item(0, 1).text()


def test_sections_stay_as_they_were_left(application: Any, tiny_model_path: Path) -> None:
    from .conftest import Desk, Settings

    settings = Settings()
    first = Desk(application, tiny_model_path, settings)
    assert first.ui.settingsSection.property("collapsed")
    first.ui.settingsSection.setProperty("collapsed", False)
    first.ui.helpSection.setProperty("collapsed", True)
    first.close()
    assert all(isinstance(value, bool) for value in settings.values())
    # Files of settings give text back.
    again = Desk(application, tiny_model_path, Settings({key: str(value).lower() for key, value in settings.items()}))
    assert not again.ui.settingsSection.property("collapsed")
    assert again.ui.helpSection.property("collapsed")
    assert again.ui.clickSection.property("collapsed"), "as the panel comes"
    again.close()
