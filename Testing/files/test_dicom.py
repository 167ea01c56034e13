"""DICOM series: geometry from positions, and what makes a folder unusable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files import read_volume

ARRAY = np.random.default_rng(0).integers(-1000, 1000, (5, 6, 7)).astype(np.int16)


def write_series(
    folder: Path,
    positions: list[tuple[float, float, float]],
    *,
    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
    uid: str = "1.2.3.4",
) -> None:
    """Write the slices of ARRAY to a folder, at these positions, in an order of names that is not theirs."""
    folder.mkdir(exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for index, position in enumerate(positions):
        image = sitk.GetImageFromArray(ARRAY[index : index + 1])
        tags = {
            "0008|0060": "CT",
            "0008|103e": f"series {uid}",
            "0020|000d": "1.2.3",
            "0020|000e": uid,
            "0008|0018": f"{uid}.{index}",
            "0020|0013": str(index),
            "0020|0032": "\\".join(map(str, position)),
            "0020|0037": "\\".join(map(str, orientation)),
            "0028|0030": "0.7\\0.5",
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        image.SetSpacing((0.5, 0.7, 1.0))
        image.SetOrigin(position)
        row, column = np.array(orientation[:3]), np.array(orientation[3:])
        image.SetDirection(np.stack([row, column, np.cross(row, column)], axis=1).ravel().tolist())
        writer.SetFileName(str(folder / f"{(index * 3) % 5}-{uid}.dcm"))
        writer.Execute(image)


def test_a_series_is_read_in_the_order_of_its_positions(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", [(-10, -20, 30 + 2.5 * k) for k in range(5)])
    volume = read_volume(tmp_path / "ct")
    np.testing.assert_array_equal(volume.array, ARRAY)
    np.testing.assert_allclose(volume.geometry.spacing, (0.5, 0.7, 2.5))
    np.testing.assert_allclose(volume.geometry.origin, (-10, -20, 30))


def test_an_oblique_series_keeps_its_direction(tmp_path: Path) -> None:
    cos, sin = np.cos(0.3), np.sin(0.3)
    orientation = (1.0, 0.0, 0.0, 0.0, cos, sin)
    normal = np.array([0, -sin, cos])
    write_series(tmp_path / "mr", [tuple(3.0 * k * normal) for k in range(5)], orientation=orientation)
    volume = read_volume(tmp_path / "mr")
    np.testing.assert_allclose(volume.geometry.matrix, [[1, 0, 0], [0, cos, -sin], [0, sin, cos]], atol=1e-5)
    np.testing.assert_allclose(volume.geometry.spacing, (0.5, 0.7, 3.0), rtol=1e-5)


def test_one_file_is_one_slice(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", [(0, 0, 2.5 * k) for k in range(5)])
    volume = read_volume(next((tmp_path / "ct").glob("0-*.dcm")))
    np.testing.assert_array_equal(volume.array, ARRAY[:1])


@pytest.mark.parametrize(
    ("positions", "word"),
    [
        ([(0, 0, 0), (0, 0, 2), (0, 0, 6), (0, 0, 8), (0, 0, 10)], "not evenly spaced"),
        ([(0, 0, 0), (0, 1, 2), (0, 2, 4), (0, 3, 6), (0, 4, 8)], "gantry tilt"),
        ([(0, 0, 0)] * 5, "same position"),
    ],
)
def test_stacks_that_are_no_grid_are_refused(tmp_path: Path, positions: list, word: str) -> None:
    write_series(tmp_path / "ct", positions)
    with pytest.raises(InputError, match=word):
        read_volume(tmp_path / "ct")


def test_several_series_are_named(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", [(0, 0, k) for k in range(5)])
    write_series(tmp_path / "ct", [(0, 0, k) for k in range(3)], uid="1.2.3.5")
    with pytest.raises(InputError, match=r"2 DICOM series \(series 1\.2\.3\.4, 5 files, series 1\.2\.3\.5, 3 files\)"):
        read_volume(tmp_path / "ct")
