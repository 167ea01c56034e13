"""Voxels of DICOM files: types, byte orders, compressions, and what is cut off or no number per voxel."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

from Testing.files.dicom.dicom_maker import dataset, enhanced, heights, save, write_series
from Testing.files.dicom.test_dicom import refused
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files import read_volume
from UniverSegSlicerLib.files.dicom import read_dicom

RNG = np.random.default_rng(2)
ARRAY = RNG.integers(-1000, 1000, (5, 6, 7)).astype(np.int16)
LARGE = RNG.integers(0, 4000, (5, 40, 44)).astype(np.uint16)


def shipped(name: str) -> Path:
    """A file that is part of pydicom's package."""
    found = get_testdata_file(name, download=False)
    if found is None:
        pytest.skip(f"{name} does not come with this pydicom")
    return Path(str(found))


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32])
@pytest.mark.parametrize("columns", [6, 7])
def test_whole_numbers_of_every_size(tmp_path: Path, kind: type, columns: int) -> None:
    ends = np.iinfo(kind)
    array = RNG.integers(ends.min, ends.max, (3, 5, columns), dtype=kind, endpoint=True)
    write_series(tmp_path / "ct", array, heights(3))
    volume = read_volume(tmp_path / "ct")
    np.testing.assert_array_equal(volume.array, array)
    assert volume.array.dtype == kind


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32])
def test_big_endian(tmp_path: Path, kind: type, words: bool) -> None:
    array = RNG.integers(0, 120, (3, 5, 6)).astype(kind)

    def swap(index: int, made: Dataset) -> None:
        # Voxels of 8 bits may stand in words, whose order turns too.
        order = array.dtype.newbyteorder(">")
        made.PixelData = array[index].astype(order).tobytes()
        made["PixelData"].VR = "OB" if array.dtype.itemsize == 1 and not words else "OW"
        if array.dtype.itemsize == 1 and words:
            made.PixelData = array[index].reshape(-1, 2)[:, ::-1].tobytes()
        made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian

    write_series(tmp_path / "ct", array, heights(3), change=swap)
    np.testing.assert_array_equal(read_volume(tmp_path / "ct").array, array)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_other_ways_to_write_elements(tmp_path: Path, syntax: str) -> None:
    def change(_: int, made: Dataset) -> None:
        made.file_meta.TransferSyntaxUID = syntax

    write_series(tmp_path / "ct", ARRAY, heights(5), change=change)
    np.testing.assert_array_equal(read_volume(tmp_path / "ct").array, ARRAY)


@pytest.mark.parametrize("signed", [False, True])
def test_bits_beyond_those_stored_are_not_part_of_the_value(tmp_path: Path, signed: bool) -> None:
    values = RNG.integers(-2048 if signed else 0, 2047 if signed else 4095, (3, 5, 6))
    overlay = RNG.integers(0, 16, values.shape).astype(np.uint16) << 12
    stored = (values & 0x0FFF).astype(np.uint16) | overlay

    def change(_: int, made: Dataset) -> None:
        made.BitsStored, made.HighBit, made.PixelRepresentation = 12, 11, int(signed)

    write_series(tmp_path / "ct", stored, heights(3), change=change)
    np.testing.assert_array_equal(read_volume(tmp_path / "ct").array, values)


@pytest.mark.parametrize("signed", [False, True])
def test_values_in_the_upper_bits(tmp_path: Path, signed: bool) -> None:
    values = RNG.integers(-2048 if signed else 0, 2047 if signed else 4095, (3, 5, 6))

    def change(_: int, made: Dataset) -> None:
        made.BitsStored, made.HighBit, made.PixelRepresentation = 12, 15, int(signed)

    write_series(tmp_path / "ct", ((values & 0x0FFF) << 4).astype(np.uint16), heights(3), change=change)
    np.testing.assert_array_equal(read_volume(tmp_path / "ct").array, values)


