"""The panel without a mouse, on dark windows and at other scalings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

PANEL = Path(__file__).resolve().parents[2] / "UniverSegSlicer" / "UniverSegSlicerLib" / "panel"
UI = PANEL.parents[1] / "Resources" / "UI" / "UniverSegSlicer.ui"


@pytest.fixture
def open_desk(desk: Any) -> Any:
    """The panel with every section open and the keyboard in its window."""
    from UniverSegSlicerLib.panel.sections.folding import FOLDED

    for name in FOLDED:
        getattr(desk.ui, name).setProperty("collapsed", False)
    desk.root.resize(450, 1700)
    desk.root.show()
    desk.root.activateWindow()
    desk.sample()
    return desk


def controls_of(desk: Any) -> list[Any]:
    """What can be pressed, ticked, chosen or typed into, beside the Segment Editor."""
    import qt

    kinds = (
        qt.QAbstractButton, qt.QComboBox, qt.QLineEdit, qt.QAbstractSlider, qt.QTableWidget, qt.QPlainTextEdit,
    )  # fmt: skip
    found = [child for kind in kinds for child in desk.root.findChildren(kind)]
    return [
        widget
        for widget in found
        if not desk.ui.editorContainer.isAncestorOf(widget) and not widget.objectName().startswith("qt_")
        and (widget.objectName() or isinstance(widget, qt.QSlider))
    ]  # fmt: skip


def test_everything_can_be_reached_and_says_what_it_is(open_desk: Any) -> None:
    import qt

    found = controls_of(open_desk)
    assert len(found) > 40
    for widget in found:
        name = widget.objectName()
        assert widget.focusPolicy() & qt.Qt.TabFocus, f"{name} cannot be reached with Tab"
        owner = widget if name else widget.parent()
        assert owner.toolTip(), f"{owner.objectName()} has no tooltip"
        spoken = owner.accessibleName() or getattr(widget, "text", str)().strip(". ")
        labelled = [label for label in open_desk.root.findChildren(qt.QLabel) if label.buddy() is owner]
        assert spoken or labelled, f"{owner.objectName()} has no name to be read out"
    for section in ("folderSection", "settingsSection", "segmentSection"):
        assert getattr(open_desk.ui, section).toolTip()


def test_tab_goes_from_top_to_bottom(open_desk: Any) -> None:
    """Every control once, row by row, from left to right."""
    import qt

    for widget in controls_of(open_desk):
        widget.setEnabled(True)
    open_desk.ui.folderProblems.setVisible(True)
    open_desk.application.processEvents()
    first = open_desk.ui.volumeSelector
    chain, widget = [first], first.nextInFocusChain()
    while widget is not first:
        if widget.focusPolicy() & qt.Qt.TabFocus and widget.isVisibleTo(open_desk.root):
            chain.append(widget)
        widget = widget.nextInFocusChain()
    ours = [widget for widget in chain if widget in controls_of(open_desk)]
    assert {widget.objectName() for widget in ours} >= {
        widget.objectName() for widget in controls_of(open_desk) if widget.isVisibleTo(open_desk.root)
    }

    def place(widget: Any) -> tuple[int, int]:
        at = widget.mapTo(open_desk.root, qt.QPoint(0, widget.height() // 2))
        return at.y(), at.x()

    for before, after in itertools.pairwise(ours):
        (above, left), (below, right) = place(before), place(after)
        same_row = abs(above - below) <= 8
        assert (same_row and left < right) or above < below, (before.objectName(), after.objectName())


def test_tab_leaves_the_table_and_space_ticks(open_desk: Any) -> None:
    import qt
    from PySide6.QtTest import QTest

    table = open_desk.ui.supportTable
    table.setFocus()
    table.setCurrentCell(0, 0)
    open_desk.application.processEvents()
    QTest.keyClick(table, qt.Qt.Key_Space)
    assert [row.used for row in open_desk.panel.support.rows] == [False, True, True]
    QTest.keyClick(table, qt.Qt.Key_Down)
    assert table.currentRow() == 1 and open_desk.enabled("jumpButton")
    QTest.keyClick(table, qt.Qt.Key_Tab)
    assert open_desk.application.focusWidget() is not table


def test_sections_fold_with_space(open_desk: Any) -> None:
    import qt
    from PySide6.QtTest import QTest

    section = open_desk.ui.settingsSection
    assert open_desk.ui.axisComboBox.isVisible()
    QTest.keyClick(section, qt.Qt.Key_Space)
    assert section.property("collapsed") and not open_desk.ui.axisComboBox.isVisible()
    QTest.keyClick(section, qt.Qt.Key_Space)
    assert open_desk.ui.axisComboBox.isVisible()


@pytest.fixture
def shown(open_desk: Any) -> Iterator[Any]:
    """The module is the one that is shown; its editor has Slicer's keys for the whole window."""
    import qt

    desk = open_desk
    window, desk.view = qt.QWidget(), qt.QWidget()
    desk.view.setFocusPolicy(qt.Qt.StrongFocus)
    row = qt.QHBoxLayout(window)
    row.addWidget(desk.root)
    row.addWidget(desk.view)
    window.show()
    window.activateWindow()
    made: list[Any] = []
    desk.pressed = []

    def install(_parent: Any = None) -> None:
        desk.editor.shortcuts_installed = True
        for key in ("Space", "Esc", "Z", "Ctrl+Z"):
            made.append(qt.QShortcut(qt.QKeySequence(key), desk.root))
            made[-1].activated.connect(lambda key=key: desk.pressed.append(key))

    def uninstall() -> None:
        desk.editor.shortcuts_installed = False
        while made:
            made.pop().setParent(None)

    desk.editor.installKeyboardShortcuts, desk.editor.uninstallKeyboardShortcuts = install, uninstall
    desk.panel.enter()
    yield desk
    desk.panel.exit()
    assert not made
    desk.root.setParent(None)
    window.deleteLater()


