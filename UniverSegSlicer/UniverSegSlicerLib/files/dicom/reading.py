"""What is DICOM, and the one volume in it."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from ...imaging import Volume, from_sitk
from ..promises import check_promise
from .elements import check_elements, is_dicom
from .series import read_series

__all__ = ["is_dicom", "read_dicom"]


def read_dicom(path: Path) -> Volume:
    """Read the volume of a DICOM file, or of a folder with one series."""
    if path.is_dir():
        return from_sitk(read_series(path))
    check_elements(path)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    check_promise(reader, path)
    return from_sitk(reader.Execute())
