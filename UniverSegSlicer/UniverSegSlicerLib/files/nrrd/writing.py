"""Writing segmentations as Slicer does: ``.seg.nrrd``, with names, colours, terminology and layers."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...writing import replacing
from ..grids import stored_grid
from ..label_maps import LabelMap
from .segments import fields_of

SEGMENTATION = ".seg.nrrd"
_LEVEL = 5


def is_segmentation_name(path: Path) -> bool:
    """Whether a name is that of a segmentation of Slicer."""
    return path.name.lower().endswith(SEGMENTATION)


def write_segmentation(path: Path, layers: Sequence[LabelMap]) -> None:
    """Write one or more layers of labels on one grid; the file appears whole or not at all.

    Raises:
        InputError: The layers are on different grids.
        OutputError: The file cannot be written.
    """
    geometry = layers[0].geometry
    for layer in layers[1:]:
        difference = geometry.difference(layer.geometry)
        if difference:
            raise InputError(f"{path}: the layers of a segmentation are on one grid, and these are not: {difference}.")
    small = all(layer.array.max(initial=0) <= np.iinfo(np.uint8).max for layer in layers)
    dtype = np.dtype(np.uint8 if small else "<u2")
    header = _header(layers, dtype)
    with replacing(path, SEGMENTATION) as beside, beside.open("wb") as raw:
        raw.write(header)
        # No name and no time in the gzip header: the same voxels give the same file.
        with gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as file:
            for planes in zip(*(layer.array for layer in layers), strict=True):
                together = planes[0] if len(planes) == 1 else np.stack(planes, axis=-1)
                file.write(np.ascontiguousarray(together, dtype=dtype).data)


def _header(layers: Sequence[LabelMap], dtype: np.dtype) -> bytes:
    from nrrd.formatters import format_number_list, format_optional_vector_list, format_vector

    geometry = layers[0].geometry
    affine = stored_grid(geometry).affine
    vectors = [*affine[:3, :3].T]
    sizes, kinds = [*geometry.size], ["domain"] * 3
    if len(layers) > 1:
        vectors.insert(0, np.full(3, np.nan))
        sizes.insert(0, len(layers))
        kinds.insert(0, "list")
    lines = [
        "NRRD0004",
        "# Complete NRRD file format specification at:",
        "# http://teem.sourceforge.net/nrrd/format.html",
        f"type: {'unsigned char' if dtype.itemsize == 1 else 'unsigned short'}",
        f"dimension: {len(sizes)}",
        "space: left-posterior-superior",
        f"sizes: {format_number_list(np.array(sizes))}",
        f"space directions: {format_optional_vector_list(np.array(vectors))}",
        f"kinds: {' '.join(kinds)}",
        "endian: little",
        "encoding: gzip",
        f"space origin: {format_vector(affine[:3, 3])}",
        *(f"{name}:={_escaped(value)}" for name, value in fields_of(layers).items()),
    ]
    return ("\n".join(lines) + "\n\n").encode("utf-8")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")
