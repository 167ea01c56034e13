"""Small tables beside the data: csv, npy and xlsx, without a spreadsheet package."""

from __future__ import annotations

import csv
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from UniverSegSlicerLib.errors import InputError

_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_rows(path: Path) -> list[list[str]]:
    """All rows of a table as text; of an npy file one column.

    Raises:
        InputError: The file is missing, damaged, or neither csv, npy nor xlsx.
    """
    if not path.is_file():
        raise InputError(f"The table {path} is missing.")
    suffix = path.suffix.lower()
    try:
        if suffix == ".csv":
            with path.open(newline="", encoding="utf-8-sig") as stream:
                return [list(row) for row in csv.reader(stream)]
        if suffix == ".npy":
            return [[str(value)] for value in np.load(path, allow_pickle=False).reshape(-1).tolist()]
        if suffix == ".xlsx":
            return _xlsx_rows(path)
    except (OSError, ValueError, KeyError, UnicodeDecodeError, zipfile.BadZipFile, ElementTree.ParseError) as error:
        raise InputError(f"The table {path} cannot be read ({error}).") from error
    raise InputError(f"The table {path} is none of csv, npy, xlsx.")


def column(rows: list[list[str]], name: str, path: Path) -> tuple[int, list[str]]:
    """Values below the header ``name``: (number of the column, values); rows above the header do not count.

    Raises:
        InputError: No row has a cell with this text.
    """
    for top, row in enumerate(rows):
        cells = [cell.strip().casefold() for cell in row]
        if name.strip().casefold() in cells:
            index = cells.index(name.strip().casefold())
            return index, [below[index] if index < len(below) else "" for below in rows[top + 1 :]]
    raise InputError(f"The table {path} has no column {name!r}; its first row is {rows[0] if rows else 'empty'}.")


def _xlsx_rows(path: Path) -> list[list[str]]:
    with zipfile.ZipFile(path) as archive:
        shared: list[str] = []
        if "xl/sharedStrings.xml" in archive.namelist():
            root = ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
            shared = ["".join(t.text or "" for t in item.iter(f"{_SHEET}t")) for item in root.iter(f"{_SHEET}si")]
        sheets = sorted(name for name in archive.namelist() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name))
        sheet = ElementTree.fromstring(archive.read(sheets[0]))
    rows = []
    for row in sheet.iter(f"{_SHEET}row"):
        cells: dict[int, str] = {}
        for place, cell in enumerate(row.iter(f"{_SHEET}c")):
            cells[_column_number(cell.get("r"), place)] = _cell_text(cell, shared)
        rows.append([cells.get(index, "") for index in range(max(cells, default=-1) + 1)])
    return rows


def _column_number(reference: str | None, place: int) -> int:
    letters = re.match(r"[A-Z]+", reference or "")
    if not letters:
        return place
    number = 0
    for letter in letters.group():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _cell_text(cell: ElementTree.Element, shared: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(t.text or "" for t in cell.iter(f"{_SHEET}t"))
    value = cell.find(f"{_SHEET}v")
    text = (value.text or "") if value is not None else ""
    return shared[int(text)] if cell.get("t") == "s" else text
