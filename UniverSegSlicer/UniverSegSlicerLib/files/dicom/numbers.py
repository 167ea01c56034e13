"""Numbers of a DICOM header: as many as there should be, finite, and named as the standard does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from .opening import library

# Nothing in a scanner is as far away, as large or as steep; beyond, arithmetic in float32 breaks down.
_LARGEST = 1e9


def numbers(dataset: Any, keyword: str, count: int | None, path: Path) -> tuple[float, ...] | None:
    """The numbers of an element.

    Args:
        dataset: A data set, or an item of a sequence.
        keyword: Of the element.
        count: How many it must have; None for any number.
        path: The file, for the error.

    Returns:
        None where the element is absent or empty.

    Raises:
        InputError: Another count, something that is no number, or a number that is not finite or beyond 1e9.
    """
    if dataset is None or keyword not in dataset:
        return None
    try:
        value = dataset[keyword].value
    except Exception as error:  # pydicom raises by the kind of damage
        raise _senseless(path, keyword, "something that is no number") from error
    if value is None or value == "" or (not isinstance(value, str | int | float) and len(value) == 0):
        return None
    parts = [value] if isinstance(value, str | int | float) or not hasattr(value, "__len__") else list(value)
    try:
        found = tuple(float(part) for part in parts)
    except (TypeError, ValueError) as error:
        raise _senseless(path, keyword, _shown(parts)) from error
    if (count is not None and len(found) != count) or not all(abs(number) <= _LARGEST for number in found):
        raise _senseless(path, keyword, _shown(parts))
    return found


def number(dataset: Any, keyword: str, path: Path) -> float | None:
    """The one number of an element; see :func:`numbers`."""
    found = numbers(dataset, keyword, 1, path)
    return None if found is None else found[0]


def length(dataset: Any, keyword: str, path: Path) -> float | None:
    """A length in mm that can be done without; None where it is absent, not positive, or no number."""
    try:
        found = number(dataset, keyword, path)
    except InputError:
        return None
    return found if found is not None and found > 0 else None


def lengths(dataset: Any, keyword: str, path: Path) -> tuple[float, float] | None:
    """Two lengths in mm, which are no lengths where one is not positive.

    Raises:
        InputError: See :func:`numbers`; or one of them is not positive.
    """
    found = numbers(dataset, keyword, 2, path)
    if found is None:
        return None
    if min(found) <= 0:
        raise _senseless(path, keyword, _shown(list(found)))
    return found[0], found[1]


def directions(dataset: Any, keyword: str, path: Path) -> np.ndarray | None:
    """The directions of a slice's rows and columns as an array (2, 3) of perpendicular unit vectors, LPS.

    Raises:
        InputError: See :func:`numbers`; or they are not unit vectors, or not perpendicular.
    """
    found = numbers(dataset, keyword, 6, path)
    if found is None:
        return None
    row, column = np.array(found[:3]), np.array(found[3:])
    sizes = np.linalg.norm(row), np.linalg.norm(column)
    # Headers are rounded, some to two digits.
    if max(abs(size - 1) for size in sizes) > 2e-2 or abs(row @ column) > 5e-3:
        raise _senseless(path, keyword, _shown(list(found)))
    row = row / sizes[0]
    column = column - (column @ row) * row
    return np.stack([row, column / np.linalg.norm(column)])


def _senseless(path: Path, keyword: str, what: str) -> InputError:
    name = library().datadict.dictionary_description(keyword)
    return InputError(f"{path} cannot be used: its {name} is {what}.")


def _shown(values: list[Any]) -> str:
    text = "\\".join(f"{value:.6g}" if isinstance(value, float) else str(value) for value in values)
    return repr(text if len(text) <= 60 else f"{text[:57]}...").replace("\\\\", "\\")