def test_buttons_are_pressed_with_space_and_painting_keeps_its_keys(shown: Any) -> None:
    import qt
    from PySide6.QtTest import QTest

    desk = shown
    desk.view.setFocus()
    desk.settle(0.1)
    assert desk.editor.shortcuts_installed
    QTest.keyClick(desk.view, qt.Qt.Key_Space)
    assert desk.pressed == ["Space"], "the editor's, while the keyboard is in the views"
    desk.ui.surfaceCheckBox.setFocus()
    desk.settle(0.1)
    assert not desk.editor.shortcuts_installed
    before = desk.ui.surfaceCheckBox.isChecked()
    QTest.keyClick(desk.ui.surfaceCheckBox, qt.Qt.Key_Space)
    assert desk.ui.surfaceCheckBox.isChecked() is not before
    undone: list[str] = []
    desk.panel._keys._editor.undo = lambda: undone.append("undo")
    desk.panel._keys._state = None
    desk.settle(0.1)
    QTest.keyClick(desk.ui.surfaceCheckBox, qt.Qt.Key_Z, qt.Qt.ControlModifier)
    assert undone == ["undo"] and desk.pressed == ["Space"]


@pytest.mark.parametrize("inside", [True, False])
def test_both_redo_keys_redo_once(shown: Any, inside: bool) -> None:
    """Of the two, Slicer's editor has the one that is usual on the system, for the views and itself."""
    import qt
    from PySide6.QtTest import QTest

    desk = shown
    redone: list[str] = []
    usual = qt.QShortcut(qt.QKeySequence(qt.QKeySequence.Redo), desk.root)
    usual.activated.connect(lambda: redone.append("editor"))
    usual.setEnabled(not inside)
    desk.panel._keys._editor.redo = lambda: redone.append("panel")
    place = desk.ui.surfaceCheckBox if inside else desk.view
    place.setFocus()
    desk.panel._keys._state = None
    desk.settle(0.1)
    QTest.keyClick(place, qt.Qt.Key_Y, qt.Qt.ControlModifier)
    assert len(redone) == 1
    QTest.keyClick(place, qt.Qt.Key_Z, qt.Qt.ControlModifier | qt.Qt.ShiftModifier)
    assert len(redone) == 2 and redone.count("panel") == 1 + inside
    usual.setParent(None)


