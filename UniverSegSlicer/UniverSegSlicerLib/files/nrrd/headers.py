"""Headers of NRRD files: their fields, and what they say about grid and voxels.

Source: https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ..grids import LPS_RAS

_MARK = b"NRRD"
# Longer than any header, even that of a segmentation with thousands of segments; what follows are voxels.
_LONGEST = 1 << 24
_MOST_AXES = 16
_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "signed long long int"), "i8"),
    **dict.fromkeys(("int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}  # fmt: skip
# NRRD fields with one word or number per axis.
_PER_AXIS = ("sizes", "spacings", "thicknesses", "axis mins", "axismins", "axis maxs", "axismaxs", "centers",
             "centerings", "kinds")  # fmt: skip
_VECTOR = re.compile(r"\([^()]*\)|none")
# The last field of a header whose voxels are in the files that follow.
_LISTED = re.compile(r"data ?file:\s*LIST(\s+\d+)?\s*$", re.IGNORECASE)
_SPATIAL_KINDS = ("domain", "space", "???", "none")
# Spaces whose axes are not LPS; other names, and none, are taken for LPS, as ITK does.
_SPACES = {
    **dict.fromkeys(("right-anterior-superior", "ras"), LPS_RAS),
    **dict.fromkeys(("left-anterior-superior", "las"), np.diag([1.0, -1.0, 1.0, 1.0])),
    **dict.fromkeys(("right-anterior-superior-time", "rast"), LPS_RAS),
    **dict.fromkeys(("left-anterior-superior-time", "last"), np.diag([1.0, -1.0, 1.0, 1.0])),
}


@dataclass(frozen=True)
class NrrdHeader:
    """What a header says.

    Attributes:
        fields: As pynrrd gives them, and key-value pairs as text.
        sizes: Voxels along all axes, the fastest first.
        spatial: Numbers of the two or three axes of the grid.
        kinds: What the axes are ("domain", "list", "time", ...), "???" where nothing is said.
        affine: (4, 4), from IJK to LPS mm.
        dtype: Of one number; None for a type that cannot be used.
        data_file: What it says about the files that hold the voxels; None: they are behind the header.
        listed: Their names, where it says LIST.
        end: Length of the header in bytes, the blank line included.
    """

    fields: dict[str, Any]
    sizes: tuple[int, ...]
    spatial: tuple[int, ...]
    kinds: tuple[str, ...]
    affine: np.ndarray
    dtype: np.dtype | None
    data_file: str | None
    listed: tuple[str, ...]
    end: int

    @property
    def encoding(self) -> str:
        """How the voxels are written: "raw", "gzip", "bzip2", or another word of the file's."""
        word = str(self.fields.get("encoding", "")).lower()
        return {"gz": "gzip", "bz2": "bzip2"}.get(word, word)


def is_nrrd(path: Path) -> bool:
    """Whether a file carries the mark of NRRD, or is named so."""
    with path.open("rb") as file:
        return file.read(len(_MARK)) == _MARK or is_nrrd_name(path)


def is_nrrd_name(path: Path) -> bool:
    """Whether a name is that of a NRRD file."""
    return path.name.lower().endswith((".nrrd", ".nhdr"))


def read_header(path: Path) -> NrrdHeader:
    """Read the header of a NRRD file.

    Raises:
        InputError: It is damaged, or its axes are none that a volume has.
    """
    import nrrd

    with path.open("rb") as file:
        if file.read(len(_MARK)) != _MARK:
            raise InputError(f"{path} is not a NRRD file: it does not begin with the word NRRD.")
        file.seek(0)
        lines, end = _lines(file)
    last = next((n for n, line in enumerate(lines, 1) if _LISTED.match(line)), len(lines))
    lines, listed = lines[:last], tuple(line.strip() for line in lines[last:])
    pairs = dict(_pair(line) for line in lines if ":=" in line)
    # Key-value pairs are looked at here: pynrrd would mistake a key that is named as a field for the field.
    told = [line for line in lines if ":=" not in line]
    for line in told[1:]:
        name, colon, value = line.partition(":")
        _check_axes(path, told, name.strip().lower(), value.strip() if colon else "")
    try:
        fields = dict(nrrd.read_header(iter([*told, ""])))
        header = _understood(path, fields, listed, end)
    except InputError:
        raise
    except Exception as error:
        # pynrrd lets through whatever its conversions raise; all of it means the same to the user.
        raise InputError(f"{path} is damaged: its header is not that of a NRRD file.") from error
    header.fields.update(pairs)
    return header


