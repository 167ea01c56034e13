"""NIfTI, Analyze and NRRD of every name, packing and order; the grid that goes in comes out."""

from __future__ import annotations

import bz2
import gzip
from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files import (
    LabelMap,
    Segment,
    onto_grid,
    read_label_map,
    read_layers,
    read_volume,
    write_label_map,
    write_layers,
    write_volume,
)
from UniverSegSlicerLib.imaging import Geometry

ARRAY = np.random.default_rng(0).integers(-300, 300, (3, 4, 5)).astype(np.int16)  # (K, J, I)
AFFINE = np.array([[0.9, 0, 0, 10], [0, 1.1, 0, -20], [0, 0, 2.0, 30], [0, 0, 0, 1.0]])
ORDERS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def in_order(order: tuple[int, ...], signs: tuple[int, ...]) -> np.ndarray:
    affine = AFFINE.copy()
    affine[:3, :3] = (np.diag(signs) @ AFFINE[:3, :3])[:, list(order)]
    return affine


def nifti(
    path: Path, affine: np.ndarray | None = AFFINE, sform: int = 1, qform: int = 1, kind: type | None = None
) -> None:
    image = (kind or nibabel.Nifti1Image)(ARRAY.T, None)
    image.header.set_zooms((0.9, 1.1, 2.0))
    if affine is not None:
        image.header.set_sform(affine, sform)
        image.header.set_qform(affine, qform)
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)


def same_place(tmp_path: Path, source: Path) -> None:
    """Write on the grid of a file: every program lays the new file where it lays that one."""
    volume = read_volume(source)
    np.testing.assert_array_equal(volume.array, ARRAY)
    write_label_map(tmp_path / "out.nii.gz", (ARRAY > 0).astype(np.uint8), volume.geometry)
    before, after = nibabel.load(source), nibabel.load(tmp_path / "out.nii.gz")
    np.testing.assert_allclose(after.affine, before.affine, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(after.dataobj), ARRAY.T > 0)
    if "qform_code" in before.header:
        for name in ("qform_code", "sform_code", "xyzt_units"):
            assert after.header[name] == before.header[name], name
        np.testing.assert_allclose(after.header.get_sform(), before.header.get_sform(), atol=1e-5)
        np.testing.assert_allclose(after.header.get_qform(), before.header.get_qform(), atol=1e-5)


