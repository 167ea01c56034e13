"""Reading MetaImage: voxels behind the header, in a file, or in one file per slice, compressed or not."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...imaging import Volume
from ..components import choose_component
from ..grids import straight_grid
from ..pieces import check_count, data_files, numbers_from_text, slab_axes
from ..streams import opened
from .headers import MetaHeader, read_header


def read_meta(path: Path, component: int | None = None) -> Volume:
    """Read a volume.

    Args:
        path: ``.mha`` or ``.mhd``.
        component: Which component or time point, counted from 0, where the file holds several.

    Raises:
        InputError: Anything that cannot be used.
    """
    header = read_header(path)
    times = header.size[3:]
    counts = [(header.channels, "components"), *((number, "time points") for number in times)]
    time, channel = divmod(choose_component(path, counts, component), header.channels)
    try:
        geometry = straight_grid(header.size[:3], header.affine)
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error
    numbers = _numbers(path, header).view(header.dtype)
    array = numbers.reshape(-1, *geometry.shape, header.channels)[time, ..., channel]
    return Volume(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")), geometry)


def _numbers(path: Path, header: MetaHeader) -> np.ndarray:
    """All numbers of the file as bytes."""
    length = math.prod(header.size) * header.channels * header.dtype.itemsize
    if header.data.upper() == "LOCAL":
        return _piece(path, header, length, header.end)
    files = data_files(path, header.data, header.listed)
    if len(files) == 1:
        return _piece(files[0], header, length, 0)
    # "LIST 2D": each file holds so many axes; by default all but the last.
    check_count(path, len(files), header.size, slab_axes(path, header.data, len(header.size)))
    share = length // len(files)
    return np.concatenate([_piece(file, header, share, 0) for file in files])


def _piece(source: Path, header: MetaHeader, length: int, start: int) -> np.ndarray:
    """The bytes of one file's numbers, which begin at ``start`` unless the header says otherwise."""
    if header.is_text:
        return numbers_from_text(source, start, header.dtype, length // header.dtype.itemsize)
    if header.packed:
        with opened(source, "zlib", max(start, header.skip)) as stream:
            found = stream.read_voxels(0, length)
            stream.check_end()
            return found
    if header.skip:
        start = header.skip if header.skip > 0 else max(start, source.stat().st_size - length)
    with opened(source, "raw", start) as stream:
        return stream.read_voxels(0, length)
