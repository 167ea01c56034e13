"""MetaImage: grid and voxels as ITK gives them where it reads rightly, and rightly or refused where it does not."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files import read_volume

ARRAY = np.random.default_rng(0).integers(-300, 300, (3, 4, 5)).astype(np.int16)  # (K, J, I)
RAW = ARRAY.tobytes()
FIELDS = {
    "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False", "Offset": "1 -2 3",
    "TransformMatrix": "0 1 0 0 0 1 1 0 0", "ElementSpacing": "0.5 2 3.25", "DimSize": "5 4 3",
    "ElementType": "MET_SHORT",
}  # fmt: skip


def meta(path: Path, data: str = "LOCAL", voxels: bytes = RAW, **changed: str | None) -> Path:
    """Write a header with the fields of FIELDS but for those changed, None for left out, and voxels behind it."""
    fields = {**FIELDS, **changed, "ElementDataFile": data}
    head = "".join(f"{name} = {value}\n" for name, value in fields.items() if value is not None)
    path.write_bytes(head.encode() + (voxels if data == "LOCAL" else b""))
    return path


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"ElementSpacing": None},
        {"ElementSpacing": None, "ElementSize": "2 3 4"},
        {"Offset": None, "Position": "4 5 6"},
        {"Offset": None, "Origin": "4 5 6"},
        {"TransformMatrix": None, "Rotation": "1 0 0 0 -1 0 0 0 1"},
        {"TransformMatrix": None, "Orientation": "0 0 1 1 0 0 0 1 0"},
        {"TransformMatrix": None, "Offset": None, "AnatomicalOrientation": "RAI"},
        {"CenterOfRotation": "9 9 9", "DistanceUnits": "um", "Comment": "größer"},
        {"ElementType": "MET_USHORT"},
    ],
)
def test_the_grid_is_that_of_itk(tmp_path: Path, changed: dict) -> None:
    volume, itk = read_volume(meta(tmp_path / "v.mha", **changed)), sitk.ReadImage(str(tmp_path / "v.mha"))
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(itk))
    grid = volume.geometry
    np.testing.assert_allclose((grid.spacing, grid.origin), (itk.GetSpacing(), itk.GetOrigin()))
    np.testing.assert_allclose(np.ravel(grid.direction), itk.GetDirection(), atol=1e-12)


@pytest.mark.parametrize("name", ["77 % and.raw", "100%.raw", "%s%n.raw", "%d.raw", "v%03d.raw 1 3 1", "sub\\v.raw"])
def test_any_name_of_the_data_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / name.replace("\\", "/")).write_bytes(RAW)
    np.testing.assert_array_equal(read_volume(meta(tmp_path / "v.mhd", name)).array, ARRAY)


@pytest.mark.parametrize("data", ["v%02d.raw 8 10 1", "v%02d.raw 8 10", "LIST", "LIST 2D", "LIST 3D"])
def test_one_file_for_each_slice(tmp_path: Path, data: str) -> None:
    names = ["v08.raw", "v09.raw", "v10.raw"]
    for name, plane in zip(names, ARRAY, strict=True):
        (tmp_path / name).write_bytes(plane.tobytes())
    header = meta(tmp_path / "v.mhd", data)
    listed = data.startswith("LIST")
    if listed:
        header.write_text(header.read_text() + "\n".join(names))
    np.testing.assert_array_equal(read_volume(header).array, ARRAY)
    (tmp_path / "v09.raw").write_bytes(RAW[:30])
    with pytest.raises(InputError, match=r"v09\.raw is cut off: 30 of 40 bytes"):
        read_volume(header)
    (tmp_path / "v09.raw").unlink()
    with pytest.raises(InputError, match=r"data file v09\.raw is missing"):
        read_volume(header)
    for few in (names[:2], []) if listed and data != "LIST 3D" else ():
        meta(header, data).write_text(header.read_text().partition("LIST")[0] + "\n".join([data, *few]))
        (tmp_path / "v09.raw").write_bytes(RAW)
        with pytest.raises(InputError, match=r"names 2 data files|list of data files is empty"):
            read_volume(header)


@pytest.mark.parametrize("size", [None, "right"])
@pytest.mark.parametrize("data", ["LOCAL", "9 %.zraw"])
def test_compressed_voxels_whether_or_not_their_length_is_told(tmp_path: Path, data: str, size: str | None) -> None:
    packed = zlib.compress(RAW)
    told = {"CompressedData": "True", "CompressedDataSize": str(len(packed)) if size else None}
    path = tmp_path / ("v.mha" if data == "LOCAL" else "v.mhd")
    (tmp_path / "9 %.zraw").write_bytes(packed)
    np.testing.assert_array_equal(read_volume(meta(path, data, packed, **told)).array, ARRAY)
    (tmp_path / "9 %.zraw").write_bytes(packed[:-9])
    with pytest.raises(InputError, match="cut off"):
        read_volume(meta(path, data, packed[:-9], **told))


def test_byte_orders_text_and_what_stands_before_the_voxels(tmp_path: Path) -> None:
    turned = ARRAY.astype(">i2").tobytes()
    text = " ".join(str(value) for value in ARRAY.ravel()).encode()
    (tmp_path / "v.raw").write_bytes(b"a scanner's own header" + RAW)
    for path in (
        meta(tmp_path / "a.mha", voxels=turned, BinaryDataByteOrderMSB="True"),
        meta(tmp_path / "b.mha", voxels=turned, BinaryDataByteOrderMSB=None, ElementByteOrderMSB="True"),
        meta(tmp_path / "c.mha", voxels=text, BinaryData="False"),
        meta(tmp_path / "d.mhd", "v.raw", HeaderSize="22"),
        meta(tmp_path / "e.mhd", "v.raw", HeaderSize="-1"),
    ):
        np.testing.assert_array_equal(read_volume(path).array, ARRAY)
    with pytest.raises(InputError, match="59 of 60 voxels"):
        read_volume(meta(tmp_path / "f.mha", voxels=text.rpartition(b" ")[0], BinaryData="False"))


def test_components_and_time_points_are_chosen(tmp_path: Path) -> None:
    four = {"NDims": "4", "DimSize": "5 4 3 2", "ElementSpacing": "1 1 1 9", "Offset": None, "TransformMatrix": None}
    both = np.stack([np.stack([ARRAY, ARRAY + 1], -1), np.stack([ARRAY + 2, ARRAY + 3], -1)])
    path = meta(tmp_path / "v.mha", voxels=both.tobytes(), ElementNumberOfChannels="2", **four)
    with pytest.raises(InputError, match="2 components of 2 time points"):
        read_volume(path)
    for number in range(4):
        np.testing.assert_array_equal(read_volume(path, component=number).array, ARRAY + number)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"DimSize": None}, "does not say how many voxels"),
        ({"DimSize": "5 4 nan"}, "numbers of voxels are 5 4 nan"),
        ({"DimSize": "5 4 1e300"}, "numbers of voxels"),
        ({"ElementType": None}, "of the type ''"),
        ({"ElementType": "MET_STRING"}, "of the type 'MET_STRING'"),
        ({"NDims": None}, "NDims in its header is ''"),
        ({"HeaderSize": "x"}, "HeaderSize in its header is 'x'"),
        ({"ElementNumberOfChannels": "0"}, "ElementNumberOfChannels in its header is '0'"),
        ({"Offset": "1 2"}, "Offset in its header does not fit"),
    ],
)
def test_headers_that_lack_something_say_what(tmp_path: Path, changed: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_volume(meta(tmp_path / "v.mha", **changed))


def test_names_metadata_and_headers_as_itk_takes_them(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(ARRAY)
    image.SetMetaData("PatientName", "Müller, Jürgen")
    for number in range(400):
        image.SetMetaData(f"Field{number}", "x" * 200)
    (tmp_path / "50 % Gefäß").mkdir()
    for name in ("v.mha", "Gefäß.mhd", "50 % Gefäß/v.mha"):
        sitk.WriteImage(image, str(tmp_path / name))
        np.testing.assert_array_equal(read_volume(tmp_path / name).array, ARRAY)
    (tmp_path / "Gefäß.raw").write_bytes(ARRAY.tobytes()[:-10])
    with pytest.raises(InputError, match=r"Gefäß\.raw is cut off"):
        read_volume(tmp_path / "Gefäß.mhd")
    (tmp_path / "Gefäß.raw").unlink()
    with pytest.raises(InputError, match=r"Gefäß\.raw is missing"):
        read_volume(tmp_path / "Gefäß.mhd")
