"""Segments as NIfTI files on the volume's grid, with label values that stay the same from case to case."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, OutputError
from ...imaging import save_label_map
from ...writing import all_or_none
from ..interface import ExportReport
from .grid import Part, box_slices
from .names import LabelName, assign_values, read_names, write_names
from .segments import check_segmentation, read_part, segment_ids, segment_name
from .volumes import check_volume, geometry_for_files, grid_size

NAMES_FILE = "labels.csv"


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
    volume is part of the grid in the file, since files have no parents; one that they cannot hold (a warp, a shear) is
    left out, as Slicer leaves it out when it saves the volume, and the report says so.

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
    values = assign_values(names, known, table)
    geometry, note = geometry_for_files(volume)
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
        write_names(names_beside, known.extended(lines))
    return ExportReport(label_map, table, singles, values, overlap, note)


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
