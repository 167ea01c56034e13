"""Classic DICOM series: grids from positions, values slice by slice, and what makes slices no volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset

from Testing.files.dicom.dicom_maker import AXIAL, CT, MR, PET, SAGITTAL, heights, write_series
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files.dicom import read_dicom

ARRAY = np.random.default_rng(0).integers(-1000, 1000, (5, 6, 7)).astype(np.int16)


def refused(path: Path, *words: str, **options: object) -> str:
    """The sentence with which a path is refused; it names the path, and holds each of these words."""
    with pytest.raises(InputError) as caught:
        read_dicom(path, **options)  # type: ignore[arg-type]
    sentence = str(caught.value)
    assert path.name in sentence and "\n" not in sentence
    for word in words:
        assert word in sentence, sentence
    return sentence


def sitk_series(folder: Path) -> sitk.Image:
    """What SimpleITK makes of a folder."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def oblique(angle: float) -> tuple[tuple[float, ...], np.ndarray]:
    """An orientation turned about two axes, and its normal."""
    c, s = np.cos(angle), np.sin(angle)
    row, column = np.array([c, s, 0]), np.array([-s * c, c * c, s])
    return (*row, *column), np.cross(row, column)


def test_a_series_is_read_in_the_order_of_its_positions(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", ARRAY, heights(5))
    volume = read_dicom(tmp_path / "ct")
    np.testing.assert_array_equal(volume.array, ARRAY)
    assert volume.array.dtype == np.int16
    assert volume.geometry.spacing == (0.5, 0.7, 2.5)
    assert volume.geometry.origin == (-10, -20, 30)
    assert volume.geometry.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)


