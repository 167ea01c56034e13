"""Voxels in files of their own, one or many, as the headers of NRRD and MetaImage name them, and voxels as text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError

# More files than the slices of any volume.
_MOST_FILES = 1 << 16
# Numbered names, as C's printf writes them, with the first number, the last, the step, and how many axes each holds.
_NUMBERED = re.compile(r"([^%]*)%(0?)(\d{0,2})d([^%]*?)\s+(-?\d{1,9})\s+(-?\d{1,9})(?:\s+(-?\d{1,9}))?(?:\s+(\d+))?")
_LIST = re.compile(r"LIST(?:\s+(\d+)D?)?", re.IGNORECASE)


def data_files(header: Path, name: str, listed: Sequence[str]) -> list[Path]:
    """The files that hold the voxels of a header, in the order of their voxels.

    Args:
        header: The file with the header, for the errors; names are looked up beside it.
        name: A file's name; ``slice%03d.raw 1 20 1``; or LIST, for the names that follow.
        listed: These.

    Raises:
        InputError: One of them is missing.
    """
    if _LIST.fullmatch(name):
        return [_beside(header, each) for each in listed] or _nothing(header)
    numbered = _NUMBERED.fullmatch(name)
    if numbered is None or _found(header, name) is not None:
        return [_beside(header, name)]
    before, zero, width, behind, first, last, step, _ = numbered.groups()
    by = int(step or 1)
    numbers = range(int(first), int(last) + (1 if by > 0 else -1), by) if by else range(0)
    if not 0 < len(numbers) <= _MOST_FILES:
        raise InputError(f"{header} is damaged: it names {len(numbers)} data files ({name}).")
    return [_beside(header, f"{before}{number:{zero}{width or 1}d}{behind}") for number in numbers]


def slab_axes(header: Path, name: str, axes: int) -> int:
    """How many axes each of several files holds: all but the last, unless the header says it.

    Raises:
        InputError: More than there are.
    """
    listed, numbered = _LIST.fullmatch(name), _NUMBERED.fullmatch(name)
    said = listed[1] if listed else numbered[8] if numbered else None
    found = axes - 1 if said is None else int(said)
    if not 1 <= found <= axes:
        raise InputError(f"{header} is damaged: its data files are said to hold {found} of {axes} axes.")
    return found


def check_count(header: Path, files: int, size: Sequence[int], axes: int) -> None:
    """Compare the number of files with the number of voxels.

    Args:
        header: For the error.
        files: How many there are.
        size: Voxels along all axes, the fastest first.
        axes: How many of them each file holds; with all of them, the files share the last one evenly.

    Raises:
        InputError: They do not fit.
    """
    wanted = math.prod(size[axes:]) if axes < len(size) else files
    if files != wanted or math.prod(size) % files or (axes == len(size) and size[-1] % files):
        raise InputError(f"{header} is damaged: it names {files} data files for {' x '.join(map(str, size))} voxels.")


def numbers_from_text(source: Path, start: int, dtype: np.dtype, count: int) -> np.ndarray:
    """``count`` numbers that are written out from byte ``start`` on, as the bytes of a type.

    Raises:
        InputError: What stands there is no number, or too little.
    """
    with source.open("rb") as file:
        file.seek(start)
        words = file.read().replace(b",", b" ").split()[:count]
    try:
        # By way of Python's numbers: those of 64 bits are not all numbers of float64.
        values = np.array([float(word) for word in words] if dtype.kind == "f" else [int(word) for word in words])
        found = values.astype(dtype)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{source} is damaged: its voxels are no numbers.") from error
    if len(found) < count:
        raise InputError(f"{source} is cut off: {len(found)} of {count} voxels are there.")
    return found.view(np.uint8)


def _beside(header: Path, name: str) -> Path:
    found = _found(header, name)
    if found is None:
        raise InputError(f"{header} is a header only: its data file {name} is missing.")
    return found


def _found(header: Path, name: str) -> Path | None:
    # A header that was written on Windows may name a file in a folder.
    for each in dict.fromkeys((name, name.replace("\\", "/"))):
        if (header.parent / each).is_file():
            return header.parent / each
    return None


def _nothing(header: Path) -> list[Path]:
    raise InputError(f"{header} is damaged: its list of data files is empty.")
