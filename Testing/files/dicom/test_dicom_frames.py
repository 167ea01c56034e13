"""Multi-frame DICOM: frames sorted and rescaled one by one, what tells them apart, and frames that lie nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from Testing.files.dicom.dicom_maker import AXIAL, CT, SAGITTAL, dataset, enhanced, heights, save
from Testing.files.dicom.test_dicom import refused
from UniverSegSlicerLib.files.dicom import read_dicom

ARRAY = np.random.default_rng(1).integers(-1000, 1000, (5, 6, 7)).astype(np.int16)
SHUFFLED = [3, 0, 4, 1, 2]


def saved(made: Dataset, folder: Path, name: str = "frames.dcm") -> Path:
    """Write a data set."""
    return save(made, folder / name)


@pytest.mark.parametrize("order", [SHUFFLED, [1, 0, 2, 3, 4], [4, 3, 2, 1, 0], [0, 1, 2, 4, 3]])
def test_frames_are_sorted_by_position(tmp_path: Path, order: list[int]) -> None:
    places = heights(5)
    path = saved(enhanced(ARRAY[order], [places[n] for n in order]), tmp_path)
    volume = read_dicom(path)
    np.testing.assert_array_equal(volume.array, ARRAY)
    assert volume.geometry.spacing == (0.5, 0.7, 2.5)
    assert volume.geometry.origin == (-10, -20, 30)


def test_frames_in_order_are_read_as_simpleitk_reads_them(tmp_path: Path) -> None:
    path = saved(enhanced(ARRAY, heights(5)), tmp_path)
    image, volume = sitk.ReadImage(str(path)), read_dicom(path)
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(volume.geometry.spacing, image.GetSpacing())
    np.testing.assert_allclose(volume.geometry.origin, image.GetOrigin())
    np.testing.assert_allclose(volume.geometry.direction, image.GetDirection())


def test_every_frame_is_rescaled_by_its_own_slope(tmp_path: Path) -> None:
    slopes = [(0.5 + 0.25 * k, 10.0 * k) for k in range(5)]
    places = heights(5)
    made = enhanced(ARRAY[SHUFFLED], [places[n] for n in SHUFFLED], slopes=[slopes[n] for n in SHUFFLED])
    expected = [plane * slope + add for plane, (slope, add) in zip(ARRAY.astype(float), slopes, strict=True)]
    np.testing.assert_allclose(read_dicom(saved(made, tmp_path)).array, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "marks",
    [
        lambda n: {"TemporalPositionIndex": n // 5 + 1},
        lambda n: {"DimensionIndexValues": [1, n % 5 + 1, n // 5 + 1]},
        lambda n: {"StackID": str(n // 5 + 1), "InStackPositionNumber": n % 5 + 1},
        lambda n: {"FrameAcquisitionNumber": n // 5 + 1},
        lambda n: {},
    ],
)
def test_time_points_in_one_file(tmp_path: Path, marks: Any) -> None:
    both = np.concatenate([ARRAY, ARRAY + 1])
    path = saved(enhanced(both, heights(5) * 2, marks=marks), tmp_path)
    refused(path, "several slices at the same position: 2 volumes", "choose one with --component: 0 (")
    np.testing.assert_array_equal(read_dicom(path, component=0).array, ARRAY)
    np.testing.assert_array_equal(read_dicom(path, component=1).array, ARRAY + 1)


def test_time_points_in_files_of_a_series(tmp_path: Path) -> None:
    for number in range(2):
        made = enhanced(ARRAY + number, heights(5), marks=lambda n, t=number: {"TemporalPositionIndex": t + 1})
        made.InstanceNumber, made.SOPInstanceUID = number + 1, f"1.2.{number}"
        saved(made, tmp_path / "s", f"{number}.dcm")
    refused(tmp_path / "s", "2 volumes", "time point 1")
    np.testing.assert_array_equal(read_dicom(tmp_path / "s", component=1).array, ARRAY + 1)


def test_a_volume_in_several_files(tmp_path: Path) -> None:
    for number, part in enumerate((slice(3, 5), slice(0, 3))):
        made = enhanced(ARRAY[part], heights(5)[part])
        made.SOPInstanceUID = f"1.2.{number}"
        saved(made, tmp_path / "s", f"{number}.dcm")
    np.testing.assert_array_equal(read_dicom(tmp_path / "s").array, ARRAY)


def test_two_directions_in_one_file(tmp_path: Path) -> None:
    places = [*heights(3), (0, 0, 0), (3, 0, 0)]
    path = saved(enhanced(ARRAY, places, orientations=[AXIAL] * 3 + [SAGITTAL] * 2), tmp_path)
    refused(path, "2 stacks of slices that are not parallel", "1 (sagittal 7 x 6, 2 slices)")
    np.testing.assert_array_equal(read_dicom(path, component=0).array, ARRAY[:3])


@pytest.mark.parametrize(
    ("places", "word"),
    [
        ([(0, 0, z) for z in (0, 2, 4, 8, 10)], "not evenly spaced"),
        ([(0, y, 2 * y) for y in range(5)], "gantry tilt"),
        ([(0, 0, 0)] * 2 + [(0, 0, 2), (0, 0, 4), (0, 0, 6)], "same position"),
    ],
)
def test_frames_that_are_no_grid(tmp_path: Path, places: list, word: str) -> None:
    refused(saved(enhanced(ARRAY, places), tmp_path), word)


def test_a_frame_without_a_position(tmp_path: Path) -> None:
    made = enhanced(ARRAY, heights(5))
    del made.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence
    refused(saved(made, tmp_path), "1 of 5 slices have no position")


def test_more_frames_than_are_described(tmp_path: Path) -> None:
    made = enhanced(ARRAY, heights(5))
    del made.PerFrameFunctionalGroupsSequence[4]
    refused(saved(made, tmp_path), "it has 5 frames and describes 4 of them")


def test_classic_frames_without_positions(tmp_path: Path) -> None:
    made = dataset(ARRAY, CT)
    made.SliceThickness, made.PixelSpacing = 3, [1, 1]
    made.ImagePositionPatient, made.ImageOrientationPatient = [0, 0, 0], list(AXIAL)
    path = saved(made, tmp_path)
    refused(path, "5 frames that have no positions, so that their distance is not known", "--component: 0 (frame 1)")
    np.testing.assert_array_equal(read_dicom(path, component=2).array, ARRAY[2:3])


def test_a_film_is_said_to_be_one(tmp_path: Path) -> None:
    made = dataset(np.abs(ARRAY).astype(np.uint8), "1.2.840.10008.5.1.4.1.1.3.1")
    made.FrameTime = 40
    refused(saved(made, tmp_path), "5 frames that follow each other in time")


@pytest.mark.parametrize("between", [2.5, -2.5])
def test_nuclear_frames_lie_at_their_distance(tmp_path: Path, between: float) -> None:
    made = dataset(ARRAY, "1.2.840.10008.5.1.4.1.1.20")
    made.PixelSpacing, made.SpacingBetweenSlices = [0.7, 0.5], between
    detector = Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = [-10, -20, 30], list(AXIAL)
    made.DetectorInformationSequence = Items([detector])
    volume = read_dicom(saved(made, tmp_path))
    np.testing.assert_array_equal(volume.array, ARRAY if between > 0 else ARRAY[::-1])
    assert volume.geometry.spacing == (0.5, 0.7, 2.5)
    assert volume.geometry.origin == ((-10, -20, 30) if between > 0 else (-10, -20, 20))


@pytest.mark.parametrize("offsets", [[0, 3, 6, 9, 12], [30, 33, 36, 39, 42], [0, -3, -6, -9, -12]])
def test_doses_are_scaled_and_lie_at_their_offsets(tmp_path: Path, offsets: list[float]) -> None:
    made = dataset(ARRAY.astype(np.uint32) % 5000, "1.2.840.10008.5.1.4.1.1.481.2")
    made.ImagePositionPatient, made.ImageOrientationPatient = [-10, -20, 30], list(AXIAL)
    made.PixelSpacing, made.GridFrameOffsetVector, made.DoseGridScaling = [0.7, 0.5], offsets, 1e-3
    volume = read_dicom(saved(made, tmp_path))
    expected = (ARRAY.astype(np.uint32) % 5000)[:: -1 if offsets[1] < 0 else 1] * 1e-3
    np.testing.assert_allclose(volume.array, expected, rtol=1e-6)
    assert volume.geometry.spacing == (0.5, 0.7, 3)
    assert volume.geometry.origin[2] == (18 if offsets[1] < 0 else 30)


def test_values_in_floating_point(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
    made = enhanced(ARRAY, heights(5))
    for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(made, keyword)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.30"
    made.BitsAllocated, made.FloatPixelData = 32, values.tobytes()
    np.testing.assert_array_equal(read_dicom(saved(made, tmp_path)).array, values)
