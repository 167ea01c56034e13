"""Tiny DICOM files for tests, made with pydicom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian

CT, MR, PET = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128")
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
AXIAL, SAGITTAL = (1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1)
ROOT = "1.2.826.0.1.3680043.8.498."

Change = Callable[[int, Dataset], None]


def dataset(array: np.ndarray, kind: str = CT, *, series: int = 1, instance: int = 1) -> Dataset:
    """A data set with the voxels (rows, columns) or (frames, rows, columns) of an array of whole numbers."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID(kind)
    meta.MediaStorageSOPInstanceUID = UID(f"{ROOT}{series}.{instance}")
    made = Dataset()
    made.file_meta = meta
    made.SOPClassUID, made.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID, made.SeriesInstanceUID = f"{ROOT}9", f"{ROOT}{series}"
    made.FrameOfReferenceUID = f"{ROOT}7"
    made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = "Phantom^P", "P", "", ""
    made.StudyDate, made.StudyTime, made.StudyID, made.AccessionNumber = "20260101", "120000", "1", ""
    made.ReferringPhysicianName, made.Manufacturer = "", "nobody"
    made.Modality, made.SeriesDescription = {MR: "MR", PET: "PT"}.get(kind, "CT"), "axial"
    made.SeriesNumber, made.InstanceNumber = series, instance
    set_voxels(made, array)
    return made


def set_voxels(made: Dataset, array: np.ndarray) -> None:
    """Put voxels of 8, 16 or 32 bits into a data set."""
    made.Rows, made.Columns = array.shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = array.dtype.itemsize * 8
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(array.dtype.kind == "i")
    data = array.tobytes()
    made.PixelData = data + b"\0" * (len(data) % 2)
    made["PixelData"].VR = "OB" if array.dtype.itemsize == 1 else "OW"
    if array.ndim == 3:
        made.NumberOfFrames = len(array)


def save(made: Dataset, path: Path) -> Path:
    """Write a data set to a file, in the transfer syntax that its meta information names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return path


def write_series(
    folder: Path,
    array: np.ndarray,
    positions: Sequence[Sequence[float]],
    *,
    orientation: Sequence[float] = AXIAL,
    spacing: tuple[float, float] = (0.7, 0.5),
    kind: str = CT,
    series: int = 1,
    change: Change | None = None,
) -> list[Path]:
    """A classic series, one file for each of ``array`` (K, J, I); names are in another order than positions.

    Args:
        spacing: Between rows, between columns.
        change: Is given the number of each slice and its data set before it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, (plane, position) in enumerate(zip(array, positions, strict=True)):
        made = dataset(plane, kind, series=series, instance=index + 1)
        made.ImagePositionPatient, made.ImageOrientationPatient = list(position), list(orientation)
        made.PixelSpacing, made.SliceThickness = list(spacing), 2
        if change is not None:
            change(index, made)
        path = folder / f"{(index * 7) % 10}{index:03d}-{series}.dcm"
        save(made, path)
        paths.append(path)
    return paths


def enhanced(
    array: np.ndarray,
    positions: Sequence[Sequence[float]],
    *,
    orientations: Sequence[Sequence[float]] | None = None,
    slopes: Sequence[tuple[float, float]] | None = None,
    spacing: tuple[float, float] = (0.7, 0.5),
    series: int = 1,
    marks: Callable[[int], dict[str, Any]] | None = None,
) -> Dataset:
    """An enhanced MR object with the frames of ``array`` (frames, rows, columns).

    Args:
        slopes: (slope, intercept) of each frame; else 1 and 0 for all of them.
        marks: Elements of each frame's content (``StackID``, ``TemporalPositionIndex``, ``DimensionIndexValues``).
    """
    made = dataset(array, ENHANCED_MR, series=series)
    made.Modality = "MR"
    shared, frames = Dataset(), []
    shared.PixelMeasuresSequence = Items([_item(PixelSpacing=list(spacing), SliceThickness=2)])
    if orientations is None:
        shared.PlaneOrientationSequence = Items([_item(ImageOrientationPatient=list(AXIAL))])
    if slopes is None:
        shared.PixelValueTransformationSequence = Items([_rescale(1, 0)])
    for index, position in enumerate(positions):
        frame = Dataset()
        frame.PlanePositionSequence = Items([_item(ImagePositionPatient=list(position))])
        frame.FrameContentSequence = Items([_item(**(marks(index) if marks is not None else {}))])
        if orientations is not None:
            frame.PlaneOrientationSequence = Items([_item(ImageOrientationPatient=list(orientations[index]))])
        if slopes is not None:
            frame.PixelValueTransformationSequence = Items([_rescale(*slopes[index])])
        frames.append(frame)
    made.SharedFunctionalGroupsSequence, made.PerFrameFunctionalGroupsSequence = Items([shared]), Items(frames)
    return made


def _item(**elements: Any) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _rescale(slope: float, intercept: float) -> Dataset:
    return _item(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US")


def heights(count: int, step: float = 2.5) -> list[tuple[float, float, float]]:
    """Positions of axial slices."""
    return [(-10.0, -20.0, 30.0 + step * k) for k in range(count)]
