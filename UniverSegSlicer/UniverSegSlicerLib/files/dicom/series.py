"""A folder with one DICOM series, or one of its files, as an ITK image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...errors import InputError
from ..promises import check_promise
from .elements import check_elements, is_dicom

_POSITION, _ORIENTATION, _TITLE = "0020|0032", "0020|0037", "0008|103e"
# Slice positions are rounded by scanners; what differs by more than this part of a step is a missing slice or a tilt.
_STEP_TOLERANCE = 0.05


def read_series(folder: Path) -> sitk.Image:
    """Read the only series of a folder, slices in the order of their positions.

    Raises:
        InputError: No series, several, slices that are not evenly spaced, not parallel, or sheared (gantry tilt).
    """
    for path in folder.iterdir():
        if path.is_file() and is_dicom(path):
            check_elements(path)
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if not series:
        raise InputError(f"{folder} holds no DICOM series.")
    if len(series) > 1:
        titles = ", ".join(sorted(_title(folder, uid) for uid in series))
        raise InputError(f"{folder} holds {len(series)} DICOM series ({titles}); give a folder with one.")
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series[0])
    tags = [_tags(file) for file in files]
    if len(files) > 1:
        _check_steps(folder, tags)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    return reader.Execute()


def _title(folder: Path, uid: str) -> str:
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
    tags = _tags(files[0])
    return f"{tags.get(_TITLE, 'untitled').strip() or 'untitled'}, {len(files)} files"


def _tags(file: str) -> dict[str, str]:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(file)
    reader.ReadImageInformation()
    check_promise(reader, Path(file))
    return {key: reader.GetMetaData(key) for key in (_POSITION, _ORIENTATION, _TITLE) if reader.HasMetaDataKey(key)}


def _check_steps(folder: Path, tags: list[dict[str, str]]) -> None:
    if not all(_POSITION in t and _ORIENTATION in t for t in tags):
        raise InputError(f"{folder}: slices without position and orientation cannot be stacked to a volume.")
    positions = np.array([_vector(t[_POSITION]) for t in tags])
    orientations = np.array([_vector(t[_ORIENTATION]) for t in tags])
    if np.abs(orientations - orientations[0]).max() > 1e-3:
        raise InputError(f"{folder}: the slices are not parallel (a localiser or a rotating series); give one stack.")
    steps = np.diff(positions, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    usual = float(np.median(lengths))
    if usual == 0:
        raise InputError(f"{folder}: several slices lie at the same position (a time series?); give one time point.")
    worst = int(np.abs(lengths - usual).argmax())
    if abs(lengths[worst] - usual) > _STEP_TOLERANCE * usual:
        raise InputError(
            f"{folder}: the slices are not evenly spaced ({lengths[worst]:.4g} mm after slice {worst + 1}, "
            f"{usual:.4g} mm elsewhere); a slice is missing or double."
        )
    normal = np.cross(orientations[0][:3], orientations[0][3:])
    sideways = np.linalg.norm(steps - np.outer(steps @ normal, normal), axis=1).max()
    if sideways > _STEP_TOLERANCE * usual:
        raise InputError(
            f"{folder}: the slices are shifted sideways (gantry tilt); resample the scan to a straight grid."
        )


def _vector(text: str) -> list[float]:
    return [float(part) for part in text.split("\\")]
