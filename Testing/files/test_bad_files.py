"""Files that cannot be used: one clear sentence each, nothing on stderr but ours."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files import read_label_map, read_volume, write_volume
from UniverSegSlicerLib.imaging import Geometry

ENDINGS = (".nii", ".nii.gz", ".nrrd", ".mha")
DIMENSIONS, SPACING, QFORM, SFORM, ROWS = 40, 76, 252, 254, 280  # byte offsets in a NIfTI-1 header


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(12, 14, 16)).astype(np.float32)


def said(capfd: pytest.CaptureFixture[str], path: Path, read: Callable = read_volume) -> str:
    """The sentence of the error; fails where a library printed something of its own."""
    with pytest.raises(InputError) as caught:
        read(path)
    assert capfd.readouterr() == ("", "")
    sentence = str(caught.value)
    assert str(path) in sentence and "\n" not in sentence and "ITK" not in sentence
    return sentence


@pytest.mark.parametrize("ending", ENDINGS)
def test_empty_files_and_texts(tmp_path: Path, capfd: pytest.CaptureFixture[str], ending: str) -> None:
    path = tmp_path / f"v{ending}"
    path.write_bytes(b"")
    assert "is empty" in said(capfd, path)
    path.write_bytes(b"this is not an image\n" * 100)
    assert "is not a" in said(capfd, path)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.95])
@pytest.mark.parametrize("ending", ENDINGS)
def test_truncated_files(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], noise: np.ndarray, ending: str, part: float
) -> None:
    path = tmp_path / f"v{ending}"
    write_volume(path, noise, Geometry((16, 14, 12)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    said(capfd, path)


def test_a_damaged_gzip_stream(tmp_path: Path, capfd: pytest.CaptureFixture[str], noise: np.ndarray) -> None:
    path = tmp_path / "v.nii.gz"
    write_volume(path, noise, Geometry((16, 14, 12)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert "damaged" in said(capfd, path)


def test_missing_paths_and_folders_without_images(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "does not exist" in said(capfd, tmp_path / "none.nii.gz")
    assert "no DICOM series" in said(capfd, tmp_path)


def test_files_that_may_not_be_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "v.nii"
    path.write_bytes(b"x" * 400)

    def denied(self: Path, *_: object, **__: object) -> None:  # the administrator may read everything
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", denied)
    assert "Permission denied" in said(capfd, path)


@pytest.mark.parametrize("value", [0.0, -2.0, float("nan"), float("inf")])
def test_impossible_spacing_in_nifti(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], noise: np.ndarray, value: float
) -> None:
    path = tmp_path / "v.nii"
    write_volume(path, noise, Geometry((16, 14, 12)))
    data = bytearray(path.read_bytes())
    struct.pack_into("<f", data, SPACING + 8, value)
    path.write_bytes(data)
    assert "spacing" in said(capfd, path)


@pytest.mark.parametrize("value", [b"0", b"-2", b"nan"])
def test_impossible_spacing_in_metaimage(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], noise: np.ndarray, value: bytes
) -> None:
    path = tmp_path / "v.mha"
    write_volume(path, noise, Geometry((16, 14, 12)))
    data = path.read_bytes()
    assert b"ElementSpacing = 1 1 1" in data
    path.write_bytes(data.replace(b"ElementSpacing = 1 1 1", b"ElementSpacing = 1 " + value + b" 1"))
    assert "spacing" in said(capfd, path)


def test_zero_spacing_in_nrrd(tmp_path: Path, capfd: pytest.CaptureFixture[str], noise: np.ndarray) -> None:
    path = tmp_path / "v.nrrd"
    write_volume(path, noise, Geometry((16, 14, 12)))
    data = path.read_bytes()
    assert b"(0,1,0)" in data
    path.write_bytes(data.replace(b"(0,1,0)", b"(0,0,0)"))
    assert "spacing" in said(capfd, path)


def test_a_negative_direction_in_nrrd_is_a_flip(tmp_path: Path, noise: np.ndarray) -> None:
    path = tmp_path / "v.nrrd"
    write_volume(path, noise, Geometry((16, 14, 12)))
    path.write_bytes(path.read_bytes().replace(b"(0,1,0)", b"(0,-1,0)"))
    assert read_volume(path).geometry.direction == (1, 0, 0, 0, -1, 0, 0, 0, 1)


def test_sheared_grids(tmp_path: Path, capfd: pytest.CaptureFixture[str], noise: np.ndarray) -> None:
    path = tmp_path / "v.nii"
    write_volume(path, noise, Geometry((16, 14, 12)))
    data = bytearray(path.read_bytes())
    struct.pack_into("<hh", data, QFORM, 0, 2)
    for row, values in enumerate([(1, 0.5, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)]):
        struct.pack_into("<4f", data, ROWS + 16 * row, *values)
    path.write_bytes(data)
    assert "sheared" in said(capfd, path)


def test_impossible_dimensions(tmp_path: Path, capfd: pytest.CaptureFixture[str], noise: np.ndarray) -> None:
    path = tmp_path / "v.nii"
    write_volume(path, noise, Geometry((16, 14, 12)))
    whole = bytearray(path.read_bytes())
    for axis, count in ((0, 0), (0, 9), (2, 0), (2, -3)):
        data = whole.copy()
        struct.pack_into("<h", data, DIMENSIONS + 2 * axis, count)
        path.write_bytes(data)
        said(capfd, path)


def test_time_series_colour_and_complex_volumes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], noise: np.ndarray
) -> None:
    image = sitk.GetImageFromArray(noise)
    for name, odd, word in (
        ("time", sitk.JoinSeries([image, image]), "2 time points"),
        ("colour", sitk.Compose([sitk.Cast(image, sitk.sitkUInt8)] * 3), "3 components"),
        ("vector", sitk.Compose([image] * 2), "2 components"),
        ("complex", sitk.GetImageFromArray(noise.astype(np.complex64)), "complex"),
    ):
        path = tmp_path / f"{name}.nii.gz"
        sitk.WriteImage(odd, str(path))
        assert word in said(capfd, path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_but_nan(tmp_path: Path, capfd: pytest.CaptureFixture[str], ending: str) -> None:
    path = tmp_path / f"v{ending}"
    write_volume(path, np.full((3, 3, 3), np.nan, np.float32), Geometry((3, 3, 3)))
    assert "NaN" in said(capfd, path)


@pytest.mark.parametrize("value", [0.5, -1.0, 70000.0, np.nan])
def test_label_maps_of_other_numbers(tmp_path: Path, capfd: pytest.CaptureFixture[str], value: float) -> None:
    path = tmp_path / "v.nrrd"
    array = np.zeros((3, 3, 3), np.float32)
    array[1, 1, 1] = value
    write_volume(path, array, Geometry((3, 3, 3)))
    assert "is not a label map" in said(capfd, path, read_label_map)
