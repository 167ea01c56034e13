"""The names file: which label value which segment has in every file of a series. People edit it in spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...writing import replacing

#: Columns of the names file: those of Slicer's colour table files, so that Slicer loads it as one.
COLUMNS = ("LabelValue", "Name", "Color_R", "Color_G", "Color_B", "Color_A")
_LARGEST_VALUE = np.iinfo(np.uint16).max
_GREY = (128, 128, 128)


@dataclass(frozen=True)
class LabelName:
    """One line of a names file; the colour is (r, g, b) in 0 to 255, ``more`` are columns that somebody added."""

    value: int
    name: str
    colour: tuple[int, int, int] = _GREY
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NamesFile:
    """What a names file holds.

    Attributes:
        lines: In the order of the file.
        delimiter: What stands between columns: Excel writes semicolons where the decimal sign is a comma.
        encoding: Of the text; with a mark at its start where the file had one, without which Excel garbles letters.
        more: Columns that somebody added.
    """

    lines: tuple[LabelName, ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"
    more: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, int]:
        """Name to label value."""
        return {line.name: line.value for line in self.lines}

    def extended(self, lines: Sequence[LabelName]) -> NamesFile:
        """With the lines of an export, which take the place of those of the same names."""
        before = {line.name: line for line in self.lines}
        new = [replace(line, more=before[line.name].more) if line.name in before else line for line in lines]
        taken = {line.name for line in lines}
        return replace(self, lines=(*(line for line in self.lines if line.name not in taken), *new))


def assign_values(names: Sequence[str], known: NamesFile, path: Path) -> dict[str, int]:
    """Label values for ``names``: the known one, or the next above every value in use.

    Raises:
        InputError: The file gives one of them 0, which is the background; no value up to 65535 is left.
    """
    given = known.values
    values: dict[str, int] = {}
    largest = max([0, *given.values()])
    for name in names:
        if name in given:
            values[name] = given[name]
        else:
            largest += 1
            values[name] = largest
        if values[name] == 0:
            raise InputError(
                f"{path} gives '{name}' the value 0, which is the background: give it another whole number from 1 to "
                f"{_LARGEST_VALUE}."
            )
    if largest > _LARGEST_VALUE:
        raise InputError(f"The names file leaves no label value up to {_LARGEST_VALUE} for a new name.")
    return values


def read_names(path: Path) -> NamesFile:
    """Read a names file, also as a spreadsheet program left it; an empty one when it does not exist.

    Columns may be divided by commas, semicolons or tabs, the text be UTF-8, UTF-16 or Windows-1252, numbers carry
    zeros after a comma or point, and columns of colours be missing.

    Raises:
        InputError: It is there but is not a table with the columns LabelValue and Name, holds a value that is no label
            (0 to 65535), or repeats a value or a name.
    """
    if not path.is_file():
        return NamesFile()
    try:
        text, encoding = _decoded(path.read_bytes())
        # Excel's own first line, which names the delimiter.
        first, _, rest = text.partition("\n")
        stated = first.strip().strip('"').lower().startswith("sep=")
        delimiter = _delimiter(rest.partition("\n")[0] if stated else first)
        reader = csv.DictReader(io.StringIO(rest if stated else text, newline=""), delimiter=delimiter, strict=True)
        columns = {(name or "").strip().casefold(): name for name in reader.fieldnames or ()}
        used = [columns.get(name.casefold()) for name in COLUMNS]
        if used[0] is None or used[1] is None:
            raise ValueError(
                f"it has the columns {', '.join(name for name in columns.values() if name) or 'of nothing'}"
            )
        more = tuple(name for name in reader.fieldnames or () if name and name not in used)
        lines = tuple(
            _line(row, used, more) for row in reader if any(_cell(row, name) for name in reader.fieldnames or ())
        )
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path} is not a names file (columns {', '.join(COLUMNS)}): {error}. Move it away or choose another one."
        ) from error
    for what in ("value", "name"):
        found = [getattr(line, what) for line in lines]
        twice = next((each for each in found if found.count(each) > 1), None)
        if twice is not None:
            raise InputError(f"{path} has the {what} {twice!r} twice: correct it or choose another one.")
    return NamesFile(lines, delimiter, encoding, more)


def write_names(path: Path, names: NamesFile) -> None:
    """Write a names file, whole or not at all, divided and encoded as it was read."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding=names.encoding) as file:
        writer = csv.writer(file, delimiter=names.delimiter)
        writer.writerow([*COLUMNS, *names.more])
        for line in sorted(names.lines, key=lambda each: each.value):
            writer.writerow(
                [line.value, line.name, *line.colour, 255, *(line.more.get(name, "") for name in names.more)]
            )


def _decoded(data: bytes) -> tuple[str, str]:
    """The text of a file, and the encoding to write it in again."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16"), "utf-16"
    if data.startswith(b"\xef\xbb\xbf"):
        return data.decode("utf-8-sig"), "utf-8-sig"
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        # Excel's plain CSV on a Western Windows; written again so that every letter has its place.
        return data.decode("cp1252"), "utf-8-sig"


def _delimiter(header: str) -> str:
    return max((",", ";", "\t"), key=header.count)


def _line(row: Mapping[str, str | None], used: Sequence[str | None], more: Sequence[str]) -> LabelName:
    value, name, *colour = (_cell(row, each) for each in used)
    if not name:
        raise ValueError(f"the value {value!r} has no name")
    number = _whole(value, f"the value of '{name}'")
    if not 0 <= number <= _LARGEST_VALUE:
        raise ValueError(f"the value {number} of '{name}' is not one of 0 to {_LARGEST_VALUE}")
    shades = tuple(
        min(255, max(0, _whole(cell, f"the colour of '{name}'"))) if cell else grey
        for cell, grey in zip(colour, _GREY, strict=False)
    )
    return LabelName(number, name, (shades[0], shades[1], shades[2]), {each: _cell(row, each) for each in more})


def _cell(row: Mapping[str, str | None], column: str | None) -> str:
    return str(row.get(column) or "").strip() if column is not None else ""


def _whole(text: str, what: str) -> int:
    """A whole number as spreadsheets write it: "7", "7.0", "7,00"."""
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        raise ValueError(f"{what}, {text!r}, is not a whole number") from None
    if not number.is_integer():
        raise ValueError(f"{what}, {text!r}, is not a whole number")
    return int(number)
