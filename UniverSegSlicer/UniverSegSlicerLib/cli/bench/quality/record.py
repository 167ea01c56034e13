"""The raw numbers of a run: one line of CSV per measurement, written at once, so that a run can be taken up again."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ....errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class Score:
    """One method on one structure of one volume with some slices marked.

    Attributes:
        dataset, volume: The scan.
        label: The label value.
        name: Its name.
        placement: "even", "uneven" or "one end".
        marks: How many slices were asked to be marked.
        method: What was measured.
        model: The network's name and the first digits of its SHA-256; empty for methods without one.
        dice: On the unmarked slices, 0 to 1.
        hd95_mm: 95 % Hausdorff distance there; infinite where nothing was found.
        surface_dice: Within one voxel (its longest side), 0 to 1.
        seconds: Time taken.
    """

    dataset: str
    volume: str
    label: int
    name: str
    placement: str
    marks: int
    method: str
    model: str
    dice: float
    hd95_mm: float
    surface_dice: float
    seconds: float

    @property
    def case(self) -> tuple[str, str, int]:
        """Volume and label."""
        return self.dataset, self.volume, self.label

    @property
    def place(self) -> tuple[object, ...]:
        """The case with its marks."""
        return (*self.case, self.placement, self.marks)

    @property
    def key(self) -> tuple[object, ...]:
        """What a second measurement of the same would share."""
        return (*self.place, self.method, self.model)


@dataclass(frozen=True)
class Bin:
    """Confidence and truth of the voxels of one case whose probability lies in one bin.

    Attributes:
        dataset, volume, label, placement, marks, model: The case.
        low: Lower edge of the bin of the probability that the structure is there.
        voxels: How many there are.
        probability: Sum of their probabilities.
        inside: How many of them are in the true structure.
    """

    dataset: str
    volume: str
    label: int
    placement: str
    marks: int
    model: str
    low: float
    voxels: int
    probability: float
    inside: int

    @property
    def key(self) -> tuple[object, ...]:
        """The case."""
        return (self.dataset, self.volume, self.label, self.placement, self.marks, self.model)


@dataclass(frozen=True)
class Extra:
    """Dice after more slices were marked, as suggested or evenly.

    Attributes:
        dataset, volume, label: The case.
        model: The network.
        start: Slices marked at first, evenly.
        extra: Slices marked after that.
        before, suggested, even: Dice on the slices that stay unmarked in both ways: before, after the suggested ones,
            after as many in the middles of the longest unmarked stretches.
    """

    dataset: str
    volume: str
    label: int
    model: str
    start: int
    extra: int
    before: float
    suggested: float
    even: float

    @property
    def key(self) -> tuple[object, ...]:
        """What a second measurement of the same would share."""
        return (self.dataset, self.volume, self.label, self.model, self.start, self.extra)


Row = TypeVar("Row", bound="DataclassInstance")


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """The rows of a file; none where it is not there. A last line that was cut off is left out.

    Raises:
        InputError: The file is of another kind.
    """
    if not path.is_file():
        return []
    names = [field.name for field in fields(kind)]
    types = {field.name: {"int": int, "float": float, "str": str}[str(field.type)] for field in fields(kind)}
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        if next(lines, names) != names:
            raise InputError(f"{path} does not have the columns {', '.join(names)}; name another output folder.")
        whole = [line for line in lines if len(line) == len(names)]
    return [kind(**{name: types[name](text) for name, text in zip(names, line, strict=True)}) for line in whole]


def append_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write rows behind those of a file, with a heading where it is new."""
    rows = list(rows)
    if not rows:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.is_file()
    if not new:
        _end_last_line(path)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(rows[0])], lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def replace_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write a file anew."""
    path.unlink(missing_ok=True)
    append_rows(path, rows)


def _end_last_line(path: Path) -> None:
    """Drop what a killed run left of a line."""
    text = path.read_bytes()
    if text and not text.endswith(b"\n"):
        path.write_bytes(text[: text.rfind(b"\n") + 1])