def test_ctrl_return_segments(shown: Any) -> None:
    import qt
    from PySide6.QtTest import QTest

    shown.view.setFocus()
    shown.settle(0.1)
    QTest.keyClick(shown.view, qt.Qt.Key_Return, qt.Qt.ControlModifier)
    shown.wait(lambda: shown.phase != "idle")


def test_esc_leaves_clicking_though_the_editor_has_esc_too(shown: Any) -> None:
    import qt
    from PySide6.QtTest import QTest

    desk = shown
    desk.view.setFocus()
    desk.settle(0.1)
    desk.ui.clickButton.setChecked(True)
    desk.settle(0.1)
    desk.views.clicked("k", 31, desk.logic.slice_position(desk.parameters.volume, "k", 31), False)
    assert desk.panel.clicks.count == 1
    QTest.keyClick(desk.view, qt.Qt.Key_Backspace)
    assert desk.panel.clicks.count == 0
    QTest.keyClick(desk.view, qt.Qt.Key_Escape)
    assert not desk.panel.clicks.active and desk.pressed == []
    desk.settle(0.1)
    QTest.keyClick(desk.view, qt.Qt.Key_Escape)
    assert desk.pressed == ["Esc"], "the editor has its keys again"


def test_tooltips_tell_the_keys() -> None:
    tips = {
        widget.get("name"): widget.findtext("property[@name='toolTip']/string", "")
        for widget in ElementTree.parse(UI).iter("widget")
    }
    for name, key in {
        "segmentButton": "Ctrl+Return", "acceptClickButton": "Return", "undoClickButton": "Backspace",
        "leaveClickButton": "Esc", "applyButton": "Ctrl+Z", "supportTable": "Space",
    }.items():  # fmt: skip
        assert key in tips[name], name


def test_no_colour_is_fixed() -> None:
    """Style sheets with colours look right on one background only."""
    sources = {file: file.read_text(encoding="utf-8") for file in [*PANEL.rglob("*.py"), UI]}
    for file, text in sources.items():
        assert "setStyleSheet" not in text and 'name="styleSheet"' not in text, file
        assert not re.search(r"#[0-9a-fA-F]{6}\b|#[0-9a-fA-F]{3}\b|\brgba?\(|color:", text), file


@pytest.mark.parametrize("dark", [False, True])
def test_problems_stand_out_on_light_and_dark_windows(desk: Any, application: Any, dark: bool) -> None:
    import qt
    import standin

    from UniverSegSlicerLib.panel.views.colours import problem_colour

    def luminance(colour: Any) -> float:
        parts = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in (colour.redF(), colour.greenF(), colour.blueF())
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    before = application.palette()
    application.setPalette(standin.dark_palette() if dark else application.style().standardPalette())
    try:
        palette = application.palette()
        one, other = sorted(
            luminance(colour) for colour in (problem_colour(palette), palette.color(qt.QPalette.Window))
        )
        assert (other + 0.05) / (one + 0.05) >= 4.5, "WCAG 2.2, level AA"
        desk.sample()
        desk.ui.exportPathLineEdit.setCurrentPath("")
        desk.press("exportButton")
        assert desk.ui.messageLabel.palette().color(qt.QPalette.WindowText) == problem_colour(palette)
        assert desk.ui.messageLabel.font().bold(), "not by its colour alone"
        desk.ui.exportPathLineEdit.setCurrentPath("x")
        desk.panel.context.forget_problem()
        desk.panel.refresh()
        shown = desk.ui.messageLabel.palette().color(qt.QPalette.WindowText)
        assert shown == palette.color(qt.QPalette.WindowText)
    finally:
        application.setPalette(before)


def test_a_path_that_was_not_chosen_is_empty(desk: Any) -> None:
    assert desk.ui.folderInputPathLineEdit.text() == desk.ui.exportPathLineEdit.text() == ""


def test_what_is_hidden_in_a_section_stays_hidden(open_desk: Any) -> None:
    assert not open_desk.ui.folderProblems.isVisible() and not open_desk.ui.folderProgressBar.isVisible()