@pytest.mark.parametrize(("order", "signs"), ORDERS)
def test_48_orders_go_out_as_they_came_in(tmp_path: Path, order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    nifti(tmp_path / "in.nii", in_order(order, signs))
    same_place(tmp_path, tmp_path / "in.nii")


@pytest.mark.parametrize("sform", [0, 1, 2, 4])
@pytest.mark.parametrize("qform", [0, 1, 2])
def test_unset_and_conflicting_forms_go_out_as_they_came_in(tmp_path: Path, sform: int, qform: int) -> None:
    image = nibabel.Nifti1Image(ARRAY.T, None)
    image.header.set_zooms((0.9, 1.1, 2.0))
    turned = nibabel.affines.from_matvec(nibabel.eulerangles.euler2mat(0.3) @ AFFINE[:3, :3], (1.0, 2.0, 3.0))
    image.header.set_sform(AFFINE, sform)
    image.header.set_qform(turned, qform)
    nibabel.save(image, tmp_path / "in.nii")
    same_place(tmp_path, tmp_path / "in.nii")
    # What Slicer, that is ITK, lays it on is what is computed on.
    grid, itk = read_volume(tmp_path / "in.nii").geometry, sitk.ReadImage(str(tmp_path / "in.nii"))
    np.testing.assert_allclose(grid.origin, itk.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(grid.direction, itk.GetDirection(), atol=1e-5)


@pytest.mark.parametrize("shear", [1e-6, 1e-4, 1e-3])
def test_a_shear_of_rounding_is_taken_and_kept(tmp_path: Path, shear: float) -> None:
    affine = AFFINE.copy()
    affine[0, 1] = shear
    nifti(tmp_path / "in.nii", affine, qform=0)
    same_place(tmp_path, tmp_path / "in.nii")
    for name in ("out.nrrd", "out.mha"):
        write_volume(tmp_path / name, ARRAY, read_volume(tmp_path / "in.nii").geometry)
        matrix = np.array(sitk.ReadImage(str(tmp_path / name)).GetDirection()).reshape(3, 3)
        assert matrix[0, 1] == pytest.approx(-shear / 1.1, rel=1e-3)


@pytest.mark.parametrize("shear", [0.011, 0.1])
def test_a_real_shear_is_refused(tmp_path: Path, shear: float) -> None:
    affine = AFFINE.copy()
    affine[0, 1] = shear
    nifti(tmp_path / "in.nii", affine, qform=0)
    with pytest.raises(InputError, match="sheared grid"):
        read_volume(tmp_path / "in.nii")


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("name", ["v.nii", "v.NII", "v.nii.gz", "v.nii.bz2"])
def test_nifti_of_every_name_and_packing(tmp_path: Path, kind: type, name: str) -> None:
    nifti(tmp_path / "v.nii", kind=kind)
    data = (tmp_path / "v.nii").read_bytes()
    for content in (data, gzip.compress(data), bz2.compress(data), gzip.compress(data) + b"text behind it"):
        (tmp_path / name).write_bytes(content)
        np.testing.assert_array_equal(read_volume(tmp_path / name).array, ARRAY)


@pytest.mark.parametrize(
    "kind", [nibabel.Nifti1Pair, nibabel.Nifti2Pair, nibabel.AnalyzeImage, nibabel.Spm99AnalyzeImage]
)
@pytest.mark.parametrize("order", "<>")
def test_pairs_are_read_by_either_file_and_looked_at_as_single_ones_are(tmp_path: Path, kind: type, order: str) -> None:
    image = kind(ARRAY.T, None, kind.header_class(endianness=order))
    image.header.set_zooms((0.9, 1.1, 2.0))
    nibabel.save(image, tmp_path / "v.img")
    for name in ("v.img", "v.hdr"):
        volume = read_volume(tmp_path / name)
        np.testing.assert_array_equal(volume.array, ARRAY)
        np.testing.assert_allclose(volume.geometry.spacing, (0.9, 1.1, 2.0), atol=1e-6)
    voxels = (tmp_path / "v.img").read_bytes()
    (tmp_path / "v.img").write_bytes(voxels[: len(voxels) // 2])
    with pytest.raises(InputError, match=r"v\.img is cut off"):
        read_volume(tmp_path / "v.hdr")
    (tmp_path / "v.img").unlink()
    with pytest.raises(InputError, match=r"its data file v\.img is missing"):
        read_volume(tmp_path / "v.hdr")
    (tmp_path / "v.hdr").rename(tmp_path / "other.hdr")
    (tmp_path / "v.img").write_bytes(voxels)
    with pytest.raises(InputError, match=r"v\.hdr is missing"):
        read_volume(tmp_path / "v.img")


def test_several_volumes_in_a_file_are_chosen_from(tmp_path: Path) -> None:
    times = np.stack([ARRAY.T, ARRAY.T + 7], axis=-1)
    nibabel.save(nibabel.Nifti1Image(times, AFFINE), tmp_path / "times.nii.gz")
    vector = nibabel.Nifti1Image(times[:, :, :, None], AFFINE)
    vector.header.set_slope_inter(0.5, 3)
    nibabel.save(vector, tmp_path / "vector.nii")
    sitk.WriteImage(
        sitk.Compose([sitk.GetImageFromArray(part.T.copy()) for part in np.moveaxis(times, 3, 0)]),
        str(tmp_path / "v.nrrd"),
    )
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "v.nrrd")), str(tmp_path / "v.mha"))
    for name in ("times.nii.gz", "vector.nii", "v.nrrd", "v.mha"):
        for read in (read_volume, read_label_map):
            with pytest.raises(InputError, match=r"--component N, N from 0 to 1"):
                read(tmp_path / name)
        with pytest.raises(InputError, match="numbered 0 to 1"):
            read_volume(tmp_path / name, component=2)
        for number in (0, 1):
            found = read_volume(tmp_path / name, component=number).array.astype(float)
            np.testing.assert_allclose(
                found,
                nibabel.load(tmp_path / name).dataobj[:, :, :, 0, number].T
                if name == "vector.nii"
                else ARRAY + 7 * number,
                atol=1e-3,
            )


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("order", "<>")
def test_every_type_and_byte_order(tmp_path: Path, dtype: type, order: str) -> None:
    array = np.abs(ARRAY % 100).astype(np.dtype(dtype).newbyteorder(order))
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(array.dtype)
    nibabel.save(nibabel.Nifti1Image(array.T, AFFINE, header), tmp_path / "v.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / "v.nii").array, array)
    text = {"u1": "uint8", "i1": "int8", "i2": "int16", "u2": "uint16", "i4": "int32", "f4": "float", "f8": "double"}
    for encoding, content in (
        ("raw", array.tobytes()),
        ("gzip", gzip.compress(array.tobytes())),
        ("bzip2", bz2.compress(array.tobytes())),
        ("ascii", " ".join(str(v) for v in array.ravel()).encode()),
        ("hex", array.tobytes().hex().encode()),
    ):
        head = (
            f"NRRD0004\ntype: {text[np.dtype(dtype).str[1:]]}\ndimension: 3\nsizes: 5 4 3\nspacings: 1 2 3\n"
            f"encoding: {encoding}\nendian: {'little' if order == '<' else 'big'}\n\n"
        )
        (tmp_path / "v.nrrd").write_bytes(head.encode() + content)
        volume = read_volume(tmp_path / "v.nrrd")
        np.testing.assert_array_equal(volume.array, array)
        assert volume.geometry.spacing == (1.0, 2.0, 3.0)


def test_axes_that_are_not_used_may_be_said_to_be_empty(tmp_path: Path) -> None:
    nifti(tmp_path / "v.nii")
    content = bytearray((tmp_path / "v.nii").read_bytes())
    content[40:58] = np.array([5, 5, 4, 3, 0, 0, 1, 1, 1], "<i2").tobytes()
    (tmp_path / "v.nii").write_bytes(bytes(content))
    np.testing.assert_array_equal(read_volume(tmp_path / "v.nii").array, ARRAY)


@pytest.mark.parametrize("space", ["left-posterior-superior", "RAS", "LAS", "scanner-xyz"])
def test_spaces_of_nrrd_are_those_of_itk(tmp_path: Path, space: str) -> None:
    head = (
        f"NRRD0004\ntype: int16\ndimension: 3\nspace: {space}\nsizes: 5 4 3\nencoding: raw\nendian: little\n"
        "space directions: (0,2,0) (-1,0,0) (0,0,3)\nspace origin: (7,8,9)\n\n"
    )
    (tmp_path / "v.nrrd").write_bytes(head.encode() + ARRAY.tobytes())
    grid, itk = read_volume(tmp_path / "v.nrrd").geometry, sitk.ReadImage(str(tmp_path / "v.nrrd"))
    assert (grid.spacing, grid.origin) == (itk.GetSpacing(), itk.GetOrigin())
    np.testing.assert_allclose(grid.direction, itk.GetDirection(), atol=1e-12)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_a_plane_stays_a_plane(tmp_path: Path, ending: str) -> None:
    nibabel.save(nibabel.Nifti1Image(ARRAY[0].T, AFFINE), tmp_path / "in.nii")
    volume = read_volume(tmp_path / "in.nii")
    assert volume.array.shape == (1, 4, 5)
    write_label_map(tmp_path / f"out{ending}", (volume.array > 0).astype(np.uint8), volume.geometry)
    assert sitk.ReadImage(str(tmp_path / f"out{ending}")).GetSize() == (5, 4)
    placed, said = onto_grid(read_label_map(tmp_path / f"out{ending}"), volume.geometry)
    np.testing.assert_array_equal(placed.array, volume.array > 0)
    assert said is None


def segments(*names: str) -> tuple[Segment, ...]:
    return tuple(Segment(n + 1, name, (0.5, 0.25, n / 4), "a~b^c~d", {"ID": f"S{n}"}) for n, name in enumerate(names))


def test_a_segmentation_keeps_names_colours_and_terminology(tmp_path: Path) -> None:
    labels = (ARRAY > 0).astype(np.uint8) + (ARRAY > 200)
    write_label_map(tmp_path / "s.seg.nrrd", labels, Geometry((5, 4, 3)), segments=segments("Größe", "catheter"))
    back = read_label_map(tmp_path / "s.seg.nrrd")
    np.testing.assert_array_equal(back.array, labels)
    assert back.segments == segments("Größe", "catheter")
    assert back.segments[0].details["ID"] == "S0"
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "s.seg.nrrd"))), labels)