def _lines(file: Any) -> tuple[list[str], int]:
    lines: list[str] = []
    end = 0
    while end < _LONGEST and (line := file.readline(_LONGEST)):
        end += len(line)
        text = _text(line).rstrip("\r\n")
        if not text.strip():
            break
        if not text.startswith("#"):
            lines.append(text)
    return lines, end


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":=")
    return key.strip(), value.strip().replace("\\n", "\n").replace("\\\\", "\\")


def _check_axes(path: Path, lines: list[str], name: str, value: str) -> None:
    """Refuse a list that is longer or shorter than the number of axes."""
    if name not in (*_PER_AXIS, "space directions"):
        return
    text = next((line.partition(":")[2].strip() for line in lines if line.lower().startswith("dimension:")), "")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_AXES):
        raise InputError(f"{path} is damaged, or not an image: its number of axes is {text!r}.")
    axes = int(text)
    if name == "space directions":
        fits = len(_VECTOR.findall(value)) == axes and not _VECTOR.sub("", value).strip()
    else:
        fits = len(value.split()) == axes
    if not fits:
        raise InputError(f"{path} is damaged: {name} in its header does not fit its {axes} axes.")


def _understood(path: Path, fields: dict[str, Any], listed: tuple[str, ...], end: int) -> NrrdHeader:
    sizes = tuple(int(number) for number in fields["sizes"])
    if len(sizes) != int(fields["dimension"]) or min(sizes) < 1:
        raise InputError(f"{path} is damaged: its numbers of voxels are {sizes}.")
    kinds = tuple(str(kind).lower() for kind in fields.get("kinds", ["???"] * len(sizes)))
    spatial = _spatial(path, fields, sizes, kinds)
    word = str(fields.get("type", "")).lower()
    dtype = np.dtype(_TYPES[word]) if word in _TYPES else None
    encoding = str(fields.get("encoding", "")).lower()
    if dtype is not None and dtype.itemsize > 1 and encoding in ("raw", "gzip", "gz", "bzip2", "bz2"):
        order = {"little": "<", "big": ">"}.get(str(fields.get("endian", "")).lower())
        if order is None:
            raise InputError(f"{path} cannot be used: it does not say the byte order of its voxels (endian: little).")
        dtype = dtype.newbyteorder(order)
    data_file = fields.get("data file", fields.get("datafile"))
    return NrrdHeader(
        fields,
        sizes,
        spatial,
        kinds,
        _affine(fields, spatial),
        dtype,
        None if data_file is None else str(data_file),
        listed,
        end,
    )


def _spatial(path: Path, fields: dict[str, Any], sizes: tuple[int, ...], kinds: tuple[str, ...]) -> tuple[int, ...]:
    directions = fields.get("space directions")
    if directions is not None:
        axes = [number for number, row in enumerate(directions) if row is not None and not np.isnan(row).all()]
    else:
        axes = [number for number, kind in enumerate(kinds) if kind in _SPATIAL_KINDS]
    axes = axes[:3]  # further ones are time or the like, as in NIfTI
    if len(axes) not in (2, 3):
        raise InputError(f"{path} has {len(axes)} axes in space of {len(sizes)}; a volume has three, a picture two.")
    return tuple(axes)


def _affine(fields: dict[str, Any], spatial: tuple[int, ...]) -> np.ndarray:
    affine = np.eye(4)
    directions, origin = fields.get("space directions"), fields.get("space origin")
    if directions is not None:
        for column, axis in enumerate(spatial):
            vector = np.asarray(directions[axis], float)
            affine[: len(vector), column] = 0.0
            affine[: len(vector[:3]), column] = vector[:3]
        if origin is not None:
            affine[: len(origin[:3]), 3] = origin[:3]
        return _SPACES.get(str(fields.get("space", "")).lower(), np.eye(4)) @ affine
    spacings = fields.get("spacings")
    mins = fields.get("axis mins", fields.get("axismins"))
    centers = fields.get("centerings", fields.get("centers"))
    for column, axis in enumerate(spatial):
        spacing = math.nan if spacings is None else float(spacings[axis])
        affine[column, column] = spacing if math.isfinite(spacing) else 1.0
        least = math.nan if mins is None else float(mins[axis])
        if math.isfinite(least) and math.isfinite(spacing):
            inside = 0.0 if centers is not None and str(centers[axis]).lower() == "node" else 0.5
            affine[column, 3] = least + inside * spacing
    return affine