@pytest.mark.parametrize("turned", [AXIAL, SAGITTAL, (0, 1, 0, 1, 0, 0), (-1, 0, 0, 0, 0, 1), "oblique"])
@pytest.mark.parametrize("falling", [False, True])
def test_the_grid_and_the_voxels_are_those_of_simpleitk(tmp_path: Path, turned: object, falling: bool) -> None:
    orientation, normal = oblique(0.3)
    if turned != "oblique":
        orientation = turned  # type: ignore[assignment]
        normal = np.cross(orientation[:3], orientation[3:])
    order = range(5) if not falling else range(4, -1, -1)
    positions = [tuple(np.array([-31.5, 4.25, 90]) + 3.0 * k * normal) for k in order]

    def rescale(_: int, made: Dataset) -> None:
        made.RescaleSlope, made.RescaleIntercept = 2, -1024

    write_series(tmp_path / "mr", ARRAY, positions, orientation=orientation, kind=MR, change=rescale)
    volume, image = read_dicom(tmp_path / "mr"), sitk_series(tmp_path / "mr")
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(image))
    np.testing.assert_array_equal(volume.array, (ARRAY[::-1] if falling else ARRAY).astype(int) * 2 - 1024)
    for ours, theirs in (
        (volume.geometry.spacing, image.GetSpacing()),
        (volume.geometry.origin, image.GetOrigin()),
        (volume.geometry.direction, image.GetDirection()),
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_one_file_is_one_slice(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "ct", ARRAY, heights(5))
    volume = read_dicom(paths[1])
    np.testing.assert_array_equal(volume.array, ARRAY[1:2])
    assert volume.geometry.spacing == (0.5, 0.7, 2)
    assert volume.geometry.origin == (-10, -20, 32.5)


@pytest.mark.parametrize("first", [(1, 0), (2.5e-4, 0), (1e-5, 3.25)])
def test_every_slice_is_rescaled_by_its_own_slope(tmp_path: Path, first: tuple[float, float]) -> None:
    array = np.abs(ARRAY)
    slopes = [first, *((1e-4 * (k + 1), 0.5 * k) for k in range(1, 5))]
    if first == (1, 0):
        array[0] = 0  # as scanners write blank slices

    def rescale(index: int, made: Dataset) -> None:
        made.RescaleSlope, made.RescaleIntercept = slopes[index]

    write_series(tmp_path / "pet", array, heights(5), kind=PET, change=rescale)
    volume = read_dicom(tmp_path / "pet")
    expected = [
        plane * slope + intercept for plane, (slope, intercept) in zip(array.astype(float), slopes, strict=True)
    ]
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(volume.array, expected, rtol=1e-6)


def test_whole_slopes_give_whole_numbers(tmp_path: Path) -> None:
    array = np.full((3, 4, 4), 65535, np.uint16)

    def rescale(index: int, made: Dataset) -> None:
        made.RescaleSlope, made.RescaleIntercept = index + 1, -1024

    write_series(tmp_path / "ct", array, heights(3), change=rescale)
    volume = read_dicom(tmp_path / "ct")
    assert volume.array.dtype == np.int32
    assert volume.array[:, 0, 0].tolist() == [65535 - 1024, 131070 - 1024, 196605 - 1024]


@pytest.mark.parametrize(("slope", "word"), [("0", "Rescale Slope is 0"), ("NaN", "Rescale Slope"), ("1e300", "Slope")])
def test_senseless_slopes(tmp_path: Path, slope: str, word: str) -> None:
    def rescale(index: int, made: Dataset) -> None:
        made.RescaleIntercept = 0
        made.RescaleSlope = 2
        if index == 2:
            made["RescaleSlope"] = _raw("RescaleSlope", slope)

    write_series(tmp_path / "ct", ARRAY, heights(5), change=rescale)
    refused(tmp_path / "ct", word, "2-1.dcm")


def test_a_slice_without_a_slope_among_others(tmp_path: Path) -> None:
    array = np.abs(ARRAY)

    def rescale(index: int, made: Dataset) -> None:
        if index:
            made.RescaleSlope, made.RescaleIntercept = 1e-4, 0

    write_series(tmp_path / "pet", array, heights(5), kind=PET, change=rescale)
    refused(tmp_path / "pet", "has no Rescale Slope, which other slices of its series have")
    array[0] = 0
    write_series(tmp_path / "pet", array, heights(5), kind=PET, change=rescale)
    np.testing.assert_allclose(read_dicom(tmp_path / "pet").array, array * 1e-4, rtol=1e-6)


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ([(0, 0, 0), (0, 0, 2), (0, 0, 6), (0, 0, 8), (0, 0, 10)], ["not evenly spaced", "4 mm after slice 2"]),
        ([(0, 0, 0), (0, 0, 2), (0, 0, 4), (0, 0, 6), (0, 0, 10)], ["not evenly spaced", "missing"]),
        ([(0, 0, 0), (0, 0, 2), (0, 0, 4), (0, 0, 5), (0, 0, 6)], ["not evenly spaced"]),
        ([(0, 0, 0), (0, 1, 2), (0, 2, 4), (0, 3, 6), (0, 4, 8)], ["gantry tilt of 27 degrees", "resample"]),
        ([(0, 0, 0), (0, 0.1, 2), (0, 0.2, 4), (0, 0.3, 6), (0, 0.4, 8)], ["gantry tilt of 2.9 degrees"]),
        ([(0, 0, 0), (5, 0, 2), (0, 0, 4), (0, 0, 6), (0, 0, 8)], ["shifted sideways"]),
        ([(0, 0, 0)] * 5, ["same position"]),
        ([(0, 0, 0), (0, 0, 2), (0, 0, 2), (0, 0, 4), (0, 0, 6)], ["same position", "1 of 4 positions"]),
    ],
)
def test_stacks_that_are_no_grid_are_refused(tmp_path: Path, positions: list, words: list[str]) -> None:
    write_series(tmp_path / "ct", ARRAY, positions)
    refused(tmp_path / "ct", *words)


def test_positions_as_scanners_round_them_are_a_grid(tmp_path: Path) -> None:
    positions = [(0, 0, round(0.625 * k, 1)) for k in range(5)]
    write_series(tmp_path / "ct", ARRAY, positions)
    assert read_dicom(tmp_path / "ct").geometry.spacing == (0.5, 0.7, 0.625)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImagePositionPatient", "-20\\-15\\"),
        ("ImagePositionPatient", "1\\2"),
        ("ImagePositionPatient", "nan\\0\\0"),
        ("ImagePositionPatient", "1e300\\0\\0"),
        ("ImagePositionPatient", "a\\b\\c"),
        ("ImageOrientationPatient", "1\\0\\0\\1\\0\\0"),
        ("ImageOrientationPatient", "0\\0\\0\\0\\0\\0"),
        ("ImageOrientationPatient", "1\\0\\0\\0\\inf\\0"),
        ("PixelSpacing", "0\\0"),
        ("PixelSpacing", "-1\\1"),
        ("PixelSpacing", "1"),
        ("RescaleIntercept", "1\\2"),
    ],
)
def test_senseless_numbers_are_named(tmp_path: Path, keyword: str, value: str) -> None:
    from pydicom.datadict import dictionary_description

    def spoil(index: int, made: Dataset) -> None:
        if index == 3:
            made[keyword] = _raw(keyword, value)

    write_series(tmp_path / "ct", ARRAY, heights(5), change=spoil)
    refused(tmp_path / "ct", dictionary_description(keyword), "3-1.dcm")


