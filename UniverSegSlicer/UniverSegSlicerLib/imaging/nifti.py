"""What ITK does not say about a NIfTI file: missing data and impossible spacing.

ITK reads a truncated NIfTI file without an error (the missing voxels are whatever the memory held) and replaces a zero
spacing by 1 mm in silence. Both are looked at here before ITK sees the file.
Source: the NIfTI-1 and NIfTI-2 headers, https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h and nifti2.h
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..errors import InputError

_CHUNK = 1 << 20


class _Layout(NamedTuple):
    """Where the fields stand that are looked at: (offset, struct code)."""

    size: int
    dim: tuple[int, str]
    bitpix: tuple[int, str]
    pixdim: tuple[int, str]
    vox_offset: tuple[int, str]


_LAYOUTS = {
    348: _Layout(348, (40, "8h"), (72, "h"), (76, "8f"), (108, "f")),
    540: _Layout(540, (16, "8q"), (14, "h"), (104, "8d"), (168, "q")),
}


def is_nifti(path: Path) -> bool:
    """Whether the name is that of a single-file NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def check_nifti(path: Path) -> None:
    """Raise InputError where a single-file NIfTI is not whole or its spacing is not positive."""
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            expected, start = _read_header(file, path)
            found = start + _count(file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is damaged: its gzip stream is cut off or corrupt ({error}).") from error
    if found < expected:
        raise InputError(f"{path} is cut off: {found} of {expected} bytes are there.")


def _read_header(file: BinaryIO | gzip.GzipFile, path: Path) -> tuple[int, int]:
    """The number of bytes that the whole file must have, and the number read so far."""
    header = file.read(540)
    for order in "<>":
        layout = _LAYOUTS.get(struct.unpack(f"{order}i", header[:4])[0]) if len(header) >= 4 else None
        if layout is None or len(header) < layout.size:
            continue

        def field(place: tuple[int, str], order: str = order) -> tuple[float, ...]:
            return struct.unpack_from(f"{order}{place[1]}", header, place[0])

        dim, pixdim = field(layout.dim), field(layout.pixdim)
        axes = int(dim[0])
        if not 1 <= axes <= 7 or min(dim[1 : axes + 1]) < 1:
            raise InputError(f"{path} is not a usable NIfTI file: its dimensions are {dim[1 : max(axes, 1) + 1]}.")
        spacing = pixdim[1 : min(axes, 3) + 1]
        if not all(math.isfinite(s) and s > 0 for s in spacing):
            raise InputError(f"{path} has the spacing {spacing} mm: three positive numbers are needed.")
        voxels = math.prod(int(n) for n in dim[1 : axes + 1])
        bits = int(field(layout.bitpix)[0])
        return int(field(layout.vox_offset)[0]) + voxels * bits // 8, len(header)
    raise InputError(f"{path} is not a NIfTI file.")


def _count(file: BinaryIO | gzip.GzipFile) -> int:
    total = 0
    while chunk := file.read(_CHUNK):
        total += len(chunk)
    return total
