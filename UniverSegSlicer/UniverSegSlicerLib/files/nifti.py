"""What ITK does not say about a NIfTI file: missing data, impossible spacing, nothing but NaN.

ITK reads a truncated NIfTI file without an error (the missing voxels are whatever the memory held), replaces a zero
spacing by 1 mm, and NaN and infinity by 0, all in silence. So they are looked for here before ITK sees the file.
Source: the NIfTI-1 and NIfTI-2 headers, https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h and nifti2.h
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from ..errors import InputError

_CHUNK = 1 << 20
# Bytes of header and extensions; nobody has more.
_FARTHEST = 1 << 30
_FLOATS = {16: "f4", 64: "f8"}  # by NIfTI datatype code


class _Layout(NamedTuple):
    """Where the fields stand that are looked at: (offset, struct code)."""

    size: int
    dim: tuple[int, str]
    datatype: tuple[int, str]
    bitpix: tuple[int, str]
    pixdim: tuple[int, str]
    vox_offset: tuple[int, str]


_LAYOUTS = {
    348: _Layout(348, (40, "8h"), (70, "h"), (72, "h"), (76, "8f"), (108, "f")),
    540: _Layout(540, (16, "8q"), (12, "h"), (14, "h"), (104, "8d"), (168, "q")),
}


def is_nifti(path: Path) -> bool:
    """Whether the name is that of a single-file NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def check_nifti(path: Path) -> None:
    """Look at a single-file NIfTI.

    Raises:
        InputError: It is not whole, its dimensions or its spacing are not positive, or it holds no finite value.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            data = _read_header(file, path)
            file.seek(data.start)
            found, finite = _scan(file, data.floats)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is damaged: its gzip stream is cut off or corrupt ({error}).") from error
    if found < data.length:
        raise InputError(f"{path} is cut off: {found} of {data.length} bytes of voxels are there.")
    if not finite:
        raise InputError(f"{path} holds no finite value (nothing but NaN or infinity).")


class _Data(NamedTuple):
    """Where the voxels are, in bytes, and their NumPy type where it is a floating point type."""

    start: int
    length: int
    floats: str | None


def _read_header(file: BinaryIO | gzip.GzipFile, path: Path) -> _Data:
    header = file.read(max(_LAYOUTS))
    for order in "<>":
        layout = _LAYOUTS.get(struct.unpack(f"{order}i", header[:4])[0]) if len(header) >= 4 else None
        if layout is None or len(header) < layout.size:
            continue

        def field(place: tuple[int, str], order: str = order) -> tuple[float, ...]:
            return struct.unpack_from(f"{order}{place[1]}", header, place[0])

        dim, pixdim = field(layout.dim), field(layout.pixdim)
        axes = int(dim[0])
        if not 1 <= axes <= 7 or min(dim[1 : axes + 1]) < 1:
            raise InputError(f"{path} is not a usable NIfTI file: its dimensions are {dim}.")
        spacing = pixdim[1 : min(axes, 3) + 1]
        if not all(math.isfinite(s) and s > 0 for s in spacing):
            raise InputError(f"{path} has the spacing {spacing} mm: positive numbers are needed.")
        bits = math.prod(int(n) for n in dim[1 : axes + 1]) * int(field(layout.bitpix)[0])
        code = _FLOATS.get(int(field(layout.datatype)[0]))
        start = field(layout.vox_offset)[0]
        if not 0 <= start <= _FARTHEST:  # NaN too
            raise InputError(f"{path} is not a usable NIfTI file: its voxels are said to start at byte {start:g}.")
        return _Data(int(start), bits // 8, code and order + code)
    raise InputError(f"{path} is not a NIfTI file.")


def _scan(file: BinaryIO | gzip.GzipFile, floats: str | None) -> tuple[int, bool]:
    """Read to the end (only so is a gzip stream known to be whole): the bytes, and whether a value is finite."""
    total, finite = 0, floats is None
    while chunk := file.read(_CHUNK):
        total += len(chunk)
        finite = finite or bool(np.isfinite(np.frombuffer(chunk[: len(chunk) // 8 * 8], floats)).any())
    return total, finite
