"""MetaImage (``.mha``, ``.mhd``): read by ITK, once its header has been looked at here.

Where a list in such a header is longer or shorter than the number of axes, or the name of its data is a pattern that is
none, ITK's reader writes beyond its memory or divides by zero, and ends the process (SimpleITK 2.5).
Source: https://docs.itk.org/en/latest/learn/metaio.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..imaging import Volume
from ..imaging.sitk_images import quiet_stderr
from .components import choose_component
from .grids import straight_grid
from .promises import check_promise

# Longer than any header; what follows are voxels.
_LONGEST = 1 << 24
_LONGEST_LINE = 4000
_MOST_AXES = 16
# MetaImage fields with so many numbers for n axes.
_COUNTS: dict[str, Callable[[int], int]] = {
    **dict.fromkeys(
        ("DimSize", "Offset", "Origin", "Position", "CenterOfRotation", "ElementSpacing", "ElementSize"), int
    ),
    **dict.fromkeys(("TransformMatrix", "Rotation", "Orientation"), lambda axes: axes * axes),
}
_BYTES = {"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "LONG": 4, "ULONG": 4, "LONG_LONG": 8,
          "ULONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}  # fmt: skip
# A numbered file name, with first and last number and the step: the only per cent sign that ITK reads rightly.
_PATTERN = re.compile(r"[^%]*%0?\d?d[^%]*\s+\d+\s+\d+(\s+[1-9]\d*)?")


def is_meta_name(path: Path) -> bool:
    """Whether a name is that of a MetaImage."""
    return path.name.lower().endswith((".mha", ".mhd"))


def read_meta(path: Path, component: int | None = None) -> Volume:
    """Read a volume.

    Args:
        path: ``.mha`` or ``.mhd``.
        component: Which component or time point, counted from 0, where the file holds several.

    Raises:
        InputError: Anything that cannot be used.
    """
    check_meta(path)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("MetaImageIO")
    reader.SetFileName(str(path))
    try:
        with quiet_stderr():
            reader.ReadImageInformation()
            check_promise(reader, path)
            image = reader.Execute()
    except RuntimeError as error:
        raise InputError(f"{path} {_in_words(str(error))}") from error
    return _volume(path, image, component)


def check_meta(path: Path) -> None:
    """Look at a header, and at the data file that it names.

    Raises:
        InputError: Its lists do not fit its number of axes, it holds what is no text, or its data are not there.
    """
    fields = _fields(path)
    axes = _axes(path, fields.get("NDims", ""))
    for name, count in _COUNTS.items():
        values = fields.get(name)
        if values is not None and not (len(values.split()) == count(axes) and all(map(_is_number, values.split()))):
            raise InputError(f"{path} is damaged: {name} in its header does not fit its {axes} axes.")
    for name in ("ElementSpacing", "ElementSize"):
        if not all(math.isfinite(length) and length > 0 for length in map(float, fields.get(name, "").split())):
            raise InputError(f"{path} has the spacing ({fields[name]}) mm: positive numbers are needed.")
    if fields["ElementDataFile"].upper() not in ("LOCAL", "LIST") and not fields["ElementDataFile"].startswith("LIST"):
        _check_data(path, fields)


def _fields(path: Path) -> dict[str, str]:
    fields: dict[str, str] = {}
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
    if "ElementDataFile" not in fields:
        raise InputError(f"{path} is not a MetaImage file, or is damaged: it names no voxels.")
    if path.name.lower().endswith(".mha") and fields["ElementDataFile"].upper() != "LOCAL":
        raise InputError(f"{path} is damaged: its voxels are not in the file.")
    return fields


def _check_data(path: Path, fields: dict[str, str]) -> None:
    name = fields["ElementDataFile"]
    if "%" in name:
        if not _PATTERN.fullmatch(name):
            raise InputError(
                f"{path} cannot be read: the name of its data file, {name}, has a % in it; rename it, and correct "
                "ElementDataFile in the header."
            )
        return
    data = path.parent / name
    if not data.is_file():
        raise InputError(f"{path} is a header only: its data file {name} is missing.")
    words = fields.get("DimSize", "").split()
    size = [int(word) for word in words if word.isdigit()]
    element = _BYTES.get(fields.get("ElementType", "").upper().removeprefix("MET_").removesuffix("_ARRAY"), 0)
    channels = fields.get("ElementNumberOfChannels", "1")
    if fields.get("CompressedData", "False").upper().startswith("T") or len(size) != len(words):
        return
    length = math.prod(size) * element * (int(channels) if channels.isdigit() else 1)
    present = data.stat().st_size
    if present < length:
        raise InputError(f"{data} is cut off: {present} of {length} bytes of voxels are there.")


def _volume(path: Path, image: sitk.Image, component: int | None) -> Volume:
    dimension, components = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
    if "complex" in image.GetPixelIDTypeAsString():
        raise InputError(f"{path} cannot be used: it has a complex number per voxel; a volume has one real number.")
    times = image.GetSize()[3:]
    counts = [(components, "components"), *((number, "time points") for number in times)]
    time, colour = divmod(choose_component(path, counts, component), components)
    plane = min(dimension, 3)
    if dimension < 2:
        raise InputError(f"{path} has one axis; a volume has three, a picture two.")
    affine = np.eye(4)
    matrix = np.array(image.GetDirection()).reshape(dimension, dimension)[:plane, :plane]
    affine[:plane, :plane] = matrix * np.array(image.GetSpacing()[:plane])
    affine[:plane, 3] = image.GetOrigin()[:plane]
    try:
        geometry = straight_grid(image.GetSize()[:plane], affine)
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error
    array = sitk.GetArrayFromImage(image)
    array = array if components > 1 else array[..., None]
    array = array.reshape(-1, *geometry.shape, components)[time, ..., colour]
    return Volume(np.ascontiguousarray(array), geometry)


def _in_words(text: str) -> str:
    if "orthonormal" in text:
        return "has a sheared grid, which cannot be used; resample it to a straight one."
    if "allocate" in text or "bad_alloc" in text:
        return "is larger than the memory of this computer, or its header is damaged."
    if "_ReadElementsData" in text or "File cannot be read" in text:
        return "is cut off or its data file is missing."
    return "is not an image that can be read, or is damaged."


def _axes(path: Path, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_AXES):
        raise InputError(f"{path} is damaged, or not an image: its number of axes is {text!r}.")
    return int(text)


def _is_text(line: bytes) -> bool:
    # Of whatever encoding: no control characters but tabs and the end of the line.
    return not any(byte < 32 and byte not in b"\t\r\n" for byte in line)


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
