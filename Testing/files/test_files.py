"""Volumes and label maps through files: exact round trips, and ordinary but odd input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from UniverSegSlicerLib.errors import InputError, OutputError
from UniverSegSlicerLib.files import WRITABLE, read_label_map, read_volume, write_label_map, write_volume
from UniverSegSlicerLib.imaging import Geometry, Volume, as_labels, from_sitk, to_sitk


def rotation(seed: int) -> tuple[float, ...]:
    """A random rotation, determinant 1."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    q[:, 0] *= np.linalg.det(q)
    return tuple(q.ravel())


DIRECTIONS = {
    "identity": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "flipped": (-1, 0, 0, 0, -1, 0, 0, 0, 1),
    "mirrored": (1, 0, 0, 0, 1, 0, 0, 0, -1),
    "permuted": (0, 0, 1, 1, 0, 0, 0, 1, 0),
    "oblique": rotation(3),
}


@pytest.mark.parametrize("ending", WRITABLE)
@pytest.mark.parametrize("name", DIRECTIONS)
def test_geometry_and_values_survive_a_round_trip(tmp_path: Path, ending: str, name: str) -> None:
    array = np.random.default_rng(0).integers(0, 700, (4, 5, 6))
    grid = Geometry((6, 5, 4), (0.4, 1.3, 5.0), (-120.5, 33.25, 7.125), DIRECTIONS[name])
    path = tmp_path / f"labels{ending}"
    write_label_map(path, array, grid)
    back = read_label_map(path)
    np.testing.assert_array_equal(back.array, array)
    assert grid.difference(back.geometry) is None
    corners = np.array([[0, 0, 0], [5, 0, 0], [0, 4, 0], [5, 4, 3]])
    np.testing.assert_allclose(back.geometry.to_world(corners), grid.to_world(corners), atol=1e-4)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("spacing", [1e-4, 1e4])
@pytest.mark.parametrize("ending", WRITABLE)
def test_tiny_and_huge_spacing_survive(tmp_path: Path, spacing: float, ending: str) -> None:
    grid = Geometry((3, 3, 3), (spacing,) * 3)
    write_volume(tmp_path / f"v{ending}", np.ones((3, 3, 3), np.int16), grid)
    assert grid.difference(read_volume(tmp_path / f"v{ending}").geometry) is None


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "f2", "f4", "f8"])
@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_every_voxel_type_can_be_written_and_read(tmp_path: Path, dtype: str, ending: str) -> None:
    array = np.random.default_rng(1).integers(0, 2, (3, 4, 5)).astype(dtype)
    write_volume(tmp_path / f"v{ending}", array, Geometry((5, 4, 3)))
    np.testing.assert_array_equal(read_volume(tmp_path / f"v{ending}").array, array)


def test_oblique_geometry_agrees_with_itk(tmp_path: Path) -> None:
    grid = Geometry((6, 5, 4), (0.4, 1.3, 5.0), (-120.5, 33.25, 7.125), DIRECTIONS["oblique"])
    image = to_sitk(Volume(np.zeros(grid.shape, np.uint8), grid))
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((5, 2, 3)), grid.to_world(np.array([5, 2, 3])))
    assert from_sitk(image).geometry == grid


def test_one_slice_and_2d_images_are_volumes(tmp_path: Path) -> None:
    write_volume(tmp_path / "one.nii.gz", np.arange(20, dtype=np.int16).reshape(1, 4, 5), Geometry((5, 4, 1)))
    assert read_volume(tmp_path / "one.nii.gz").array.shape == (1, 4, 5)
    flat = sitk.GetImageFromArray(np.arange(20, dtype=np.uint8).reshape(4, 5))
    flat.SetSpacing((0.5, 0.25))
    for name in ("flat.png", "flat.nrrd", "flat.nii"):
        sitk.WriteImage(flat, str(tmp_path / name))
        volume = read_volume(tmp_path / name)
        np.testing.assert_array_equal(volume.array[0], np.arange(20).reshape(4, 5))
    assert volume.geometry.spacing == (0.5, 0.25, 1.0)


def test_a_fourth_dimension_of_one_is_no_obstacle(tmp_path: Path) -> None:
    image = sitk.JoinSeries([sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))])
    for name in ("one.nii.gz", "one.nrrd"):
        sitk.WriteImage(image, str(tmp_path / name))
        assert read_volume(tmp_path / name).array.shape == (3, 4, 5)


def test_some_nan_and_infinite_voxels_are_read_as_they_are(tmp_path: Path) -> None:
    array = np.ones((2, 3, 4), np.float32)
    array[0, 0, :3] = np.nan, np.inf, -np.inf
    for name in ("v.nrrd", "v.mha", "v.nii.gz"):
        write_volume(tmp_path / name, array, Geometry((4, 3, 2)))
        np.testing.assert_array_equal(read_volume(tmp_path / name).array, array)


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"])
def test_labels_of_any_dtype_become_uint16(dtype: str) -> None:
    labels = as_labels(np.array([0, 1, 1, 0]).astype(dtype))
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels, [0, 1, 1, 0])


@pytest.mark.parametrize("wrong", [-1, 65536, 0.5, float("nan"), float("inf")])
def test_what_is_no_label_is_named(wrong: float) -> None:
    with pytest.raises(InputError, match=str(wrong)):
        as_labels(np.array([0.0, wrong]))


def test_small_labels_are_written_as_bytes(tmp_path: Path) -> None:
    for value, dtype in ((255, np.uint8), (256, np.uint16)):
        write_label_map(tmp_path / "l.nii.gz", np.full((2, 2, 2), value), Geometry((2, 2, 2)))
        assert read_volume(tmp_path / "l.nii.gz").array.dtype == dtype


def test_unwritable_places_are_said_and_leave_nothing(tmp_path: Path) -> None:
    grid, array = Geometry((2, 2, 2)), np.zeros((2, 2, 2), np.uint8)
    with pytest.raises(OutputError, match="cannot be written"):
        write_label_map(tmp_path / "missing" / "l.nii.gz", array, grid)
    (tmp_path / "folder.nii.gz").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_label_map(tmp_path / "folder.nii.gz", array, grid)
    with pytest.raises(InputError, match="ending"):
        write_label_map(tmp_path / "l.mhd", array, grid)
    with pytest.raises(InputError, match="does not fit"):
        write_label_map(tmp_path / "l.nii.gz", array[1:], grid)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.nii.gz"]
