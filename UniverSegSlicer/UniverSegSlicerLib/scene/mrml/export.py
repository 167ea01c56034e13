"""Segments as NIfTI files on the volume's grid, with label values that stay the same from case to case."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, OutputError
from ...imaging import save_label_map
from ...writing import all_or_none, replacing
from ..interface import ExportReport
from .grid import Part, box_slices
from .segments import check_segmentation, read_part, segment_ids, segment_name
from .volumes import check_volume, geometry_of, grid_size

#: Columns of the names file: those of Slicer's colour table files, so that Slicer loads it as one.
COLUMNS = ("LabelValue", "Name", "Color_R", "Color_G", "Color_B", "Color_A")
NAMES_FILE = "labels.csv"
_LARGEST_VALUE = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class LabelName:
    """One line of a names file; the colour is (r, g, b) in 0 to 255."""

    value: int
    name: str
    colour: tuple[int, int, int]


def export_nifti(
    volume: Any,
    segmentation: Any,
    folder: str | Path,
    *,
    name: str = "",
    chosen: tuple[str, ...] | None = None,
    single_files: bool = False,
    names_file: str | Path | None = None,
) -> ExportReport:
    """Write segments as one label map (``.nii.gz``, uint16) on the volume's grid, and the names file.

    A name that the names file already has keeps its value, a new name gets the next free one: every case of a series
    that is exported with the same names file has the same value for the same structure. The parent transform of the
    volume is part of the grid in the file when it is linear, since files have no parents.

    Args:
        volume: The volume node that gives the grid.
        segmentation: The segmentation node.
        folder: Where to write; made when it is missing.
        name: File name without ending; "" takes the segmentation's name.
        chosen: Ids of the segments, None for all.
        single_files: Also write one 0/1 file per segment.
        names_file: The CSV to use and extend; None for ``labels.csv`` in ``folder``.

    Raises:
        InputError: Nodes that cannot be used, two segments of one name, or a names file that is none.
        OutputError: The folder cannot be written to; every file is as it was.
    """
    check_volume(volume)
    check_segmentation(segmentation)
    ids = list(chosen) if chosen is not None else segment_ids(segmentation)
    names = [segment_name(segmentation, each) for each in ids]
    _check_names(names)
    folder = Path(folder)
    table = Path(names_file) if names_file is not None else folder / NAMES_FILE
    known = read_names(table)
    values = assign_values(names, {line.name: line.value for line in known})
    geometry = geometry_of(volume, world=True)
    labels = np.zeros(grid_size(volume)[::-1], np.uint16)
    parts: dict[str, Part | None] = {}
    overlap = 0
    for segment_id, label in zip(ids, names, strict=True):
        part = parts[label] = read_part(segmentation, segment_id, volume)
        if part is None:
            continue
        target = labels[box_slices(part.extent)]
        inside = part.array > 0
        overlap += int(np.count_nonzero(target[inside]))
        target[inside] = values[label]
    stem = safe_name(name or segmentation.GetName())
    label_map = folder / f"{stem}.nii.gz"
    singles = _single_paths(folder, stem, values) if single_files else ()
    lines = [
        LabelName(values[label], label, _colour(segmentation, each)) for each, label in zip(ids, names, strict=True)
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written to: {error.strerror or error}. Choose another folder."
        ) from error
    with all_or_none(label_map, *singles, table, endings=(".nii.gz",)) as besides:
        whole, *parts_beside, names_beside = (path for path in besides if path is not None)
        save_label_map(whole, labels, geometry)
        for path, label in zip(parts_beside, names, strict=False):
            save_label_map(path, _whole(parts[label], volume), geometry)
        write_names(names_beside, [line for line in known if line.name not in values] + lines)
    return ExportReport(label_map, table, singles, values, overlap)


def assign_values(names: list[str], known: dict[str, int]) -> dict[str, int]:
    """Label values for ``names``: the known one, or the next above every value in use.

    Raises:
        InputError: No value up to 65535 is left.
    """
    values: dict[str, int] = {}
    largest = max(known.values(), default=0)
    for name in names:
        if name in known:
            values[name] = known[name]
        else:
            largest += 1
            values[name] = largest
    if largest > _LARGEST_VALUE:
        raise InputError(f"The names file leaves no label value up to {_LARGEST_VALUE} for a new name.")
    return values


def read_names(path: Path) -> list[LabelName]:
    """The lines of a names file; none when it does not exist.

    Raises:
        InputError: It is there but is not a table with the columns LabelValue and Name, or repeats a value or a name.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        lines = [
            LabelName(
                int(row["LabelValue"]), row["Name"], (int(row["Color_R"]), int(row["Color_G"]), int(row["Color_B"]))
            )
            for row in rows
        ]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path} is not a names file (columns {', '.join(COLUMNS)}): {error}. Move it away or choose another one."
        ) from error
    for field in ("value", "name"):
        found = [getattr(line, field) for line in lines]
        twice = next((each for each in found if found.count(each) > 1), None)
        if twice is not None:
            raise InputError(f"{path} has the {field} {twice!r} twice: correct it or choose another one.")
    return lines


def write_names(path: Path, lines: list[LabelName]) -> None:
    """Write a names file, whole or not at all."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for line in sorted(lines, key=lambda each: each.value):
            writer.writerow([line.value, line.name, *line.colour, 255])


def safe_name(name: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "segmentation"


def _single_paths(folder: Path, stem: str, values: dict[str, int]) -> tuple[Path, ...]:
    safe = {name: safe_name(name).casefold() for name in values}
    taken = list(safe.values())
    # Names that differ only in what files cannot hold (or in case, on Windows) are told apart by their value.
    unique = {
        name: f"{safe_name(name)}_{values[name]}" if taken.count(safe[name]) > 1 else safe_name(name) for name in values
    }
    return tuple(folder / f"{stem}_{unique[name]}.nii.gz" for name in values)


def _check_names(names: list[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"Two segments are called '{twice}': rename one, a label value belongs to one name.")


def _colour(segmentation: Any, segment_id: str) -> tuple[int, int, int]:
    red, green, blue = segmentation.GetSegmentation().GetSegment(segment_id).GetColor()
    return round(red * 255), round(green * 255), round(blue * 255)


def _whole(part: Part | None, volume: Any) -> np.ndarray:
    array = np.zeros(grid_size(volume)[::-1], np.uint8)
    if part is not None:
        array[box_slices(part.extent)] = part.array
    return array
