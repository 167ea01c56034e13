"""The support set: a table of marked slices and of examples from elsewhere, which follows what is painted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import qt
from slicer.i18n import tr as _

from ...errors import UniverSegError
from ...scene.interface import SavedSupport, SupportRow, SupportTable
from ...scene.mrml.creation import drop_untouched_segments
from ..context import Context
from ..views.pictures import pixmap

THUMBNAIL = 36
# Rows that the table has room for: it grows with them, so that what lies below stays in sight.
FEWEST_ROWS, MOST_ROWS = 2, 5
# Height in pixels of its header with the frame.
HEADER = 28
FILE_PATTERN = "Support set (*.npz)"
USE, SLICE, AREA, AGREEMENT, NOTE = range(5)


class SupportSection:
    """Keeps the table equal to what the scene logic says is in the support set.

    Args:
        context: What the sections share.
        require_torch: Asks for torch when it is missing; raises DependencyError when it stays missing.
    """

    def __init__(self, context: Context, require_torch: Callable[[], None]) -> None:
        self._context = context
        self._require_torch = require_torch
        self._rows: tuple[SupportRow, ...] = ()
        self._filling = False
        ui = context.ui
        self._table = ui.supportTable
        self._table.setColumnCount(5)
        self._table.setHorizontalHeaderLabels([_("Use"), _("Slice"), _("Area"), _("Agrees"), _("Note")])
        self._table.setIconSize(qt.QSize(THUMBNAIL, THUMBNAIL))
        self._table.verticalHeader().setVisible(False)
        self._table.verticalHeader().setDefaultSectionSize(THUMBNAIL + 6)
        for column in range(5):
            widest = qt.QHeaderView.Stretch if column in (SLICE, NOTE) else qt.QHeaderView.ResizeToContents
            self._table.horizontalHeader().setSectionResizeMode(column, widest)
        self._fit_height(0)
        self._table.itemChanged.connect(self._on_item_changed)
        self._table.itemSelectionChanged.connect(self._on_selection)
        self._table.cellDoubleClicked.connect(lambda row, _column: self._jump(row))
        ui.jumpButton.clicked.connect(lambda: self._jump(*self._selected()[:1]))
        ui.removeButton.clicked.connect(lambda: context.attempt(self._remove))
        ui.addPairButton.clicked.connect(lambda: context.attempt(self._add_pair))
        ui.loadSupportButton.clicked.connect(lambda: context.attempt(self._load))
        ui.saveSupportButton.clicked.connect(lambda: context.attempt(self._save))
        ui.useSupportButton.clicked.connect(lambda: context.attempt(self._use))
        ui.clearSupportButton.clicked.connect(lambda: context.attempt(self._clear))
        for selector in (ui.otherVolumeSelector, ui.otherSegmentationSelector):
            selector.currentNodeChanged.connect(lambda _node: self._on_pair_chosen())

    @property
    def rows(self) -> tuple[SupportRow, ...]:
        """What the table shows."""
        return self._rows

    def update(self) -> str:
        """Read the support set again; returns the sentence that says what is wrong with the marks, or ""."""
        context = self._context
        selection = context.selection()
        table = SupportTable()
        if selection.volume is not None:
            try:
                table = context.logic.support(selection, context.parameters.axis.value)
            except UniverSegError as error:
                table = SupportTable(message=str(error))
        if _without_words(table.rows) != _without_words(self._rows):
            self._fill(table.rows)
        elif table.rows != self._rows:
            # After a run only the words change: drawing the pictures again would hold up the window.
            self._rows = table.rows
            for number, row in enumerate(table.rows):
                self._say(number, row)
        context.ui.supportLabel.setText(table.message or _summary(table.rows))
        return "" if table.unmarked else table.message

    def _fill(self, rows: tuple[SupportRow, ...]) -> None:
        selected = {self._rows[index].key for index in self._selected()}
        self._filling = True
        self._rows = rows
        self._table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            use = qt.QTableWidgetItem()
            use.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsSelectable)
            use.setCheckState(qt.Qt.Checked if row.used else qt.Qt.Unchecked)
            use.setToolTip(_("Ticked: the network learns from this example."))
            slice_item = qt.QTableWidgetItem(row.title)
            slice_item.setToolTip(row.title)
            picture = self._picture(row)
            if picture is not None:
                slice_item.setIcon(qt.QIcon(picture))
            area = qt.QTableWidgetItem(_area(row))
            for column, item in enumerate((use, slice_item, area)):
                self._table.setItem(number, column, item)
            self._say(number, row)
            if row.key in selected:
                self._table.selectRow(number)
        self._filling = False
        self._fit_height(len(rows))
        self._on_selection()

    def _say(self, number: int, row: SupportRow) -> None:
        """What the last run and the example itself have to say, in the last two columns."""
        agreement = qt.QTableWidgetItem("" if row.agreement is None else f"{round(100 * row.agreement)} %")
        agreement.setToolTip(_("How well this mark agrees (Dice) with what the other marks made of it, last time."))
        note = qt.QTableWidgetItem(row.note)
        note.setToolTip(row.note)
        self._table.setItem(number, AGREEMENT, agreement)
        self._table.setItem(number, NOTE, note)

    def _fit_height(self, count: int) -> None:
        shown = min(MOST_ROWS, max(FEWEST_ROWS, count))
        self._table.setFixedHeight(HEADER + shown * (THUMBNAIL + 6))

    def _picture(self, row: SupportRow) -> Any:
        try:
            return pixmap(self._context.logic.thumbnail(self._context.selection(), row.key, THUMBNAIL))
        except UniverSegError:
            # A picture is a comfort: a row whose source is gone says so in its note.
            return None

    def _selected(self) -> list[int]:
        return sorted({index.row() for index in self._table.selectionModel().selectedRows()})

    def _on_selection(self) -> None:
        chosen = [self._rows[index] for index in self._selected() if index < len(self._rows)]
        self._context.ui.jumpButton.setEnabled(len(chosen) == 1 and chosen[0].kind == "marked")
        self._context.ui.removeButton.setEnabled(bool(chosen))

    def _on_item_changed(self, item: Any) -> None:
        if self._filling or item.column() != USE:
            return
        row, used = self._rows[item.row()], item.checkState() == qt.Qt.Checked
        self._context.attempt(lambda: self._context.logic.set_used(self._context.selection(), row.key, used))

    def _jump(self, row: int | None = None) -> None:
        if row is None or self._rows[row].kind != "marked":
            return
        chosen = self._rows[row]
        volume = self._context.parameters.volume
        self._context.views.jump_to(self._context.logic.slice_position(volume, chosen.axis, chosen.index))

    def _remove(self) -> None:
        self._context.logic.remove(self._context.selection(), *(self._rows[index].key for index in self._selected()))

    def _clear(self) -> None:
        elsewhere = [row.key for row in self._rows if row.kind != "marked"]
        self._context.logic.remove(self._context.selection(), *elsewhere)

    def _on_pair_chosen(self) -> None:
        ui = self._context.ui
        ui.addPairButton.setEnabled(
            ui.otherVolumeSelector.currentNode() is not None and ui.otherSegmentationSelector.currentNode() is not None
        )

    def _add_pair(self) -> None:
        ui = self._context.ui
        self._context.logic.add_pair(ui.otherVolumeSelector.currentNode(), ui.otherSegmentationSelector.currentNode())

    def _load(self) -> None:
        path = self._context.dialogs.open_file(_("Load a support set"), FILE_PATTERN)
        if path:
            self._context.logic.add_file(path)
            segmentation = self._context.selection().segmentation
            if segmentation is not None:
                drop_untouched_segments(segmentation)

    def _save(self) -> None:
        volume = self._context.parameters.volume
        suggestion = f"{volume.GetName()}.support.npz" if volume is not None else "support.npz"
        path = self._context.dialogs.save_file(_("Save the support set"), FILE_PATTERN, suggestion)
        if path:
            parameters = self._context.parameters
            saved = self._context.logic.save_support(
                self._context.selection(), path, parameters.axis.value, slices_only=parameters.slicesOnly
            )
            self._context.said = _("Saved {file}: {slices} slices, {scans}.").format(
                file=saved.path.name, slices=saved.slices, scans=_scans(saved, parameters.slicesOnly)
            )

    def _use(self) -> None:
        self._require_torch()
        options = replace(self._context.options(), reach="volume", current=None)
        self._context.logic.use_support(self._context.selection(), options)


def _scans(saved: SavedSupport, slices_only: bool) -> str:
    if saved.scans:
        return _("{count} whole scan(s), by which a patient can be identified").format(count=saved.scans)
    if slices_only:
        return _("no whole scan")
    return _("no whole scan, for no segmentation is complete (apply a result first)")


def _without_words(rows: tuple[SupportRow, ...]) -> list[SupportRow]:
    return [replace(row, agreement=None, note="") for row in rows]


def _area(row: SupportRow) -> str:
    if row.kind != "marked":
        return _("{count} examples").format(count=row.examples)
    return _("{area} cm²").format(area=f"{row.area_mm2 / 100:.1f}")


def _summary(rows: tuple[SupportRow, ...]) -> str:
    used = sum(row.examples for row in rows if row.used)
    if not rows:
        return _("No slice is marked yet.")
    if used == 0:
        return _("Every example is switched off: tick at least one.")
    if used == 1:
        return _("1 example in use.")
    return _("{count} examples in use.").format(count=used)
