"""Reading NRRD in every encoding, in one file or in many."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...imaging import Volume, as_labels
from ..components import choose_component
from ..grids import straight_grid
from ..label_maps import LabelMap
from ..pieces import check_count, data_files, numbers_from_text, slab_axes
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
    return _volume(path, header, _array(path, header), number)


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


def _array(path: Path, header: NrrdHeader) -> np.ndarray:
    """All numbers of the file, its axes reversed (the slowest first)."""
    if header.dtype is None:
        raise InputError(f"{path} cannot be used: its voxels are of the type {header.fields.get('type')!r}.")
    if header.encoding not in (*_PACKINGS, *_TEXT):
        raise InputError(
            f"{path} cannot be used: its voxels are in the encoding {header.encoding!r}, which is not read."
        )
    length = math.prod(header.sizes) * header.dtype.itemsize
    if header.data_file is None:
        buffer = _bytes(path, header, length, header.end)
    else:
        files = data_files(path, header.data_file, header.listed)
        if len(files) > 1:
            check_count(path, len(files), header.sizes, slab_axes(path, header.data_file, len(header.sizes)))
        pieces = [_bytes(file, header, length // len(files), 0) for file in files]
        buffer = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    return buffer.view(header.dtype).reshape(header.sizes[::-1])


def _bytes(source: Path, header: NrrdHeader, length: int, start: int) -> np.ndarray:
    """The bytes of one file's numbers, which begin behind byte ``start`` and what the header leaves out."""
    lines, skip = (int(header.fields.get(name, header.fields.get(name.replace(" ", ""), 0))) for name in _SKIPS)
    if lines < 0 or skip < -1:
        raise InputError(f"{source} is damaged: it says that {min(lines, skip)} lines or bytes are to be left out.")
    with source.open("rb") as file:
        file.seek(start)
        for _ in range(min(lines, _MOST_LINES)):
            file.readline(_LONGEST_LINE)
        start = file.tell()
    assert header.dtype is not None
    if header.encoding == "hex":
        return _from_digits(source, header, start + max(0, skip), length)
    if header.encoding in _TEXT:
        return numbers_from_text(source, start + max(0, skip), header.dtype, length // header.dtype.itemsize)
    if header.encoding == "raw" and skip == -1:
        start, skip = max(0, source.stat().st_size - length), 0
    with opened(source, header.encoding, start) as stream:
        buffer = stream.read_voxels(max(0, skip), length)
        stream.check_end()
        return buffer


def _from_digits(source: Path, header: NrrdHeader, start: int, length: int) -> np.ndarray:
    """Voxels that are written as hexadecimal digits."""
    with source.open("rb") as file:
        file.seek(start)
        digits = b"".join(file.read().split())[: 2 * length]
    try:
        found = np.frombuffer(bytes.fromhex(digits.decode("ascii")), np.uint8)
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{source} is damaged: its voxels are no numbers.") from error
    if len(found) < length:
        raise InputError(f"{source} is cut off: {len(found)} of {length} bytes of voxels are there.")
    order = ">" if str(header.fields.get("endian", "")).lower() == "big" else "<"
    assert header.dtype is not None
    return found.view(header.dtype.newbyteorder(order)).astype(header.dtype).view(np.uint8)


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