def test_a_table_in_place_of_a_slope(tmp_path: Path) -> None:
    table = np.random.default_rng(0).integers(0, 60000, 256).astype(np.uint16)
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [256, 0, 16])
    item.ModalityLUTType = "US"
    item.add_new("LUTData", "OW", table.tobytes())
    array = RNG.integers(0, 255, (3, 5, 6)).astype(np.uint8)
    write_series(
        tmp_path / "cr", array, heights(3), change=lambda _, made: setattr(made, "ModalityLUTSequence", [item])
    )
    np.testing.assert_array_equal(read_volume(tmp_path / "cr").array, table[array])


def test_monochrome1_and_padding_keep_their_values(tmp_path: Path) -> None:
    def change(_: int, made: Dataset) -> None:
        made.PhotometricInterpretation = "MONOCHROME1"
        made.PixelPaddingValue = -1000

    write_series(tmp_path / "cr", ARRAY, heights(5), change=change)
    np.testing.assert_array_equal(read_volume(tmp_path / "cr").array, ARRAY)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_series_compressed_without_loss(tmp_path: Path, syntax: str) -> None:
    for path in write_series(tmp_path / "ct", LARGE, heights(5)):
        made = pydicom.dcmread(path)
        made.compress(syntax, generate_instance_uid=False)
        save(made, path)
    np.testing.assert_array_equal(read_volume(tmp_path / "ct").array, LARGE)


def test_jpeg_without_loss(tmp_path: Path) -> None:
    writer = sitk.ImageFileWriter()
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.SetFileName(str(tmp_path / "jpeg.dcm"))
    writer.Execute(sitk.GetImageFromArray(LARGE[:1]))
    assert pydicom.dcmread(tmp_path / "jpeg.dcm").file_meta.TransferSyntaxUID == JPEGLosslessSV1
    np.testing.assert_array_equal(read_volume(tmp_path / "jpeg.dcm").array, LARGE[:1])


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_frames_compressed_without_loss(tmp_path: Path, syntax: str) -> None:
    order = [2, 0, 1, 4, 3]
    made = enhanced(LARGE[order], [heights(5)[n] for n in order])
    made.compress(syntax, generate_instance_uid=False)
    save(made, tmp_path / "frames.dcm")
    np.testing.assert_array_equal(read_volume(tmp_path / "frames.dcm").array, LARGE)


@pytest.mark.parametrize(
    "name",
    [
        "693_J2KI.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "JPEG-lossy.dcm", "JPEG2000.dcm",
        "JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "JPGExtended.dcm", "MR_small.dcm", "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm", "MR_small_expb.dcm", "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm", "examples_overlay.dcm", "image_dfl.dcm",
    ],
)  # fmt: skip
def test_real_files_are_read_as_simpleitk_reads_them(name: str) -> None:
    path = shipped(name)
    volume, image = read_volume(path), sitk.ReadImage(str(path), imageIO="GDCMImageIO")
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(volume.geometry.spacing[:2], image.GetSpacing()[:2])
    np.testing.assert_allclose(volume.geometry.origin, image.GetOrigin())
    np.testing.assert_allclose(volume.geometry.direction, image.GetDirection(), atol=1e-5)


@pytest.mark.parametrize("name", ["rtdose.dcm", "rtdose_expb.dcm", "rtdose_rle.dcm"])
def test_real_doses(name: str) -> None:
    volume = read_volume(shipped(name))
    assert volume.array.shape == (15, 10, 10)
    assert volume.geometry.spacing == (10, 10, 5)
    np.testing.assert_allclose([volume.array.min(), volume.array.max()], [0.795, 1.253999948], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("SC_rgb_rle.dcm", "colour image (RGB)"),
        ("examples_palette.dcm", "colour image (PALETTE COLOR)"),
        ("examples_ybr_color.dcm", "colour image (YBR_FULL_422)"),
        ("reportsi.dcm", "holds no image: it is a structured report"),
        ("rtplan.dcm", "holds no image: it is a plan"),
        ("rtstruct.dcm", "holds no image: it is contours"),
        ("waveform_ecg.dcm", "holds no image: it is a waveform"),
        ("MR_truncated.dcm", "cut off"),
        ("liver_1frame.dcm", "DICOM SEG"),
    ],
)
def test_real_files_that_are_no_volume(name: str, word: str) -> None:
    refused(shipped(name), word)


