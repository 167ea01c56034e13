"""Writing NIfTI-1 in one file, on the grid that the volume's own file has."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...imaging import Geometry
from ...writing import replacing
from ..grids import stored_grid
from .forms import put_grid

#: NIfTI-1 counts voxels with 16 bits.
_MOST_VOXELS = np.iinfo(np.int16).max
_LEVEL = 5


def write_nifti(path: Path, array: np.ndarray, geometry: Geometry) -> None:
    """Write voxels (K, J, I) as ``.nii`` or ``.nii.gz``; the file appears whole or not at all.

    The forms, their codes and the units are those of the NIfTI file that ``geometry`` was read from, so that every
    program lays the new file where it lays that one. A plane stays a plane.

    Raises:
        InputError: A shape that does not fit the grid.
        OutputError: The file cannot be written.
    """
    import nibabel

    if array.shape != geometry.shape:
        raise InputError(f"array shape {array.shape} (K, J, I) does not fit the size {geometry.size}.")
    stored = stored_grid(geometry)
    kind = nibabel.Nifti2Header if max(geometry.size) > _MOST_VOXELS else nibabel.Nifti1Header
    header = kind()
    header.set_data_dtype(array.dtype.newbyteorder("="))
    header.set_data_shape(geometry.size[: stored.dimensions])
    put_grid(header, geometry, stored)
    header["vox_offset"] = 352 if kind is nibabel.Nifti1Header else 544
    header["scl_slope"], header["scl_inter"] = 1.0, 0.0
    packed = path.name.lower().endswith(".gz")
    with replacing(path, ".nii.gz" if packed else ".nii") as beside, beside.open("wb") as raw:
        # No name and no time in the gzip header: the same voxels give the same file.
        file = gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) if packed else raw
        file.write(header.binaryblock + b"\0\0\0\0")
        for plane in array:
            file.write(np.ascontiguousarray(plane, dtype=array.dtype.newbyteorder("=")).data)
        if packed:
            file.close()
