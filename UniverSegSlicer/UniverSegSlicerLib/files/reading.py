"""Volumes and label maps from files, each kind by its own reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..imaging import Volume, as_labels, from_sitk
from ..imaging.sitk_images import quiet_stderr
from .dicom import is_dicom, read_dicom
from .headers import check_header
from .nifti import check_nifti, is_nifti
from .promises import check_promise


def read_volume(path: str | Path) -> Volume:
    """Read a scalar volume: a NIfTI, NRRD, MHA or MHD file, a DICOM file, or a folder with one DICOM series.

    A 2D image becomes a volume of one slice. Spacing, origin and direction are kept exactly. Single NaN and infinite
    voxels are kept, but in NIfTI, whose library reads them as 0.

    Raises:
        InputError: Missing or unreadable path, not an image, empty or truncated file, more than three dimensions,
            several components per voxel, spacing that is not positive, no finite value.

    Example:
        >>> read_volume("brain.nii.gz").array.shape  # doctest: +SKIP
        (189, 233, 197)
    """
    volume = _read(Path(path))
    if volume.array.dtype.kind == "f" and not np.isfinite(volume.array).any():
        raise InputError(f"{path} holds no finite value (nothing but NaN or infinity).")
    return volume


def read_label_map(path: str | Path) -> Volume:
    """Read a label map: like :func:`read_volume`, and its values must be whole numbers from 0 to 65535 (uint16)."""
    volume = _read(Path(path))
    try:
        return Volume(as_labels(volume.array), volume.geometry)
    except InputError as error:
        raise InputError(f"{path} is not a label map: {error}") from error


def _read(path: Path) -> Volume:
    try:
        if not path.exists():
            raise InputError(f"{path} does not exist.")
        if path.is_dir() or is_dicom(path):
            with quiet_stderr():
                return read_dicom(path)
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty.")
        if is_nifti(path):
            check_nifti(path)
        check_header(path)
        with quiet_stderr():
            image = _load(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except RuntimeError as error:
        raise InputError(f"{path} {_in_words(error)}") from error
    except MemoryError as error:
        raise InputError(f"{path} {_TOO_LARGE}") from error
    try:
        return from_sitk(image)
    except MemoryError as error:
        raise InputError(f"{path} {_TOO_LARGE}") from error
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error


def _load(path: Path) -> sitk.Image:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    spacing = reader.GetSpacing()
    if not all(np.isfinite(s) and s > 0 for s in spacing):
        raise InputError(f"{path} has the spacing {spacing} mm: positive numbers are needed.")
    check_promise(reader, path)
    return reader.Execute()


_TOO_LARGE = "is larger than the memory of this computer, or its header is damaged."

# What ITK says, and what it means to somebody who only wanted to open a file.
_MEANINGS = {
    "Unable to determine ImageIO": "is not an image in a format that can be read (NIfTI, NRRD, MHA, DICOM).",
    "orthonormal direction": "has a sheared grid, which cannot be used; resample it to a straight one.",
    "_ReadElementsData": "is cut off or its data file is missing.",
    "File cannot be read": "is cut off or its data file is missing.",
    "_nrrdEncoding": "is cut off or its data are damaged.",
    "Failed to allocate": _TOO_LARGE,
    "bad_alloc": _TOO_LARGE,
}


def _in_words(error: Exception) -> str:
    text = str(error)
    known = next((meaning for part, meaning in _MEANINGS.items() if part in text), None)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return known or f"is not an image that can be read ({lines[-1] if lines else type(error).__name__})."