def test_voxels_that_are_cut_off_gone_or_of_another_size(tmp_path: Path) -> None:
    path = write_series(tmp_path / "ct", ARRAY, heights(5))[2]
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(InputError, match=r"2-1\.dcm is cut off or damaged: .* 84 bytes of voxels, and 74 bytes"):
        read_volume(tmp_path / "ct")
    made = dataset(ARRAY[0])
    del made.PixelData
    save(made, tmp_path / "none.dcm")
    refused(tmp_path / "none.dcm", "no pixel data")
    made = dataset(ARRAY[0])
    made.Rows = 60000
    save(made, tmp_path / "large.dcm")
    refused(tmp_path / "large.dcm", "cut off or damaged")
    made = dataset(ARRAY[0])
    made.BitsAllocated = 12
    save(made, tmp_path / "bits.dcm")
    refused(tmp_path / "bits.dcm", "12 bits per voxel")


def test_compressed_voxels_that_are_cut_off_or_of_another_size(tmp_path: Path) -> None:
    made = enhanced(LARGE, heights(5))
    made.compress(JPEG2000Lossless, generate_instance_uid=False)
    save(made, tmp_path / "whole.dcm")
    data = (tmp_path / "whole.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(data[:-200])
    refused(tmp_path / "cut.dcm", "cut off")
    made.Rows = 12
    save(made, tmp_path / "size.dcm")
    refused(tmp_path / "size.dcm", "tell of other sizes")


def test_compressions_that_no_decoder_knows_are_named(tmp_path: Path) -> None:
    made = dataset(ARRAY[0])
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    made["PixelData"].is_undefined_length = True
    made.PixelData = pydicom.encaps.encapsulate([b"\0" * 64])
    save(made, tmp_path / "film.dcm")
    refused(tmp_path / "film.dcm", "compressed in a way that cannot be read here (MPEG-4", "save it uncompressed")


def test_zeros_behind_the_voxels_cost_no_time(tmp_path: Path) -> None:
    import time

    path = write_series(tmp_path / "ct", ARRAY, heights(5))[0]
    read_dicom(path)
    path.write_bytes(path.read_bytes() + b"\0" * 20_000_000)
    start = time.process_time()
    np.testing.assert_array_equal(read_dicom(path).array, ARRAY[:1])
    assert time.process_time() - start < 2  # to parse them takes ten seconds


def test_files_without_preamble_and_ending(tmp_path: Path) -> None:
    folder = tmp_path / "ct"
    for path in write_series(folder, ARRAY, heights(5)):
        path.rename(path.with_name(path.stem))
    for implicit in (True, False):
        bare = tmp_path / f"bare{implicit}"
        bare.mkdir()
        for path in folder.iterdir():
            made = pydicom.dcmread(path)
            del made.file_meta
            made.preamble = None
            pydicom.dcmwrite(
                bare / path.name, made, implicit_vr=implicit, little_endian=True, enforce_file_format=False
            )
        assert b"DICM" not in next(bare.iterdir()).read_bytes()[:140]
        np.testing.assert_array_equal(read_volume(bare).array, ARRAY)
    np.testing.assert_array_equal(read_volume(folder).array, ARRAY)


def test_jpeg_of_eight_bits(tmp_path: Path) -> None:
    from io import BytesIO

    from PIL import Image

    smooth = np.add.outer(np.arange(32), np.arange(40)).astype(np.uint8) * 3
    packed = BytesIO()
    Image.fromarray(smooth).save(packed, "JPEG", quality=95)
    made = dataset(smooth)
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    data = packed.getvalue()
    made.PixelData = pydicom.encaps.encapsulate([data + b"\0" * (len(data) % 2)])
    made["PixelData"].is_undefined_length = True
    save(made, tmp_path / "jpeg.dcm")
    assert np.abs(read_volume(tmp_path / "jpeg.dcm").array[0].astype(int) - smooth).max() <= 3


def test_a_folder_named_dl_is_no_obstacle(tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "dl").mkdir()
    shutil.copy(shipped("CT_small.dcm"), tmp_path / "ct.dcm")
    code = "from UniverSegSlicerLib.files import read_volume; print(read_volume('ct.dcm').array.shape)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(1, 128, 128)", done.stderr
