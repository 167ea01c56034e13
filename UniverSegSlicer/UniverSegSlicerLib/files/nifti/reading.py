"""Reading NIfTI-1, NIfTI-2 and Analyze, as one file or as a pair, packed or not, whatever they are named.

nibabel knows the headers; where the voxels are, and whether they are there, is looked at here.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import InputError
from ...imaging import Volume
from ..components import choose_component
from ..streams import opened
from .forms import grid_of
from .pairs import HEADER_BYTES, byte_order, magic, pair_of

# Bytes of header and extensions; nobody has more.
_FARTHEST = 1 << 30
# Of a file in one piece, by the length of its header: four bytes more tell whether extensions follow.
_EARLIEST = {348: 352, 540: 544}
_MOST_AXES = 7
_SPACE = 3
# The axes behind the third: what changes from one volume to the next.
_NOUNS = ("time points", "components (a vector)", "further volumes", "further volumes")


class _Layout(NamedTuple):
    """What a header says about its voxels."""

    size: tuple[int, ...]
    further: tuple[int, ...]
    dtype: np.dtype
    start: int
    slope: float
    intercept: float


def read_nifti(path: Path, component: int | None = None) -> Volume:
    """Read a volume; NaN and infinite voxels are kept.

    Args:
        path: ``.nii``, ``.hdr`` or ``.img``, packed (``.gz``, ``.bz2``) or not.
        component: Which time point or component, counted from 0, where the file holds several.

    Raises:
        InputError: Anything that cannot be used: a header that is none, voxels that are missing, several volumes and
            none chosen, complex numbers, a grid that is sheared.
    """
    header_path, voxels_path = pair_of(path)
    header = _header(header_path)
    layout = _layout(header_path, header, header_path == voxels_path)
    geometry = grid_of(path, header, layout.size)
    colours = layout.dtype.fields is not None
    counts = [(number, noun) for number, noun in zip(layout.further, _NOUNS, strict=False)]
    if colours:
        counts.insert(0, (len(layout.dtype), "components (a colour)"))
    number = choose_component(path, counts, component)
    volume, colour = divmod(number, len(layout.dtype)) if colours else (number, 0)
    length = math.prod(layout.size) * layout.dtype.itemsize
    with opened(voxels_path) as stream:
        buffer = stream.read_voxels(layout.start + volume * length, length)
        stream.check_end()
    # The first axis runs fastest in the file, so the transposed array is (K, J, I) and lies in one piece.
    array = buffer.view(layout.dtype).reshape(geometry.shape)
    if colours:
        array = array[layout.dtype.names[colour]]
    return Volume(_scaled(array, layout.slope, layout.intercept), geometry)


def _header(path: Path) -> Any:
    import nibabel

    with opened(path) as stream:
        data = stream.file.read(max(HEADER_BYTES))
    order = byte_order(data)
    if order is None:
        raise InputError(f"{path} is not a NIfTI file, or its header is damaged or cut off.")
    mark = magic(data)
    kind: Any
    if mark == "":
        kind = nibabel.Spm99AnalyzeImage.header_class
    else:
        kind = nibabel.Nifti2Header if mark.endswith("2") else nibabel.Nifti1Header
    return kind(data[: kind.template_dtype.itemsize], endianness=order, check=False)


def _layout(path: Path, header: Any, single: bool) -> _Layout:
    from nibabel.nifti1 import data_type_codes

    dim = [int(number) for number in header["dim"]]
    axes = dim[0]
    # Some programs write 0 for an axis that they do not use; niftilib takes it for 1.
    dim[_SPACE:] = [number or 1 for number in dim[_SPACE:]]
    if not 1 <= axes <= _MOST_AXES or min(dim[1 : axes + 1]) < 1:
        raise InputError(f"{path} is damaged, or not a NIfTI file: its numbers of voxels are {dim[: _MOST_AXES + 1]}.")
    shape = dim[1 : axes + 1]
    if axes == 1:
        raise InputError(f"{path} has one axis; a volume has three, a picture two.")
    code = int(header["datatype"])
    if code not in data_type_codes.dtype:
        raise InputError(f"{path} has voxels of a type that is not known (number {code}).")
    dtype = np.dtype(data_type_codes.dtype[code]).newbyteorder(header.endianness)
    if dtype.kind == "c":
        raise InputError(f"{path} cannot be used: it has a complex number per voxel; a volume has one real number.")
    if dtype.itemsize == 0 or dtype.kind not in "iufV":
        raise InputError(f"{path} cannot be used: its voxels are {_bits(code)}; a volume has one real number.")
    start = float(header["vox_offset"])
    if not 0 <= start <= _FARTHEST:  # NaN too
        raise InputError(f"{path} is damaged: its voxels are said to start at byte {start:g}.")
    earliest = _EARLIEST[header.template_dtype.itemsize] if single else 0
    slope, intercept = _scaling(path, header)
    return _Layout(tuple(shape[:_SPACE]), tuple(shape[_SPACE:]), dtype, max(int(start), earliest), slope, intercept)


def _scaling(path: Path, header: Any) -> tuple[float, float]:
    told = header.keys()
    slope = float(header["scl_slope"]) if "scl_slope" in told else 0.0
    intercept = float(header["scl_inter"]) if "scl_inter" in told else 0.0
    if slope == 0 or not math.isfinite(slope):  # not set
        return 1.0, 0.0
    if not math.isfinite(intercept):
        raise InputError(f"{path} is damaged: its values are said to be shifted by {intercept}.")
    return slope, intercept


def _scaled(array: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """Native numbers; rescaled ones are float32, or float64 where the file has that, as ITK gives them."""
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    if (slope, intercept) == (1.0, 0.0):
        return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    scaled = np.empty(array.shape, np.float64 if array.dtype.itemsize > 4 and array.dtype.kind == "f" else np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for source, target in zip(array, scaled, strict=True):  # slice by slice: float64 for one slice at a time
            target[...] = source * np.float64(slope) + intercept
    return scaled


def _bits(code: int) -> str:
    return "single bits" if code == 1 else f"of a type that cannot be used (number {code})"
