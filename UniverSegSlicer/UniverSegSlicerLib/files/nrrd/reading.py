"""Reading NRRD in every encoding; what is spread over several files is read by ITK, apart."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...imaging import Volume, as_labels
from ..components import choose_component
from ..grids import straight_grid
from ..label_maps import LabelMap
from ..others import read_apart
from ..streams import opened
from .headers import NrrdHeader, read_header
from .segments import segments_of

_PACKINGS = ("raw", "gzip", "bzip2")
_TEXT = ("ascii", "text", "txt", "hex")
_SKIPS = ("line skip", "byte skip")
_MOST_LINES, _LONGEST_LINE = 10_000, 1 << 20
_NOUNS = {"time": "time points", "list": "entries of a list"}


def read_nrrd(path: Path, component: int | None = None) -> Volume:
    """Read a volume.

    Args:
        path: ``.nrrd`` or ``.nhdr``.
        component: Which component or time point, counted from 0, where the file holds several.

    Raises:
        InputError: Anything that cannot be used.
    """
    header = read_header(path)
    further = [axis for axis in range(len(header.sizes)) if axis not in header.spatial]
    counts = [(header.sizes[axis], _NOUNS.get(header.kinds[axis], "components")) for axis in further]
    number = choose_component(path, counts, component)
    array = _array(path, header)
    if array is None:
        return read_apart(path, component)
    return _volume(path, header, array, number)


def read_nrrd_layers(path: Path) -> list[LabelMap] | None:
    """The layers of a segmentation that Slicer wrote; None for a file that is none.

    Raises:
        InputError: Anything that cannot be used.
    """
    header = read_header(path)
    further = [axis for axis in range(len(header.sizes)) if axis not in header.spatial]
    layers = math.prod(header.sizes[axis] for axis in further)
    segments = segments_of(path, header.fields, layers)
    if segments is None:
        return None
    array = _array(path, header)
    if array is None:
        raise InputError(
            f"{path} cannot be used: a segmentation whose voxels are in several files; save it from Slicer again."
        )
    found = []
    for layer in range(layers):
        volume = _volume(path, header, array, layer)
        try:
            labels = as_labels(volume.array)
        except InputError as error:
            raise InputError(f"{path} is not a label map: {error}") from error
        own = tuple(segment for number, segment in segments if number == layer)
        found.append(LabelMap(labels, volume.geometry, own))
    return found


def _array(path: Path, header: NrrdHeader) -> np.ndarray | None:
    """All numbers of the file, its axes reversed (the slowest first); None where they are in several files."""
    if header.dtype is None:
        raise InputError(f"{path} cannot be used: its voxels are of the type {header.fields.get('type')!r}.")
    if header.encoding not in (*_PACKINGS, *_TEXT):
        raise InputError(
            f"{path} cannot be used: its voxels are in the encoding {header.encoding!r}, which is not read."
        )
    source = path
    if header.data_file is not None:
        if header.data_file.upper().startswith("LIST") or "%" in header.data_file:
            return None
        source = path.parent / header.data_file
        if not source.is_file():
            raise InputError(f"{path} is a header only: its data file {header.data_file} is missing.")
    length = math.prod(header.sizes) * header.dtype.itemsize
    buffer = _bytes(source, header, length)
    return buffer.view(header.dtype).reshape(header.sizes[::-1])


def _bytes(source: Path, header: NrrdHeader, length: int) -> np.ndarray:
    lines, skip = (int(header.fields.get(name, header.fields.get(name.replace(" ", ""), 0))) for name in _SKIPS)
    if lines < 0 or skip < -1:
        raise InputError(f"{source} is damaged: it says that {min(lines, skip)} lines or bytes are to be left out.")
    start = 0 if header.data_file is not None else header.end
    with source.open("rb") as file:
        file.seek(start)
        for _ in range(min(lines, _MOST_LINES)):
            file.readline(_LONGEST_LINE)
        start = file.tell()
    if header.encoding in _TEXT:
        return _from_text(source, header, start + max(0, skip))
    if header.encoding == "raw" and skip == -1:
        start, skip = max(0, source.stat().st_size - length), 0
    with opened(source, header.encoding, start) as stream:
        if skip == -1:
            skip = 0
        buffer = stream.read_voxels(skip, length)
        stream.check_end()
        return buffer


def _from_text(source: Path, header: NrrdHeader, start: int) -> np.ndarray:
    """Voxels that are written as numbers ("ascii") or as digits ("hex")."""
    with source.open("rb") as file:
        file.seek(start)
        words = file.read().split()
    count = math.prod(header.sizes)
    try:
        if header.encoding == "hex":
            order = str(header.fields.get("endian", "little")).lower()
            values = np.frombuffer(bytes.fromhex(b"".join(words).decode("ascii")), np.uint8)
            values = values.view(header.dtype.newbyteorder(">" if order == "big" else "<"))  # type: ignore[union-attr]
        else:
            values = np.array(words[:count], dtype=np.float64 if header.dtype.kind == "f" else object)  # type: ignore[union-attr]
            values = np.array([int(word) for word in values]) if values.dtype == object else values
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{source} is damaged: its voxels are no numbers.") from error
    if len(values) < count:
        raise InputError(f"{source} is cut off: {len(values)} of {count} voxels are there.")
    return np.ascontiguousarray(values[:count].astype(header.dtype)).view(np.uint8)


def _volume(path: Path, header: NrrdHeader, array: np.ndarray, number: int) -> Volume:
    """One of the volumes in the numbers of a file, number ``number`` of those along the axes that are not in space."""
    axes = len(header.sizes)
    further = [axis for axis in range(axes) if axis not in header.spatial]
    index: list[int | slice] = [slice(None)] * axes
    for axis in further:
        number, index[axes - 1 - axis] = divmod(number, header.sizes[axis])
    chosen = array[tuple(index)]
    size = tuple(header.sizes[axis] for axis in header.spatial)
    try:
        geometry = straight_grid(size, header.affine)
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error
    native = np.ascontiguousarray(chosen, dtype=chosen.dtype.newbyteorder("="))
    return Volume(native.reshape(geometry.shape), geometry)
