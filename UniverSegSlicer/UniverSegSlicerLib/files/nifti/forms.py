"""The two forms of a NIfTI grid: which one a file lies on, and how both go into the files that are made of it.

Sources: the NIfTI-1 header, https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h (methods 1 to 3), and what ITK,
and so Slicer, does with files whose forms differ (``NiftiImageIO::SetImageIOOrientationFromNIfTI``).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...imaging import Geometry
from ..grids import LPS_RAS, StoredGrid, straight_grid

# The fields that say where voxels lie, by the names that nibabel gives them.
_FIELDS = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z")
_CODES = ("qform_code", "sform_code")
_SCANNER = 1
# xyzt_units: the lowest three bits are the unit of length; 0 is unknown, taken for mm.
_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}


def grid_of(path: Path, header: Any, size: tuple[int, ...]) -> Geometry:
    """The grid of a header: the one that Slicer lays the file on; the file's own words are kept with it.

    That is the qform, but the sform where only it is set or both are and the sform's code is 1 (scanner). A form that
    is sheared, or holds no numbers, gives way to the other one. With none, the axes are those of LPS, the origin is 0.

    Args:
        path: The file, for the errors.
        header: nibabel's, of NIfTI-1, NIfTI-2 or Analyze.
        size: Voxels along I and J, and K unless the file holds a plane.

    Raises:
        InputError: The spacing is not positive, or no form that is set can be used.
    """
    kept = _kept(header)
    spacing = [float(value) for value in kept["pixdim"][1 : len(size) + 1]]
    if not all(math.isfinite(value) and value > 0 for value in spacing):
        raise InputError(f"{path} has the spacing {_numbers(spacing)} mm: positive numbers are needed.")
    length = _MM.get(kept["xyzt_units"] & 7, 1.0)
    forms = _forms(kept, np.array([*spacing, 1.0][:3]))
    if not forms:
        unset = np.diag([*[value * length for value in [*spacing, 1.0][:3]], 1.0])
        return _grid(path, [unset], size, kept)
    return _grid(path, [_in_mm(form, length) for form in forms], size, kept)


def put_grid(header: Any, geometry: Geometry, stored: StoredGrid) -> None:
    """Write a grid into a header of NIfTI-1: what a NIfTI file said about it, or both forms with code 1, in mm."""
    if stored.nifti is not None:
        header["pixdim"][: len(stored.nifti["pixdim"])] = stored.nifti["pixdim"]
        for name in (*_FIELDS, *_CODES, "xyzt_units"):
            if name in stored.nifti:
                header[name] = stored.nifti[name]
        return
    affine = LPS_RAS @ stored.affine
    header.set_sform(affine, _SCANNER)
    # With a plane, too, pixdim has three lengths.
    header["pixdim"][1:4] = geometry.spacing
    header.set_qform(affine, _SCANNER, strip_shears=True)
    header.set_xyzt_units("mm")


def _kept(header: Any) -> dict[str, Any]:
    names = header.keys()
    kept: dict[str, Any] = {"pixdim": np.array(header["pixdim"][:4], dtype=float), "xyzt_units": 0}
    kept |= dict.fromkeys(_CODES, 0)  # Analyze has no forms
    if "qform_code" in names:
        kept |= {name: np.array(header[name], dtype=float) for name in _FIELDS}
        kept |= {name: int(header[name]) for name in (*_CODES, "xyzt_units")}
    kept["pixdim"][0] = -1.0 if kept["pixdim"][0] < 0 else 1.0  # the handedness of the qform; NaN and 0 are +1
    return kept


def _forms(kept: dict[str, Any], spacing: np.ndarray) -> list[np.ndarray]:
    """The forms that are set, as matrices to RAS in the file's unit, in the order of preference."""
    qform = _qform(kept, spacing) if kept["qform_code"] > 0 else None
    rows = (
        [kept["srow_x"], kept["srow_y"], kept["srow_z"], np.array([0.0, 0.0, 0.0, 1.0])]
        if kept["sform_code"] > 0
        else []
    )
    sform = np.vstack(rows) if rows else None
    ordered = (sform, qform) if kept["sform_code"] == _SCANNER else (qform, sform)
    return [form for form in ordered if form is not None]


def _qform(kept: dict[str, Any], spacing: np.ndarray) -> np.ndarray:
    from nibabel.quaternions import quat2mat

    vector = np.array([kept["quatern_b"], kept["quatern_c"], kept["quatern_d"]], dtype=float)
    rest = 1.0 - vector @ vector
    if rest < 1e-7:  # what niftilib does: a turn of 180 degrees, with the rounding of float32 taken out
        vector, rest = vector / np.linalg.norm(vector), 0.0
    affine = np.eye(4)
    affine[:3, :3] = quat2mat([math.sqrt(rest), *vector]) * spacing * (1.0, 1.0, kept["pixdim"][0])
    affine[:3, 3] = kept["qoffset_x"], kept["qoffset_y"], kept["qoffset_z"]
    return affine


def _in_mm(form: np.ndarray, length: float) -> np.ndarray:
    scaled = LPS_RAS @ form
    scaled[:3] *= length
    return scaled


def _grid(path: Path, affines: list[np.ndarray], size: tuple[int, ...], kept: dict[str, Any]) -> Geometry:
    straight: list[tuple[np.ndarray, Geometry]] = []
    refused: InputError | None = None
    for affine in affines:
        try:
            straight.append((affine, straight_grid(size, affine)))
        except InputError as error:
            refused = refused or error
    if not straight:
        raise InputError(f"{path} cannot be used: {refused}") from refused
    (affine, _), others = straight[0], tuple(grid for _, grid in straight[1:])
    return straight_grid(size, affine, nifti=kept, others=others)


def _numbers(values: list[float]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"
