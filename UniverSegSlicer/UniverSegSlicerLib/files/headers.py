"""Headers of NRRD and MetaImage files, looked at before ITK does.

Where a list in such a header is longer or shorter than the number of axes, or a name is no text, ITK's readers write
beyond their memory and end the process (SimpleITK 2.5). Sources: https://teem.sourceforge.net/nrrd/format.html and
https://docs.itk.org/en/latest/learn/metaio.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError

# Longer than any header; what follows are voxels.
_LONGEST = 1 << 16
_LONGEST_LINE = 4000
_MOST_AXES = 16
_VECTOR = re.compile(r"\([^()]*\)|none")
# NRRD fields with one word or number per axis.
_PER_AXIS = ("sizes", "spacings", "thicknesses", "axis mins", "axismins", "axis maxs", "axismaxs", "centers",
             "centerings", "kinds")  # fmt: skip
# MetaImage fields with so many numbers for n axes.
_COUNTS: dict[str, Callable[[int], int]] = {
    **dict.fromkeys(
        ("DimSize", "Offset", "Origin", "Position", "CenterOfRotation", "ElementSpacing", "ElementSize"), int
    ),
    **dict.fromkeys(("TransformMatrix", "Rotation", "Orientation"), lambda axes: axes * axes),
}


def check_header(path: Path) -> None:
    """Look at the header of a file that is NRRD or MetaImage by its mark or its name; others pass.

    Raises:
        InputError: Its lists do not fit its number of axes, or it holds what is no text.
    """
    with path.open("rb") as file:
        start = file.read(_LONGEST)
    if start.startswith(b"NRRD"):
        _check_nrrd(path, start)
    elif path.name.lower().endswith((".mha", ".mhd")):
        _check_meta(path, start)


def _check_nrrd(path: Path, start: bytes) -> None:
    fields: dict[str, str] = {}
    for line in re.split(rb"\r?\n", start):
        if not line:
            break
        name, colon, value = line.decode("latin-1").partition(":")
        if colon and not name.startswith("#") and not value.startswith("="):
            fields[name.strip().lower()] = value.strip()
    axes = _axes(path, fields.get("dimension", ""))
    for name in _PER_AXIS:
        if name in fields and len(fields[name].split()) != axes:
            raise _damaged(path, name, axes)
    vectors = fields.get("space directions")
    if vectors is not None and (len(_VECTOR.findall(vectors)) != axes or _VECTOR.sub("", vectors).strip()):
        raise _damaged(path, "space directions", axes)


def _check_meta(path: Path, start: bytes) -> None:
    fields: dict[str, str] = {}
    for line in start.split(b"\n"):
        key, equals, value = line.partition(b"=")
        text = value.strip()
        # The last line of the header: behind it, and on a damaged file within it, are voxels.
        if not equals or len(line) > _LONGEST_LINE or not (text.isascii() and text.decode("ascii").isprintable()):
            raise InputError(f"{path} is not a MetaImage file, or is damaged: its header holds what is no text.")
        fields[key.strip().decode("latin-1")] = text.decode("ascii")
        if "ElementDataFile" in fields:
            break
    if "ElementDataFile" not in fields:
        raise InputError(f"{path} is not a MetaImage file, or is damaged: it names no voxels.")
    if path.name.lower().endswith(".mha") and fields["ElementDataFile"].upper() != "LOCAL":
        raise InputError(f"{path} is damaged: its voxels are not in the file.")
    axes = _axes(path, fields.get("NDims", ""))
    for name, count in _COUNTS.items():
        values = fields.get(name)
        if values is not None and not (len(values.split()) == count(axes) and all(map(_is_number, values.split()))):
            raise _damaged(path, name, axes)


def _axes(path: Path, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_AXES):
        raise InputError(f"{path} is damaged, or not an image: its number of axes is {text!r}.")
    return int(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _damaged(path: Path, field: str, axes: int) -> InputError:
    return InputError(f"{path} is damaged: {field} in its header does not fit its {axes} axes.")