def _raw(keyword: str, value: str):
    """An element whose text pydicom would not write."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    data = value.encode() + b" " * (len(value) % 2)
    return RawDataElement(Tag(tag_for_keyword(keyword)), dictionary_VR(keyword), len(data), data, 0, False, True)


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient"])
@pytest.mark.parametrize("every", [False, True])
def test_slices_without_position_or_orientation(tmp_path: Path, keyword: str, every: bool) -> None:
    def spoil(index: int, made: Dataset) -> None:
        if every or index == 3:
            del made[keyword]

    write_series(tmp_path / "ct", ARRAY, heights(5), change=spoil)
    refused(tmp_path / "ct", "position", "orientation", "stacked")


def test_slices_that_do_not_say_how_large_their_pixels_are(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "ct", ARRAY, heights(5), change=lambda _, made: made.__delattr__("PixelSpacing"))
    refused(tmp_path / "ct", "Pixel Spacing")
    assert read_dicom(paths[0]).geometry.spacing == (1, 1, 2)  # a picture


def test_two_directions_are_told_apart(tmp_path: Path) -> None:
    write_series(tmp_path / "mr", ARRAY, heights(5))
    positions = [(2.0 * k, 0, 0) for k in range(3)]
    for path in write_series(tmp_path / "mr", ARRAY[:3] + 1, positions, orientation=SAGITTAL, series=2):
        import pydicom

        made = pydicom.dcmread(path)
        made.SeriesInstanceUID = pydicom.dcmread(next((tmp_path / "mr").glob("*-1.dcm"))).SeriesInstanceUID
        made.save_as(path)
    refused(
        tmp_path / "mr", "2 stacks of slices that are not parallel",
        "--component: 0 (axial 7 x 6, 5 slices), 1 (sagittal 7 x 6, 3 slices)",
    )  # fmt: skip
    np.testing.assert_array_equal(read_dicom(tmp_path / "mr", component=0).array, ARRAY)
    second = read_dicom(tmp_path / "mr", component=1)
    np.testing.assert_allclose(second.geometry.matrix[:, 2], np.cross(SAGITTAL[:3], SAGITTAL[3:]))
    assert second.array.shape == (3, 6, 7)


@pytest.mark.parametrize(
    ("mark", "values", "title"),
    [
        ("TemporalPositionIdentifier", [1, 2], "time point 1"),
        ("EchoTime", [2.3, 10.5], "echo time 2.3"),
        ("TriggerTime", [0, 400], "trigger time 0"),
        ("AcquisitionNumber", [4, 5], "acquisition 4"),
        ("ImageType", [["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]], "image type ORIGINAL\\PRIMARY\\M"),
        ("AcquisitionTime", ["120000", "120130"], "time 120000"),
        (None, [0, 0], "number 1 of 2 at each position"),
    ],
)
@pytest.mark.parametrize("interleaved", [False, True])
def test_time_points_are_told_apart_and_chosen(
    tmp_path: Path, mark: str | None, values: list, title: str, interleaved: bool
) -> None:
    both = np.concatenate([ARRAY, ARRAY + 1])
    order = [k + 5 * t for k in range(5) for t in range(2)] if interleaved else list(range(10))

    def change(index: int, made: Dataset) -> None:
        made.InstanceNumber = index + 1
        if mark is not None:
            setattr(made, mark, values[order[index] // 5])

    write_series(tmp_path / "mr", both[order], [heights(5)[n % 5] for n in order], kind=MR, change=change)
    refused(tmp_path / "mr", "several slices at the same position: 2 volumes", f"--component: 0 ({title}), 1 (")
    for component, expected in enumerate((ARRAY, ARRAY + 1)):
        volume = read_dicom(tmp_path / "mr", component=component)
        np.testing.assert_array_equal(volume.array, expected)
        assert volume.geometry.spacing == (0.5, 0.7, 2.5)
    refused(tmp_path / "mr", "--component 2 is none", "the last 1", component=2)


def test_echoes_and_times_at_once(tmp_path: Path) -> None:
    def change(index: int, made: Dataset) -> None:
        made.InstanceNumber = 1
        made.EchoTime, made.TemporalPositionIdentifier = 1 + index // 3 % 2, 1 + index // 6

    array = np.stack([np.full((4, 4), n, np.int16) for n in range(12)])
    write_series(tmp_path / "mr", array, heights(3) * 4, kind=MR, change=change)
    refused(tmp_path / "mr", "4 volumes", "0 (time point 1, echo time 1")
    assert read_dicom(tmp_path / "mr", component=3).array[:, 0, 0].tolist() == [9, 10, 11]


def test_the_phases_of_one_slice(tmp_path: Path) -> None:
    def change(index: int, made: Dataset) -> None:
        made.TriggerTime = 40 * index

    write_series(tmp_path / "mr", ARRAY, heights(1) * 5, kind=MR, change=change)
    refused(tmp_path / "mr", "5 volumes", "0 (trigger time 0), 1 (trigger time 40), ..., 4 (trigger time 160)")
    np.testing.assert_array_equal(read_dicom(tmp_path / "mr", component=3).array, ARRAY[3:4])


def test_parallel_stacks_side_by_side(tmp_path: Path) -> None:
    places = [(0, 0, z) for z in (0, 2, 4, 40, 42)]

    def change(index: int, made: Dataset) -> None:
        made.AcquisitionNumber = 1 + index // 3

    write_series(tmp_path / "mr", ARRAY, places, kind=MR, change=change)
    refused(tmp_path / "mr", "2 stacks of slices at different places", "0 (acquisition 1), 1 (acquisition 2)")
    np.testing.assert_array_equal(read_dicom(tmp_path / "mr", component=0).array, ARRAY[:3])


def test_localizers_in_the_series_are_left_out(tmp_path: Path) -> None:
    def change(index: int, made: Dataset) -> None:
        if index == 0:
            made.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
            made.ImageOrientationPatient = list(SAGITTAL)

    write_series(tmp_path / "ct", ARRAY, heights(5), kind=CT, change=change)
    np.testing.assert_array_equal(read_dicom(tmp_path / "ct").array, ARRAY[1:])


def test_a_mosaic_is_refused(tmp_path: Path) -> None:
    def change(index: int, made: Dataset) -> None:
        made.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]

    paths = write_series(tmp_path / "mr", ARRAY[:1], heights(1), kind=MR, change=change)
    for path in (paths[0], tmp_path / "mr"):
        with pytest.raises(InputError, match=r"Siemens mosaic.*dcm2niix"):
            read_dicom(path)


def test_a_time_point_that_was_broken_off(tmp_path: Path) -> None:
    both = np.concatenate([ARRAY, ARRAY[:3] + 1])

    def change(index: int, made: Dataset) -> None:
        made.TemporalPositionIdentifier = 1 + index // 5

    write_series(tmp_path / "mr", both, [*heights(5), *heights(3)], kind=MR, change=change)
    refused(
        tmp_path / "mr", "same position", "not all of them whole", "--component: 0 (time point 1), 1 (time point 2)"
    )
    np.testing.assert_array_equal(read_dicom(tmp_path / "mr", component=0).array, ARRAY)
    np.testing.assert_array_equal(read_dicom(tmp_path / "mr", component=1).array, ARRAY[:3] + 1)


def test_lengths_that_nobody_needs_may_be_senseless(tmp_path: Path) -> None:
    def spoil(index: int, made: Dataset) -> None:
        made["SliceThickness"] = _raw("SliceThickness", "nan")
        made["SpacingBetweenSlices"] = _raw("SpacingBetweenSlices", "1e300")

    write_series(tmp_path / "ct", ARRAY, heights(5), change=spoil)
    assert read_dicom(tmp_path / "ct").geometry.spacing == (0.5, 0.7, 2.5)


def test_a_slice_cut_anywhere_is_never_left_out(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "ct", ARRAY, heights(5))
    whole = paths[4].read_bytes()
    for end in [*range(133, len(whole), 5), len(whole) - 1]:
        paths[4].write_bytes(whole[:end])
        with pytest.raises(InputError, match=paths[4].name):
            read_dicom(tmp_path / "ct")
    paths[4].write_bytes(whole)
    assert read_dicom(tmp_path / "ct").array.shape == (5, 6, 7)


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("Rows", 0, "tells of 7 x 0 pixels"),
        ("Columns", None, "tells of 0 x 6 pixels"),
        ("BitsStored", 20, "Bits Stored is 20, of 16"),
        ("PixelRepresentation", None, "whether its voxels have a sign"),
        ("SamplesPerPixel", 3, "several samples per pixel"),
        ("NumberOfFrames", "two", "Number of Frames is 'two'"),
    ],
)
def test_a_damaged_slice_is_never_left_out(tmp_path: Path, keyword: str, value: object, words: str) -> None:
    def spoil(index: int, made: Dataset) -> None:
        if index == 4 and value is None:
            delattr(made, keyword)
        elif index == 4 and isinstance(value, str):
            made[keyword] = _raw(keyword, value)
        elif index == 4:
            setattr(made, keyword, value)

    write_series(tmp_path / "ct", ARRAY, heights(5), change=spoil)
    with pytest.raises(InputError, match=words):
        read_dicom(tmp_path / "ct")
