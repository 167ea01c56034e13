"""The small languages that the values of options are written in."""

from __future__ import annotations

from ...errors import InputError
from ...imaging import AXES


def parse_numbers(text: str | None, option: str) -> list[int] | None:
    """Read ``"1,3"`` as [1, 3]; None stays None.

    Raises:
        InputError: Something else than whole numbers of at least 0 with commas between.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise InputError(f"{option} {text!r} is not a list of whole numbers such as 1,3.")
    return sorted({int(part) for part in parts})


def parse_names(text: str | None, option: str) -> dict[int, str]:
    """Read ``"1=liver,2=spleen"`` as {1: "liver", 2: "spleen"}; None is empty.

    Raises:
        InputError: Something else.
    """
    names: dict[int, str] = {}
    for part in text.split(",") if text is not None else []:
        value, equals, name = (piece.strip() for piece in part.partition("="))
        if not (equals and name and value.isascii() and value.isdigit() and int(value) > 0):
            raise InputError(f"{option} {text!r} is not a list of names such as 1=liver,2=spleen.")
        names[int(value)] = name
    return names


def parse_range(text: str | None, option: str) -> tuple[int, int] | None:
    """Read ``"20:80"`` as (20, 80): first and last slice, both included; None stays None.

    Raises:
        InputError: Something else, or an empty range.
    """
    if text is None:
        return None
    first, colon, last = text.partition(":")
    if not (colon and first.strip().isdigit() and last.strip().isdigit()):
        raise InputError(f"{option} {text!r} is not a range of slices such as 20:80.")
    if int(first) > int(last):
        raise InputError(f"{option} {text!r} is empty: the first slice comes after the last.")
    return int(first), int(last)


def parse_slice(text: str, option: str) -> tuple[str, int]:
    """Read ``"k:57"`` as ("k", 57).

    Raises:
        InputError: Something else.
    """
    axis, colon, index = text.partition(":")
    axis = axis.strip().lower()
    if axis not in AXES or not colon or not index.strip().isdigit():
        raise InputError(f"{option} {text!r} is not a slice such as k:57 (axis i, j or k, then the index).")
    return axis, int(index)


def parse_point(text: str, axis: str, index: int, option: str) -> tuple[int, int]:
    """Read a voxel of the slice ``axis:index`` as (row, col) of that slice's array.

    Args:
        text: The voxel's I, J, K indices without the slice's own (``"120,88"`` on a k slice is I=120, J=88), or all
            three of them.
        axis: "i", "j" or "k".
        index: Of the slice.
        option: Its name, for the error.

    Raises:
        InputError: Not two or three numbers, or three that are not on the slice.
    """
    others = [name for name in AXES if name != axis]
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts) or len(parts) not in (2, 3):
        raise InputError(f"{option} {text!r} is not a voxel such as 120,88 ({others[0].upper()},{others[1].upper()}).")
    numbers = [int(part) for part in parts]
    if len(numbers) == 3:
        own = numbers.pop(AXES.index(axis))
        if own != index:
            raise InputError(f"{option} {text!r} is not on the slice {axis}:{index}.")
    first, second = numbers
    # Arrays are (K, J, I): of the two remaining axes the later letter makes the rows.
    return second, first
