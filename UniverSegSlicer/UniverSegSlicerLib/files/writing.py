"""Volumes and label maps to files, on the grid that their own file has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..imaging import Geometry, Volume, as_labels, save_volume
from ..imaging.saving import check_grid as check_plain_grid
from .dicom import check_segments_output, is_dicom_name, write_dicom_segments
from .grids import StoredGrid, stored_grid
from .label_maps import LabelMap, Segment, named_segments
from .nifti import is_nifti_name, write_nifti
from .nrrd import is_segmentation_name, write_segmentation

#: What can be written; each is one file, so that it appears whole or not at all.
WRITABLE = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".mha")
#: What label maps can be written as; ``.dcm`` is a DICOM SEG of the series that the volume was read from.
WRITABLE_LABELS = (*WRITABLE, ".dcm")


def write_label_map(
    path: str | Path, array: np.ndarray, geometry: Geometry, *, segments: Iterable[Segment] = ()
) -> None:
    """Write labels (K, J, I), compressed, with exactly this geometry; the file appears whole or not at all.

    The dtype becomes uint8 where the values fit, else uint16: the two that every program reads as labels.

    Args:
        path: Ends with one of ``WRITABLE_LABELS``.
        array: Whole numbers from 0 to 65535.
        geometry: The grid; that of a volume which was read from a file brings along what that file says about it, and a
            NIfTI file gets the forms, codes and units of the volume's.
        segments: Names, colours and codes, which ``.seg.nrrd`` and ``.dcm`` keep.

    Raises:
        InputError: Values that are no labels, a shape that does not fit, another ending, or a grid that a DICOM SEG
            cannot refer to.
        OutputError: The file cannot be written.
    """
    labels = as_labels(array)
    if is_segmentation_name(Path(path)) or is_dicom_name(Path(path)):
        known = tuple(segments)
        present = {int(value) for value in np.unique(labels)} - {0}
        write_layers(path, [LabelMap(labels, geometry, named_segments(present, {}, known))])
        return
    small = not labels.size or labels.max() <= np.iinfo(np.uint8).max
    write_volume(path, labels.astype(np.uint8) if small else labels, geometry)


def write_layers(path: str | Path, layers: Sequence[LabelMap]) -> None:
    """Write one label map, or several that may overlap as the layers of a ``.seg.nrrd`` or a DICOM SEG; whole or not.

    Raises:
        InputError: Several layers and another ending, which would lose what overlaps; layers on different grids.
        OutputError: The file cannot be written.
    """
    path = Path(path)
    if is_dicom_name(path):
        write_dicom_segments(path, layers)
        return
    if is_segmentation_name(path):
        write_segmentation(path, layers)
        return
    if len(layers) > 1:
        raise InputError(f"{path}: segments that overlap can be written as .seg.nrrd or .dcm (DICOM SEG) only.")
    write_label_map(path, layers[0].array, layers[0].geometry)


def write_volume(path: str | Path, array: np.ndarray, geometry: Geometry) -> None:
    """Write voxels (K, J, I) of any real dtype, compressed, with exactly this geometry; whole or not at all.

    Args:
        path: Ends with one of ``WRITABLE``.
        array: The voxels.
        geometry: As in :func:`write_label_map`.

    Raises:
        InputError: A shape that does not fit, another ending, or a grid that the format would change (NIfTI keeps
            spacing and origin as float32).
        OutputError: The file cannot be written.
    """
    path = Path(path)
    if not path.name.lower().endswith(WRITABLE):
        raise InputError(f"{path}: the ending must be one of {', '.join(WRITABLE)}.")
    check_grid(path, geometry)
    voxels = np.asarray(array)
    voxels = voxels.astype(np.uint8) if voxels.dtype == bool else voxels
    voxels = voxels.astype(np.float32) if voxels.dtype == np.float16 else voxels
    if is_nifti_name(path):
        write_nifti(path, Volume(voxels, geometry).array, geometry)
        return
    stored = stored_grid(geometry)
    direction = (stored.affine[:3, :3] / geometry.spacing).ravel().tolist()
    bent = not np.allclose(direction, geometry.direction, rtol=0, atol=1e-12)
    save_volume(path, voxels, geometry, direction=direction if bent else None, plane=stored.dimensions == 2)


def check_grid(path: str | Path, geometry: Geometry) -> None:
    """Refuse a file that could not be written on a grid: NIfTI keeps spacing and origin as float32, DICOM SEG refers.

    Raises:
        InputError: The format would change the grid by more than a hundredth of a voxel; or the grid does not come from
            a DICOM series, or another DICOM file would be overwritten.
    """
    if is_dicom_name(Path(path)):
        check_segments_output(Path(path), geometry)
        return
    stored = geometry.stored
    if isinstance(stored, StoredGrid) and stored.straight == geometry and stored.nifti is not None:
        return  # what a NIfTI file said fits into one
    check_plain_grid(path, geometry)
