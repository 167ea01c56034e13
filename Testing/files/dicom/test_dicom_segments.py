"""DICOM SEG in and out: labels, names and colours, grids, and what other readers make of what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

import UniverSegSlicerLib
from Testing.files.dicom.dicom_maker import AXIAL, CT, SAGITTAL, dataset, enhanced, heights, save, write_series
from UniverSegSlicerLib.errors import InputError, OutputError
from UniverSegSlicerLib.files.dicom import check_segments_output, read_dicom, read_dicom_labels, write_dicom_segments
from UniverSegSlicerLib.files.label_maps import LabelMap, Segment
from UniverSegSlicerLib.imaging import Geometry, Volume

ARRAY = np.random.default_rng(4).integers(-1000, 1000, (8, 13, 11)).astype(np.int16)
LIVER = "Segmentation category and type~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~Anatomic codes~^^~^^"


def volume_of(folder: Path) -> Volume:
    """A CT, written and read."""
    write_series(folder, ARRAY, heights(len(ARRAY)))
    return read_dicom(folder)


def marks(values: tuple[int, ...] = (1, 2), slices: tuple[int, ...] = (2, 5)) -> np.ndarray:
    """Labels on some slices."""
    labels = np.zeros(ARRAY.shape, np.uint16)
    for n, value in enumerate(values):
        for k in slices:
            labels[k, 2 + 3 * n : 4 + 3 * n, 3 : 5 + n + k // 3] = value
    return labels


def segmentation(images: list[Dataset], pixels: np.ndarray, **options: Any) -> Any:
    """A SEG by highdicom, with segments A, B, C, ..."""
    code = highdicom.sr.CodedConcept("85756007", "SCT", "Tissue")
    count = options.pop("count", int(pixels.max()) if pixels.ndim == 3 else pixels.shape[-1])
    described = [
        highdicom.seg.SegmentDescription(
            n + 1, chr(65 + n), code, code, highdicom.seg.SegmentAlgorithmTypeValues.MANUAL
        )
        for n in range(count)
    ]
    return highdicom.seg.Segmentation(
        images, pixels, options.pop("kind", "BINARY"), described, "1.2.3.4", 5, "1.2.3.4.5", 1, "nobody", "none", "1",
        "1", **options,
    )  # fmt: skip


def images_of(folder: Path) -> list[Dataset]:
    """The slices of :func:`volume_of` in the order of their positions."""
    return sorted((pydicom.dcmread(path) for path in folder.iterdir()), key=lambda made: made.ImagePositionPatient[2])


def rising(volume: Any) -> Any:
    """A volume of highdicom, whose slices may go either way, with slices in rising order."""
    return volume.flip_spatial(0) if volume.affine[2, 0] < 0 else volume


@pytest.mark.parametrize("values", [(1, 2), (3, 7), (1,), (255, 256, 65535)])
def test_what_is_written_is_read_again(tmp_path: Path, values: tuple[int, ...]) -> None:
    volume, labels = volume_of(tmp_path / "ct"), marks(values)
    segments = tuple(Segment(value, f"structure {value} é", (1.0, 0.2, value % 5 / 5)) for value in values)
    write_dicom_segments(tmp_path / "seg.dcm", [LabelMap(labels, volume.geometry, segments)])
    (read,) = read_dicom_labels(tmp_path / "seg.dcm", onto=volume.geometry)
    np.testing.assert_array_equal(read.array, labels)
    assert read.geometry == volume.geometry
    assert read.names == {value: f"structure {value} é" for value in values}
    for ours, theirs in zip(segments, read.segments, strict=True):
        np.testing.assert_allclose(theirs.colour, ours.colour, atol=0.01)
    # Without the volume: from the first to the last slice with labels, at the same distance.
    (alone,) = read_dicom_labels(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(alone.array, labels[2:6])
    assert alone.geometry.spacing == volume.geometry.spacing
    assert alone.geometry.origin == (-10, -20, 35)


def test_another_reader_finds_series_segments_and_makers(tmp_path: Path) -> None:
    volume, labels = volume_of(tmp_path / "ct"), marks()
    segments = (Segment(1, "liver", (0.5, 0.5, 1.0), LIVER), Segment(2, "x" * 100 + "\\"))
    write_dicom_segments(tmp_path / "seg.dcm", [LabelMap(labels, volume.geometry, segments)])
    seg = highdicom.seg.segread(tmp_path / "seg.dcm")
    pixels = rising(seg.get_volume(combine_segments=True))
    np.testing.assert_array_equal(pixels.array, labels[2:6])
    np.testing.assert_allclose(pixels.affine[:3, 3], (-10, -20, 35))
    np.testing.assert_allclose(pixels.spacing, (2.5, 0.7, 0.5))
    images = images_of(tmp_path / "ct")
    assert {uids[2] for uids in seg.get_source_image_uids()} == {made.SOPInstanceUID for made in images}
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == images[0].SeriesInstanceUID
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientName"):
        assert seg[keyword].value == images[0][keyword].value
    first, second = (seg.get_segment_description(number) for number in (1, 2))
    assert first.segment_label == "liver" and second.segment_label == "x" * 64
    assert first.algorithm_type == highdicom.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC
    assert first.segmented_property_type.value == "10200004"
    assert second.segmented_property_type.value == "85756007"
    assert first.algorithm_identification.name == "UniverSegSlicer"
    assert first.algorithm_identification.version == UniverSegSlicerLib.__version__
    colour = highdicom.color.CIELabColor.from_dicom_value(list(first.RecommendedDisplayCIELabValue))
    np.testing.assert_allclose(colour.to_rgb(), (128, 128, 255), atol=2)
    assert seg.Manufacturer == seg.ManufacturerModelName == "UniverSegSlicer"
    assert seg.SeriesDescription == "axial segmentation"


def test_the_frames_of_an_enhanced_object(tmp_path: Path) -> None:
    order = [3, 0, 7, 1, 2, 6, 5, 4]
    save(enhanced(ARRAY[order], [heights(8)[n] for n in order]), tmp_path / "mr.dcm")
    volume = read_dicom(tmp_path / "mr.dcm")
    write_dicom_segments(tmp_path / "seg.dcm", [LabelMap(marks(), volume.geometry, (Segment(1, "a"), Segment(2, "b")))])
    (read,) = read_dicom_labels(tmp_path / "seg.dcm", onto=volume.geometry)
    np.testing.assert_array_equal(read.array, marks())
    seg = highdicom.seg.segread(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(rising(seg.get_volume(combine_segments=True)).array, marks()[2:6])


def test_one_time_point_of_an_enhanced_object(tmp_path: Path) -> None:
    both = np.concatenate([ARRAY, ARRAY + 1])
    made = enhanced(both, heights(8) * 2, marks=lambda n: {"TemporalPositionIndex": n // 8 + 1})
    volume = read_dicom(save(made, tmp_path / "mr.dcm"), component=1)
    write_dicom_segments(tmp_path / "seg.dcm", [LabelMap(marks(), volume.geometry, (Segment(1, "a"), Segment(2, "b")))])
    np.testing.assert_array_equal(read_dicom_labels(tmp_path / "seg.dcm", onto=volume.geometry)[0].array, marks())


def test_segments_that_overlap_stay_apart(tmp_path: Path) -> None:
    volume = volume_of(tmp_path / "ct")
    first, second = marks((1,)), np.where(marks((2,), (5, 6)) > 0, 2, 0).astype(np.uint16)
    assert (first.astype(bool) & second.astype(bool)).any()
    layers = [
        LabelMap(first, volume.geometry, (Segment(1, "liver"),)),
        LabelMap(second, volume.geometry, (Segment(2, "vessel"),)),
    ]
    write_dicom_segments(tmp_path / "seg.dcm", layers)
    read = read_dicom_labels(tmp_path / "seg.dcm", onto=volume.geometry)
    assert [layer.names for layer in read] == [{1: "liver"}, {2: "vessel"}]
    for ours, theirs in zip(layers, read, strict=True):
        np.testing.assert_array_equal(theirs.array, ours.array)


def test_nothing_found_is_a_segment_without_voxels(tmp_path: Path) -> None:
    volume = volume_of(tmp_path / "ct")
    nothing = LabelMap(np.zeros(ARRAY.shape, np.uint16), volume.geometry, (Segment(1, "liver"),))
    write_dicom_segments(tmp_path / "seg.dcm", [nothing])
    (read,) = read_dicom_labels(tmp_path / "seg.dcm")
    assert read.array.shape == ARRAY.shape and not read.array.any() and read.names == {1: "liver"}
    with pytest.raises(InputError, match="no segment to write"):
        write_dicom_segments(tmp_path / "other.dcm", [LabelMap(nothing.array, volume.geometry)])


def test_series_that_a_seg_cannot_refer_to(tmp_path: Path) -> None:
    path = tmp_path / "seg.dcm"

    def said(geometry: Geometry) -> str:
        with pytest.raises(InputError) as caught:
            check_segments_output(path, geometry)
        labels = LabelMap(np.zeros(geometry.shape, np.uint16), geometry, (Segment(1, "a"),))
        with pytest.raises(InputError):
            write_dicom_segments(path, [labels])
        assert not path.exists() and "write .nii.gz or .seg.nrrd instead" in str(caught.value)
        return str(caught.value)

    assert "the volume was not read from one" in said(Geometry((3, 3, 3)))
    picture = dataset(ARRAY[0], CT)
    assert "no place in the patient" in said(read_dicom(save(picture, tmp_path / "cr.dcm")).geometry)
    write_series(tmp_path / "ct", ARRAY, heights(8), change=lambda _, made: made.__delattr__("FrameOfReferenceUID"))
    assert "no Frame of Reference" in said(read_dicom(tmp_path / "ct").geometry)
    old = dataset(ARRAY, "1.2.840.10008.5.1.4.1.1.20")
    old.PixelSpacing, old.SpacingBetweenSlices = [1, 1], 2
    old.ImagePositionPatient, old.ImageOrientationPatient = [0, 0, 0], list(AXIAL)
    assert "frames of the old kind" in said(read_dicom(save(old, tmp_path / "nm.dcm")).geometry)


def test_it_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = volume_of(tmp_path / "ct")
    whole = [LabelMap(marks(), volume.geometry, (Segment(1, "a"), Segment(2, "b")))]
    path = tmp_path / "seg.dcm"
    path.write_bytes(b"older")

    def full(self: Any, target: Any, **_: Any) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(highdicom.seg.Segmentation, "save_as", full)
    with pytest.raises(OutputError, match="No space left"):
        write_dicom_segments(path, whole)
    assert path.read_bytes() == b"older" and sorted(p.name for p in tmp_path.iterdir()) == ["ct", "seg.dcm"]


def test_a_series_lacking_what_every_patient_has(tmp_path: Path) -> None:
    def anonymous(_: int, made: Dataset) -> None:
        for keyword in ("PatientName", "PatientID", "PatientSex", "PatientBirthDate", "StudyDate", "AccessionNumber"):
            delattr(made, keyword)

    write_series(tmp_path / "ct", ARRAY, heights(8), change=anonymous)
    volume = read_dicom(tmp_path / "ct")
    write_dicom_segments(tmp_path / "seg.dcm", [LabelMap(marks((1,)), volume.geometry, (Segment(1, "a"),))])
    np.testing.assert_array_equal(read_dicom_labels(tmp_path / "seg.dcm", onto=volume.geometry)[0].array, marks((1,)))


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
@pytest.mark.parametrize("omit", [False, True])
def test_segments_by_another_program(tmp_path: Path, kind: str, omit: bool) -> None:
    volume, labels = volume_of(tmp_path / "ct"), marks().astype(np.uint8)
    made = segmentation(images_of(tmp_path / "ct"), labels, kind=kind, omit_empty_frames=omit)
    made.save_as(tmp_path / "seg.dcm")
    (read,) = read_dicom_labels(tmp_path / "seg.dcm", onto=volume.geometry)
    np.testing.assert_array_equal(read.array, labels)
    assert read.names == {1: "A", 2: "B"}
    if not omit:
        (alone,) = read_dicom_labels(tmp_path / "seg.dcm")
        np.testing.assert_array_equal(alone.array, labels)
        assert alone.geometry == volume.geometry


def test_fractions_of_a_half_and_more_belong_to_a_segment(tmp_path: Path) -> None:
    volume = volume_of(tmp_path / "ct")
    part = np.zeros((*ARRAY.shape, 1), np.float32)
    part[2, 3, 4], part[2, 3, 5], part[2, 3, 6] = 0.4, 0.51, 1
    made = segmentation(images_of(tmp_path / "ct"), part, kind="FRACTIONAL", max_fractional_value=200)
    made.save_as(tmp_path / "seg.dcm")
    (read,) = read_dicom_labels(tmp_path / "seg.dcm", onto=volume.geometry)
    assert np.argwhere(read.array).tolist() == [[2, 3, 5], [2, 3, 6]]


@pytest.mark.parametrize("slices", [(4,), (0, 7), (1, 3, 7), (2, 5), (0, 1, 2, 3, 4, 5, 6, 7)])
def test_frames_of_some_slices(tmp_path: Path, slices: tuple[int, ...]) -> None:
    volume, labels = volume_of(tmp_path / "ct"), marks((1,), slices)
    made = segmentation(images_of(tmp_path / "ct"), labels.astype(np.uint8))
    made.save_as(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(read_dicom_labels(tmp_path / "seg.dcm", onto=volume.geometry)[0].array, labels)
    elsewhere = Geometry((11, 13, 8), (0.5, 0.7, 2.5), (-10, -20, 31.25))
    assert read_dicom_labels(tmp_path / "seg.dcm", onto=elsewhere)[0].geometry != elsewhere


def test_a_seg_is_no_volume_and_its_folder_holds_one(tmp_path: Path) -> None:
    volume = volume_of(tmp_path / "s")
    made = segmentation(images_of(tmp_path / "s"), marks().astype(np.uint8))
    made.save_as(tmp_path / "s" / "seg.dcm")
    np.testing.assert_array_equal(read_dicom(tmp_path / "s").array, volume.array)
    np.testing.assert_array_equal(read_dicom_labels(tmp_path / "s", onto=volume.geometry)[0].array, marks())
    with pytest.raises(InputError, match="is a DICOM SEG, which holds segments and no image; give it as label map"):
        read_dicom(tmp_path / "s" / "seg.dcm")
    with pytest.raises(InputError, match="is a DICOM SEG"):
        read_dicom(tmp_path / "s", series="5")


def test_a_series_of_labels(tmp_path: Path) -> None:
    write_series(tmp_path / "s", marks(), heights(8))
    (read,) = read_dicom_labels(tmp_path / "s")
    np.testing.assert_array_equal(read.array, marks())


def test_segments_that_make_no_label_map(tmp_path: Path) -> None:
    volume_of(tmp_path / "ct")
    path = tmp_path / "seg.dcm"
    whole = segmentation(images_of(tmp_path / "ct"), marks().astype(np.uint8), omit_empty_frames=False)
    whole.save_as(path)

    def said(change: Any) -> str:
        made = pydicom.dcmread(path)
        change(made)
        made.save_as(tmp_path / "spoilt.dcm")
        with pytest.raises(InputError) as caught:
            read_dicom_labels(tmp_path / "spoilt.dcm")
        assert "spoilt.dcm" in str(caught.value)
        return str(caught.value)

    def frame(made: Dataset, index: int = 3) -> Dataset:
        return made.PerFrameFunctionalGroupsSequence[index]

    def move(made: Dataset, place: list[float]) -> None:
        frame(made).PlanePositionSequence[0].ImagePositionPatient = place

    def turn(made: Dataset) -> None:
        frame(made).PlaneOrientationSequence = made.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
        made.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient = list(AXIAL)
        item = Dataset()
        item.ImageOrientationPatient = list(SAGITTAL)
        frame(made).PlaneOrientationSequence = [item]

    def unknown(made: Dataset) -> None:
        frame(made).SegmentIdentificationSequence[0].ReferencedSegmentNumber = 9

    assert "not evenly spaced" in said(lambda made: move(made, [-10, -20, 41.133]))
    assert "shifted sideways" in said(lambda made: move(made, [0, -20, 37.5]))
    assert "not parallel" in said(turn)
    assert "lists no segment 9" in said(unknown)
    assert "no position" in said(lambda made: delattr(frame(made), "PlanePositionSequence"))
    assert "describes 15" in said(lambda made: made.PerFrameFunctionalGroupsSequence.pop())
    assert "cut off" in said(lambda made: setattr(made, "PixelData", made.PixelData[:40]))
