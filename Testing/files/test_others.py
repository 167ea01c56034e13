"""NRRD whose voxels are in files of their own, and the formats that ITK reads in another process."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files import Segment, read_label_map, read_volume, write_label_map
from UniverSegSlicerLib.imaging import Geometry

ARRAY = np.random.default_rng(0).integers(0, 200, (3, 4, 5)).astype(np.int16)  # (K, J, I)
HEAD = "NRRD0004\ntype: int16\ndimension: 3\nsizes: 5 4 3\nendian: little\n"
LPS = "space: left-posterior-superior\nspace directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (1,2,3)\n"


def detached(folder: Path, data: str, encoding: str = "raw", head: str = HEAD + LPS) -> Path:
    path = folder / "v.nhdr"
    path.write_text(f"{head}encoding: {encoding}\ndata file: {data}\n")
    return path


@pytest.mark.parametrize("encoding", ["raw", "gzip", "ascii"])
@pytest.mark.parametrize(
    ("data", "turned"),
    [
        ("s%d.raw 1 3 1", False),
        ("s%01d.raw 3 1 -1", True),
        ("LIST\ns1.raw\ns2.raw\ns3.raw", False),
        ("LIST 2\ns3.raw\ns2.raw\ns1.raw", True),
        ("LIST 3\ns1.raw\ns2.raw\ns3.raw", False),
    ],
)
def test_a_nrrd_of_several_files(tmp_path: Path, data: str, turned: bool, encoding: str) -> None:
    pack = {"raw": bytes, "gzip": gzip.compress}
    for number, plane in enumerate(ARRAY, 1):
        text = " ".join(map(str, plane.ravel())).encode()
        content = text if encoding == "ascii" else pack[encoding](plane.tobytes())
        (tmp_path / f"s{number}.raw").write_bytes(content)
    header = detached(tmp_path, data, encoding)
    volume = read_volume(header)
    np.testing.assert_array_equal(volume.array, ARRAY[::-1] if turned else ARRAY)
    assert volume.geometry.spacing == (2, 3, 4) and volume.geometry.origin == (1, 2, 3)
    np.testing.assert_array_equal(read_label_map(header).array, volume.array)
    (tmp_path / "s2.raw").write_bytes((tmp_path / "s2.raw").read_bytes()[:15])
    with pytest.raises(InputError, match=r"s2\.raw is cut off"):
        read_volume(header)
    (tmp_path / "s2.raw").unlink()
    with pytest.raises(InputError, match=r"data file s2\.raw is missing"):
        read_volume(header)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("s%d.raw 1 2 1", "names 2 data files for 5 x 4 x 3"),
        ("LIST\ns1.raw", "it is cut off|s1.raw is cut off|names 1"),
        ("LIST 3\ns1.raw\ns2.raw", "names 2 data files"),
        ("LIST 4\ns1.raw\ns2.raw", "hold 4 of 3 axes"),
        ("LIST", "list of data files is empty"),
        ("s%d.raw 1 3 0", "names 0 data files"),
        ("s%d.raw 1 999999999 1", "names 999999999 data files"),
        ("s%s.raw 1 3 1", "is missing"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, data: str, words: str) -> None:
    for number, plane in enumerate(ARRAY, 1):
        (tmp_path / f"s{number}.raw").write_bytes(plane.tobytes())
    with pytest.raises(InputError, match=words):
        read_volume(detached(tmp_path, data))


@pytest.mark.parametrize("name", ["50 % d.raw", "100%.raw", "sub\\v.raw", "s%d.raw 1 3 1"])
def test_any_name_of_the_data_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / name.replace("\\", "/")).write_bytes(ARRAY.tobytes())
    np.testing.assert_array_equal(read_volume(detached(tmp_path, name)).array, ARRAY)


def test_a_segmentation_beside_its_header_keeps_its_names(tmp_path: Path) -> None:
    labels = (ARRAY > 100).astype(np.uint8)
    write_label_map(tmp_path / "v.seg.nrrd", labels, Geometry((5, 4, 3)), segments=[Segment(1, "liver")])
    head, _, packed = (tmp_path / "v.seg.nrrd").read_bytes().partition(b"\n\n")
    (tmp_path / "v.raw.gz").write_bytes(packed)
    (tmp_path / "v.seg.nhdr").write_bytes(head + b"\ndata file: LIST\nv.raw.gz\n")
    found = read_label_map(tmp_path / "v.seg.nhdr")
    np.testing.assert_array_equal(found.array, labels)
    assert found.names == {1: "liver"}


def test_nrrd_with_time_and_without_byte_order(tmp_path: Path) -> None:
    turned = HEAD.replace("3\nsizes: 5 4 3", "4\nsizes: 5 4 3 1")
    grid = "space: right-anterior-superior-time\nspace directions: (2,0,0,0) (0,3,0,0) (0,0,4,0) (0,0,0,1)\n"
    path = detached(tmp_path, "v.raw", head=turned + grid)
    (tmp_path / "v.raw").write_bytes(ARRAY.tobytes())
    np.testing.assert_allclose(np.diag(np.reshape(read_volume(path).geometry.direction, (3, 3))), (-1, -1, 1))
    with pytest.raises(InputError, match="does not say the byte order"):
        read_volume(detached(tmp_path, "v.raw", head=HEAD.replace("endian: little\n", "") + LPS))


@pytest.mark.parametrize("name", ["v.gipl", "v.gipl.gz", "v.vtk", "text.vtk", "v.mrc", "v.h5"])
def test_what_only_itk_reads(tmp_path: Path, name: str) -> None:
    image = sitk.GetImageFromArray(ARRAY)
    image.SetSpacing((0.5, 2.0, 3.25))
    path = tmp_path / name
    sitk.WriteImage(image, str(path))
    if name == "text.vtk":
        head = path.read_bytes()[: -ARRAY.nbytes].replace(b"BINARY", b"ASCII")
        path.write_bytes(head + " ".join(map(str, ARRAY.ravel())).encode())
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, ARRAY)
    np.testing.assert_allclose(volume.geometry.spacing, image.GetSpacing())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - ARRAY.nbytes // 2])
    with pytest.raises(InputError, match=r"is cut off|is not an image that can be read"):
        read_volume(path)


def test_vectors_of_other_formats_are_chosen_from(tmp_path: Path) -> None:
    image = sitk.Compose([sitk.GetImageFromArray(ARRAY + number) for number in range(3)])
    sitk.WriteImage(image, str(tmp_path / "v.vtk"))
    np.testing.assert_array_equal(read_volume(tmp_path / "v.vtk", component=2).array, ARRAY + 2)
    (tmp_path / "v.vtk").write_bytes((tmp_path / "v.vtk").read_bytes()[:-20])
    with pytest.raises(InputError, match="cut off"):
        read_volume(tmp_path / "v.vtk", component=2)


@pytest.mark.parametrize("name", ["v.mgz", "v.mgh"])
def test_volumes_of_freesurfer_are_named(tmp_path: Path, name: str) -> None:
    content = b"\0\0\0\1" + bytes(280)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("z") else content)
    with pytest.raises(InputError, match=r"FreeSurfer.*mri_convert"):
        read_volume(tmp_path / name)
