"""Folders of DICOM files: which series is meant, what lies beside it, and how one is chosen."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from Testing.files.dicom.dicom_maker import ROOT, SAGITTAL, dataset, heights, write_series
from Testing.files.dicom.test_dicom import refused
from Testing.files.dicom.test_dicom_voxels import shipped
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files import read_volume
from UniverSegSlicerLib.files.dicom import read_dicom

ARRAY = np.random.default_rng(3).integers(-1000, 1000, (5, 6, 7)).astype(np.int16)


def named(title: str):
    """A change that gives a series its description."""

    def change(_: int, made: Dataset) -> None:
        made.SeriesDescription = title

    return change


def two(folder: Path) -> Path:
    """A folder with two series of images."""
    write_series(folder, ARRAY, heights(5), change=named("T1 axial"), series=3)
    write_series(folder, ARRAY[:3] + 1, heights(3), change=named("T2 axial"), series=4)
    return folder


def test_several_series_are_named_with_what_to_type(tmp_path: Path) -> None:
    sentence = refused(two(tmp_path / "s"))
    assert sentence.endswith(
        "holds 2 DICOM series: 'T1 axial' (number 3, 5 slices); 'T2 axial' (number 4, 3 slices); choose one with "
        "--series 3 or --series 4."
    )


@pytest.mark.parametrize("wanted", ["4", f"{ROOT}4", "T2 axial", "t2"])
def test_a_series_is_chosen_by_number_uid_or_description(tmp_path: Path, wanted: str) -> None:
    np.testing.assert_array_equal(read_dicom(two(tmp_path / "s"), series=wanted).array, ARRAY[:3] + 1)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("9", ["holds no DICOM series --series 9", "--series 3 or --series 4"]),
        ("axial", ["--series axial fits 2 DICOM series", "--series 3 or --series 4"]),
        ("", ["holds no DICOM series"]),
    ],
)
def test_a_choice_that_is_none(tmp_path: Path, wanted: str, words: list[str]) -> None:
    refused(two(tmp_path / "s"), *words, series=wanted)


def test_series_without_numbers_are_chosen_by_uid(tmp_path: Path) -> None:
    def change(_: int, made: Dataset) -> None:
        del made.SeriesNumber
        del made.SeriesDescription

    for series in (3, 4):
        write_series(tmp_path / "s", ARRAY, heights(5), change=change, series=series)
    refused(tmp_path / "s", f"--series {ROOT}3 or --series {ROOT}4")


def test_the_series_of_one_file_may_be_named(tmp_path: Path) -> None:
    path = write_series(tmp_path / "s", ARRAY, heights(5), series=3)[0]
    assert read_dicom(path, series="3").array.shape == (1, 6, 7)
    refused(path, "no DICOM series --series 4", series="4")


def test_subfolders_are_looked_into(tmp_path: Path) -> None:
    write_series(tmp_path / "s" / "a" / "b", ARRAY, heights(5))
    np.testing.assert_array_equal(read_volume(tmp_path / "s").array, ARRAY)
    write_series(tmp_path / "s" / "c", ARRAY, heights(5), series=2)
    refused(tmp_path / "s", "'axial' (number 1, 5 slices, in a/b)", "(number 2, 5 slices, in c)", "--series 1")
    # What lies in the folder itself comes before what lies below it.
    write_series(tmp_path / "s", ARRAY + 2, heights(5), series=3)
    np.testing.assert_array_equal(read_volume(tmp_path / "s").array, ARRAY + 2)
    np.testing.assert_array_equal(read_dicom(tmp_path / "s", series="2").array, ARRAY)


def test_a_series_spread_over_subfolders_is_one(tmp_path: Path) -> None:
    for number, path in enumerate(write_series(tmp_path / "s", ARRAY, heights(5))):
        place = tmp_path / "s" / f"disk{number % 2}"
        place.mkdir(exist_ok=True)
        path.rename(place / path.name)
    np.testing.assert_array_equal(read_volume(tmp_path / "s").array, ARRAY)


def test_overviews_screens_reports_and_other_files_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    write_series(folder, ARRAY, heights(5))

    def overview(_: int, made: Dataset) -> None:
        made.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    write_series(folder, ARRAY[:2], [(0, 0, 0), (9, 0, 0)], orientation=SAGITTAL, change=overview, series=2)
    dataset(ARRAY[0], "1.2.840.10008.5.1.4.1.1.7", series=3).save_as(folder / "screen.dcm", enforce_file_format=True)
    for name in ("SC_rgb_rle.dcm", "reportsi.dcm", "rtstruct.dcm"):
        shutil.copy(shipped(name), folder)
    (folder / "readme.txt").write_text("read me")
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" * 100)
    (folder / "._0000-1.dcm").write_bytes(b"\x00\x05\x16\x07" * 40)
    (folder / "empty").touch()
    np.testing.assert_array_equal(read_volume(folder).array, ARRAY)


def test_what_holds_no_image(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    refused(tmp_path / "s", "holds no DICOM series")
    shutil.copy(shipped("reportsi.dcm"), tmp_path / "s")
    with pytest.raises(InputError, match="holds no image: it is a structured report"):
        read_volume(tmp_path / "s")
    shutil.copy(shipped("rtplan.dcm"), tmp_path / "s")
    refused(tmp_path / "s", "holds no DICOM images, only")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>" * 20, b"\0" * 128 + b"DICM" + b"\xff" * 60])
def test_a_slice_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    paths = write_series(tmp_path / "s", ARRAY, heights(5))
    paths[4].write_bytes(content)
    with pytest.raises(InputError, match=paths[4].name):
        read_volume(tmp_path / "s")


def test_copies_and_links_of_slices_count_once(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    paths = write_series(folder, ARRAY, heights(5))
    shutil.copy(paths[0], folder / "copy of it.dcm")
    (folder / "again").mkdir()
    shutil.copy(paths[1], folder / "again")
    np.testing.assert_array_equal(read_volume(folder).array, ARRAY)
    try:
        (folder / "link.dcm").symlink_to(paths[2])
        (folder / "loop").symlink_to(folder, target_is_directory=True)
        (folder / "dangling.dcm").symlink_to(folder / "gone.dcm")
    except OSError:
        pytest.skip("no links here")
    np.testing.assert_array_equal(read_volume(folder).array, ARRAY)


def test_names_in_other_letters(tmp_path: Path) -> None:
    folder = tmp_path / "Gefäß 頭部 %d"
    for path in write_series(folder, ARRAY, heights(5), change=named("Schädel")):
        path.rename(path.with_name(f"ÄÖ 像 {path.name}"))
    np.testing.assert_array_equal(read_volume(folder).array, ARRAY)
    write_series(folder, ARRAY, heights(5), series=2)
    np.testing.assert_array_equal(read_dicom(folder, series="schädel").array, ARRAY)


def test_control_letters_of_a_description_are_not_shown(tmp_path: Path) -> None:
    write_series(tmp_path / "s", ARRAY, heights(5), change=named("a\x1b[31mred"))
    write_series(tmp_path / "s", ARRAY, heights(5), series=2)
    assert "\x1b" not in refused(tmp_path / "s", "a[31mred")


def test_a_dicomdir_stands_for_its_folder(tmp_path: Path) -> None:
    from pydicom.fileset import FileSet

    paths = write_series(tmp_path / "made", ARRAY, heights(5))
    fileset = FileSet()
    for path in paths:
        made = pydicom.dcmread(path)
        made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID
        fileset.add(made)
    fileset.write(tmp_path / "disk")
    assert (tmp_path / "disk" / "DICOMDIR").is_file()
    np.testing.assert_array_equal(read_volume(tmp_path / "disk").array, ARRAY)
    np.testing.assert_array_equal(read_volume(tmp_path / "disk" / "DICOMDIR").array, ARRAY)
    (tmp_path / "alone").mkdir()
    shutil.copy(tmp_path / "disk" / "DICOMDIR", tmp_path / "alone")
    with pytest.raises(InputError, match="holds no DICOM series"):
        read_volume(tmp_path / "alone" / "DICOMDIR")


def test_two_studies_with_series_of_one_uid_are_two(tmp_path: Path) -> None:
    def change(_: int, made: Dataset) -> None:
        made.StudyInstanceUID = f"{ROOT}77"

    write_series(tmp_path / "s" / "a", ARRAY, heights(5))
    write_series(tmp_path / "s" / "b", ARRAY + 1, heights(5), change=change)
    refused(tmp_path / "s", "2 DICOM series", "in a", "in b")
