"""Headers of MetaImage files: their fields, and what they say about grid and voxels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import InputError

# Longer than any header; what follows are voxels.
_LONGEST = 1 << 24
_LONGEST_LINE = 4000
_MOST_AXES, _MOST_VOXELS = 16, 1 << 40
_ORIGINS = ("Offset", "Position", "Origin")
_MATRICES = ("TransformMatrix", "Rotation", "Orientation")
# Fields with so many numbers for n axes.
_COUNTS: dict[str, Callable[[int], int]] = {
    **dict.fromkeys((*_ORIGINS, "DimSize", "CenterOfRotation", "ElementSpacing", "ElementSize"), int),
    **dict.fromkeys(_MATRICES, lambda axes: axes * axes),
}
# "LONG" has four bytes wherever the file was written, as in ITK.
_TYPES = {"CHAR": "i1", "UCHAR": "u1", "SHORT": "i2", "USHORT": "u2", "INT": "i4", "UINT": "u4", "LONG": "i4",
          "ULONG": "u4", "LONG_LONG": "i8", "ULONG_LONG": "u8", "FLOAT": "f4", "DOUBLE": "f8"}  # fmt: skip


@dataclass(frozen=True)
class MetaHeader:
    """What a header says.

    Attributes:
        size: Voxels along all axes, the fastest first.
        channels: Numbers per voxel, which change faster than all axes.
        dtype: Of one number.
        affine: (4, 4), from IJK to LPS mm.
        data: What it says about the place of its voxels: "LOCAL", "LIST", or the name of a file.
        listed: The files of a list.
        end: Length of the header in bytes.
        skip: Bytes of a data file to leave out, counted from its start; -1: all but those of the voxels.
        packed: Whether the voxels are compressed.
        is_text: Whether the voxels are written as numbers.
    """

    size: tuple[int, ...]
    channels: int
    dtype: np.dtype
    affine: np.ndarray
    data: str
    listed: tuple[str, ...]
    end: int
    skip: int
    packed: bool
    is_text: bool


def is_meta_name(path: Path) -> bool:
    """Whether a name is that of a MetaImage."""
    return path.name.lower().endswith((".mha", ".mhd"))


def read_header(path: Path) -> MetaHeader:
    """Read the header of a MetaImage.

    Raises:
        InputError: It holds what is no text, its lists do not fit its number of axes, or it lacks what voxels need.
    """
    fields, listed, end = _fields(path)
    axes = _whole(path, fields, "NDims", least=1, most=_MOST_AXES)
    numbers = {
        name: _numbers(path, name, fields[name], count(axes)) for name, count in _COUNTS.items() if name in fields
    }
    if "DimSize" not in numbers:
        raise InputError(f"{path} is damaged: it does not say how many voxels it has (DimSize).")
    size = tuple(int(number) if 1 <= number <= _MOST_VOXELS else 0 for number in numbers["DimSize"])
    if size != tuple(numbers["DimSize"]) or min(size) < 1:
        raise InputError(f"{path} is damaged: its numbers of voxels are {fields['DimSize']}.")
    if axes == 1:
        raise InputError(f"{path} has one axis; a volume has three, a picture two.")
    word = fields.get("ElementType", "")
    kind = _TYPES.get(word.upper().removeprefix("MET_").removesuffix("_ARRAY"))
    if kind is None:
        raise InputError(f"{path} cannot be used: its voxels are of the type {word!r}; a volume has real numbers.")
    order = ">" if _is_set(fields, "BinaryDataByteOrderMSB") or _is_set(fields, "ElementByteOrderMSB") else "<"
    return MetaHeader(
        size,
        _whole(path, fields, "ElementNumberOfChannels", least=1, default=1),
        np.dtype(kind).newbyteorder(order),
        _affine(path, fields, numbers, axes),
        fields["ElementDataFile"],
        listed,
        end,
        _whole(path, fields, "HeaderSize", least=-1, default=0),
        _is_set(fields, "CompressedData"),
        fields.get("BinaryData", "").upper().startswith("F"),
    )


def _fields(path: Path) -> tuple[dict[str, str], tuple[str, ...], int]:
    """The fields, the lines behind the last one where it says that files are listed, and the length of the header."""
    fields: dict[str, str] = {}
    listed: tuple[str, ...] = ()
    with path.open("rb") as file:
        while file.tell() < _LONGEST and (line := file.readline(_LONGEST_LINE + 1)):
            key, equals, value = line.partition(b"=")
            # The last line of the header: behind it, and on a damaged file within it, are voxels.
            if not equals or len(line) > _LONGEST_LINE or not _is_text(line):
                raise InputError(f"{path} is not a MetaImage file, or is damaged: its header holds what is no text.")
            name, text = key.strip().decode("latin-1"), _decoded(value.strip())
            if name in _COUNTS and not text.isascii():
                raise InputError(f"{path} is not a MetaImage file, or is damaged: its header holds what is no number.")
            fields[name] = text
            if name == "ElementDataFile":
                break
        end = file.tell()
        if fields.get("ElementDataFile", "").upper().startswith("LIST"):
            lines = [line.strip() for line in file.read(_LONGEST).splitlines()]
            if not all(map(_is_text, lines)):
                raise InputError(f"{path} is damaged: its list of files holds what is no text.")
            listed = tuple(_decoded(line) for line in lines if line)
    if not fields.get("ElementDataFile"):
        raise InputError(f"{path} is not a MetaImage file, or is damaged: it names no voxels.")
    if path.name.lower().endswith(".mha") and fields["ElementDataFile"].upper() != "LOCAL":
        raise InputError(f"{path} is damaged: its voxels are not in the file.")
    return fields, listed, end


def _affine(path: Path, fields: dict[str, str], numbers: dict[str, list[float]], axes: int) -> np.ndarray:
    spacing = numbers.get("ElementSpacing", numbers.get("ElementSize", [1.0] * axes))
    if not all(math.isfinite(length) and length > 0 for length in spacing):
        said = fields.get("ElementSpacing", fields.get("ElementSize"))
        raise InputError(f"{path} has the spacing ({said}) mm: positive numbers are needed.")
    origin = next((numbers[name] for name in _ORIGINS if name in numbers), [0.0] * axes)
    rows = next((numbers[name] for name in _MATRICES if name in numbers), np.eye(axes).ravel().tolist())
    plane = min(axes, 3)
    affine = np.eye(4)
    # Each row of the file's matrix is the direction of one axis.
    affine[:plane, :plane] = np.array(rows).reshape(axes, axes)[:plane, :plane].T * spacing[:plane]
    affine[:plane, 3] = origin[:plane]
    return affine


def _numbers(path: Path, name: str, text: str, count: int) -> list[float]:
    try:
        found = [float(word) for word in text.split()]
    except ValueError:
        found = []
    if len(found) != count:
        raise InputError(f"{path} is damaged: {name} in its header does not fit its number of axes.")
    return found


def _whole(
    path: Path, fields: dict[str, str], name: str, *, least: int, most: int = 1 << 31, default: int | None = None
) -> int:
    text = fields.get(name, "" if default is None else str(default))
    if not (text.isascii() and text.removeprefix("-").isdigit() and least <= int(text) <= most):
        raise InputError(f"{path} is damaged, or not an image: {name} in its header is {text[:40]!r}.")
    return int(text)


def _is_set(fields: dict[str, str], name: str) -> bool:
    return fields.get(name, "").upper().startswith(("T", "1"))


def _is_text(line: bytes) -> bool:
    # Of whatever encoding: no control characters but tabs and the end of the line.
    return not any(byte < 32 and byte not in b"\t\r\n" for byte in line)


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
