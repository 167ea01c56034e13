"""The commands on DICOM: a series and its SEG in, a SEG of the series out, one series or time point of several."""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from Testing.files.dicom.dicom_maker import heights, write_series
from UniverSegSlicerLib.files import read_label_map, read_volume, write_label_map, write_volume
from UniverSegSlicerLib.files.label_maps import Segment
from UniverSegSlicerLib.imaging import Geometry

from .conftest import Command

SHAPE = (12, 24, 28)


def ellipsoid() -> np.ndarray:
    """A bright ellipsoid, as a mask (K, J, I)."""
    k, j, i = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    return ((k - 6) / 5) ** 2 + ((j - 12) / 7) ** 2 + ((i - 13) / 8) ** 2 <= 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A CT of two time points, and one of another series."""
    array = (ellipsoid() * 100 + np.random.default_rng(0).normal(0, 8, SHAPE)).astype(np.int16)

    def times(index: int, made: Dataset) -> None:
        made.TemporalPositionIdentifier, made.SeriesDescription = 1 + index // SHAPE[0], "two times"

    write_series(tmp_path / "s", np.concatenate([array, array]), heights(12, 2) * 2, change=times, series=3)
    write_series(
        tmp_path / "s", array, heights(12, 2), change=lambda _, made: setattr(made, "SeriesDescription", "one")
    )
    return tmp_path / "s"


def test_from_a_seg_to_a_seg(folder: Path, tmp_path: Path, tiny_model_path: Path, command: Command) -> None:
    volume = read_volume(folder, series="one")
    marks = np.zeros(SHAPE, np.uint16)
    for k in (3, 6, 9):
        marks[k][ellipsoid()[k]] = 4
    given, out = tmp_path / "marks.dcm", tmp_path / "out.dcm"
    write_label_map(given, marks, volume.geometry, segments=[Segment(4, "liver", (1.0, 0.0, 0.0))])
    done = command("propagate", folder, given, "-o", out, "--series", "one", "-m", tiny_model_path)
    assert done.code == 0 and "liver" in done.out, done.err
    result = read_label_map(out, onto=volume.geometry)
    assert result.names == {4: "liver"} and result.geometry == volume.geometry
    np.testing.assert_array_equal(result.array[[3, 6, 9]], marks[[3, 6, 9]])
    assert result.array.any(axis=(1, 2)).sum() > 3
    series = pydicom.dcmread(next(folder.glob("*-1.dcm"))).SeriesInstanceUID
    assert highdicom.seg.segread(out).ReferencedSeriesSequence[0].SeriesInstanceUID == series
    # The result serves as marks again, and as examples.
    done = command("support", "create", folder, out, "--series", "1", "--axis", "k", "-o", tmp_path / "liver.npz")
    assert done.code == 0 and "4 (liver)" in done.out, done.err


def test_a_series_and_a_time_point_are_asked_for(
    folder: Path, tmp_path: Path, tiny_model_path: Path, command: Command
) -> None:
    out = tmp_path / "out.nii.gz"
    click = ("click", folder, "--slice", "k:6", "--include", "13,12", "-o", out, "-m", tiny_model_path)
    done = command(*click)
    assert done.code == 2 and "choose one with --series 1 or --series 3" in " ".join(done.err.split())
    done = command(*click, "--series", "3")
    assert done.code == 2 and "--component: 0 (time point 1), 1 (time point 2)" in " ".join(done.err.split())
    done = command(*click, "--series", "3", "--component", "1", "--json")
    assert done.code == 0 and done.json["pixels"] > 0
    assert read_label_map(out).array.shape == SHAPE


@pytest.mark.parametrize("series", [1, 3])
def test_no_slice_is_overwritten(folder: Path, series: int, tiny_model_path: Path, command: Command) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    target = next(folder.glob(f"*-{series}.dcm"))
    click = ("click", folder, "--slice", "k:6", "--include", "13,12", "-m", tiny_model_path)
    done = command(*click, "--series", "1", "-o", target)
    assert done.code == 2 and "would be overwritten" in " ".join(done.err.split())
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_seg_of_what_is_no_dicom(tmp_path: Path, tiny_model_path: Path, command: Command) -> None:
    volume = tmp_path / "v.nii.gz"
    write_volume(volume, np.zeros(SHAPE, np.int16), Geometry(SHAPE[::-1]))
    click = ("click", volume, "--slice", "k:6", "--include", "13,12", "-m", tiny_model_path)
    done = command(*click, "-o", tmp_path / "out.dcm")
    assert done.code == 2 and "was not read from one; write .nii.gz" in " ".join(done.err.split())
    done = command(*click, "-o", tmp_path / "o.nii.gz", "--series", "3")
    assert done.code == 2 and "is not DICOM, and has no series" in " ".join(done.err.split())
    assert [path.name for path in tmp_path.glob("*.*") if path.suffix in (".dcm", ".gz")] == ["v.nii.gz"]
