"""Volumes on disk: NIfTI and MGH through nibabel, MetaImage and NRRD through SimpleITK, single DICOM slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import RawArray, suffix_of
from .optional import need


def load_volume(path: Path, *, orient: bool = True) -> RawArray:
    """Load a volume.

    Args:
        path: .nii, .nii.gz, .mgz, .mha, .mhd or .nrrd.
        orient: Flip and swap the axes so that they run closest to left, posterior, superior.

    Returns:
        The array (K, J, I), or (K, J, I, C) for four axes, with spacing in mm of the first three and the header entry
        ``affine`` (4 x 4, from array index (I, J, K) to mm in LPS). Axes of length one stay.
    """
    if suffix_of(path) in (".nii", ".nii.gz", ".mgz", ".mgh"):
        array, affine = _load_nibabel(path)
    else:
        array, affine = _load_simpleitk(path)
    while array.ndim > 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if orient:
        array, affine = _to_lps(array, affine)
    # From here on arrays are (K, J, I[, C]): slices are contiguous.
    array = np.moveaxis(array, (0, 1, 2), (2, 1, 0))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    return RawArray(array, tuple(float(v) for v in spacing[::-1]), {"affine": affine})


def load_dicom_slice(path: Path) -> RawArray:
    """One DICOM image with rescale slope and intercept applied; header entries ``instance`` and ``position``.

    Not by way of ``UniverSegSlicerLib.files``, which makes volumes: published sets hold colours, pictures without a
    place, and slices that a declaration puts in order by their number.
    """
    pydicom = need("pydicom", "DICOM files")
    data = pydicom.dcmread(path)
    array = data.pixel_array
    slope, intercept = float(data.get("RescaleSlope", 1.0)), float(data.get("RescaleIntercept", 0.0))
    if (slope, intercept) != (1.0, 0.0):
        array = array.astype(np.float32) * slope + intercept
    rows, cols = (float(v) for v in data.get("PixelSpacing", (np.nan, np.nan)))
    header: dict[str, Any] = {"instance": int(data.get("InstanceNumber", 0) or 0)}
    if "ImagePositionPatient" in data and "ImageOrientationPatient" in data:
        orientation = np.array([float(v) for v in data.ImageOrientationPatient])
        normal = np.cross(orientation[:3], orientation[3:])
        header["position"] = float(normal @ np.array([float(v) for v in data.ImagePositionPatient]))
    thickness = data.get("SpacingBetweenSlices", data.get("SliceThickness", None))
    header["thickness"] = float(thickness) if thickness not in (None, "") else float("nan")
    return RawArray(array, (rows, cols), header)


def _load_nibabel(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    nibabel = need("nibabel", "NIfTI and MGH files")
    image = nibabel.load(path)
    array = np.asanyarray(image.dataobj)
    if array.ndim == 2:
        array = array[:, :, None]
    affine = np.asarray(image.affine, float)
    # nibabel's world is RAS; ours is LPS.
    return array, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _load_simpleitk(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    sitk = need("SimpleITK", "MetaImage and NRRD files")
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)
    vector = image.GetNumberOfComponentsPerPixel() > 1
    dimension = image.GetDimension()
    spatial = min(dimension, 3)
    order = tuple(reversed(range(dimension)))
    array = np.transpose(array, (*order, dimension) if vector else order)
    if dimension == 2:
        array = array[:, :, None]
    direction = np.eye(3)
    direction[:spatial, :spatial] = np.array(image.GetDirection()).reshape(dimension, dimension)[:spatial, :spatial]
    spacing = (*image.GetSpacing()[:spatial], *(1.0,) * (3 - spatial))
    affine = np.eye(4)
    affine[:3, :3] = direction * np.array(spacing)
    affine[:spatial, 3] = image.GetOrigin()[:spatial]
    return array, affine


def _to_lps(array: NDArray[Any], affine: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    nibabel = need("nibabel", "NIfTI and MGH files")
    # io_orientation only looks at the matrix, so "RAS" there is the positive direction of whatever world it is.
    orientation = nibabel.io_orientation(affine)
    if np.isnan(orientation).any():
        return array, affine
    moved = nibabel.apply_orientation(array, orientation)
    back = nibabel.orientations.inv_ornt_aff(orientation, array.shape[:3])
    return moved, affine @ back