def test_overlapping_segments_are_layers(tmp_path: Path) -> None:
    grid = Geometry((5, 4, 3))
    liver, tumour = (ARRAY > 0).astype(np.uint16), (ARRAY > 200).astype(np.uint16)
    first, second = segments("liver", "tumour")
    write_layers(
        tmp_path / "s.seg.nrrd", [LabelMap(liver, grid, (first,)), LabelMap(tumour, grid, (Segment(1, "tumour"),))]
    )
    with pytest.raises(InputError, match=r"overlap, in 2 layers \(liver, tumour\)"):
        read_label_map(tmp_path / "s.seg.nrrd")
    layers = read_layers(tmp_path / "s.seg.nrrd")
    assert [layer.names for layer in layers] == [{1: "liver"}, {2: "tumour"}]
    np.testing.assert_array_equal(layers[1].array, tumour * 2)
    with pytest.raises(InputError, match=r"\.seg\.nrrd"):
        write_layers(tmp_path / "s.nii.gz", layers)
    assert second.value == 2


@pytest.mark.parametrize(("order", "signs"), ORDERS)
def test_marks_in_another_order_or_extent_are_taken_exactly(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    grid = Geometry((5, 4, 3), (0.9, 1.1, 2.0), (1.0, 2.0, 3.0))
    labels = np.zeros((3, 4, 5), np.uint16)
    labels[1, 1:3, 2:4] = [[1, 2], [3, 4]]
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    cropped = sitk.RegionOfInterest(image, (3, 3, 2), (2, 1, 0))
    for source in (image, cropped):
        moved = sitk.Flip(sitk.PermuteAxes(source, order), [sign < 0 for sign in signs])
        own = Geometry(moved.GetSize(), moved.GetSpacing(), moved.GetOrigin(), moved.GetDirection())
        placed, said = onto_grid(LabelMap(sitk.GetArrayFromImage(moved), own), grid)
        np.testing.assert_array_equal(placed.array, labels)
        assert placed.geometry == grid
        assert (said is None) == (source is image and (order, signs) == ((0, 1, 2), (1, 1, 1)))


def test_marks_off_the_voxels_or_beyond_the_volume_are_refused() -> None:
    grid, labels = Geometry((5, 4, 3)), np.ones((3, 4, 5), np.uint16)
    for own, word in (
        (Geometry((5, 4, 3), origin=(0.5, 0, 0)), "origin"),
        (Geometry((5, 4, 3), (1, 1, 2)), "spacing"),
        (Geometry((5, 4, 3), origin=(2, 0, 0)), "outside of the volume"),
    ):
        with pytest.raises(InputError, match=word):
            onto_grid(LabelMap(labels, own), grid)
