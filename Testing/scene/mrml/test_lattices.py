"""Segmentations on a lattice of their own: finer, coarser, turned, mirrored, stretched, sheared, nested."""

from __future__ import annotations

import numpy as np
import pytest

from UniverSegSlicerLib.errors import InputError

SHAPE = (12, 16, 18)
GRID = np.array([[-0.9, 0, 0, 5], [0, -0.8, 0, -7], [0, 0, 2.0, 11], [0, 0, 0, 1.0]])


def structure(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """An ellipsoid without symmetry, (K, J, I)."""
    k, j, i = (axis / size for axis, size in zip(np.indices(shape), shape, strict=True))
    return (((k - 0.5) / 0.4) ** 2 + ((j - 0.45) / 0.3) ** 2 + ((i - 0.55) / 0.25) ** 2 < 1).astype(np.uint8)


def divided(factors: tuple[float, float, float]) -> np.ndarray:
    """The IJK-to-RAS matrix of a lattice that has ``factors`` (I, J, K) as many voxels over the same box."""
    scale = np.diag([*(1 / f for f in factors), 1.0])
    scale[:3, 3] = [(1 / f - 1) / 2 for f in factors]
    return GRID @ scale


def on_lattice(world, mask, matrix, name="a"):
    """A segmentation node whose lattice is its own."""
    return world.segmentation(world.volume(np.zeros_like(mask, np.int16), matrix, "lattice"), {name: mask})


def marked(segmentation, volume, axis="auto"):
    from UniverSegSlicerLib.scene.support.marks import marked_slices

    return [row.index for row in marked_slices(segmentation, ["a"], volume, axis)]


@pytest.mark.parametrize("factors", [(1, 1, 2), (1, 1, 3), (2, 2, 2), (1, 2, 4), (3, 1, 5)], ids=str)
@pytest.mark.parametrize("which", ["first", "last"])
@pytest.mark.parametrize("degrees", [0.0, 0.2])
def test_one_painted_fine_slice_marks_the_slice(world, oblique, factors, which, degrees):
    """Whichever of the fine slices of a slice it is, whether or not the lattice is a little turned as well."""
    volume = world.volume(np.zeros(SHAPE, np.int16), GRID)
    fine = np.repeat(np.repeat(np.repeat(structure(), factors[2], 0), factors[1], 1), factors[0], 2)
    painted = np.zeros_like(fine)
    for k in (3, 6, 9):
        row = k * factors[2] + (0 if which == "first" else factors[2] - 1)
        painted[row] = fine[row]
    segmentation = on_lattice(world, painted, divided(factors))
    if degrees:
        turn = oblique((1, 1, 1), degrees)
        turn[:3, 3] = 0
        segmentation.SetAndObserveTransformNodeID(world.transform(turn).GetID())
    found = marked(segmentation, volume, "auto" if not degrees else "k")
    assert set(found) >= {3, 6, 9}
    assert degrees or found == [3, 6, 9]


def test_a_result_leaves_no_slits_between_painted_fine_slices(world, tiny_model_path):
    """What was painted stays voxel for voxel; the fine slices beside it are filled with the rest, in one undo."""
    from UniverSegSlicerLib.scene.logic import UniverSegLogic
    from UniverSegSlicerLib.scene.mrml.segments import image_array, labelmap_of

    volume = world.volume((100 * structure()).astype(np.int16), GRID)
    fine = np.repeat(structure(), 2, 0)
    painted = np.zeros_like(fine)
    painted[[6, 12, 18]] = fine[[6, 12, 18]]
    segmentation = on_lattice(world, painted, divided((1, 1, 2)))
    logic = UniverSegLogic(world.scene)

    def held():
        image, whole = labelmap_of(segmentation, "a"), np.zeros_like(fine)
        i0, i1, j0, j1, k0, k1 = image.GetExtent()
        whole[k0 : k1 + 1, j0 : j1 + 1, i0 : i1 + 1] = image_array(image) != 0
        return whole

    logic.propagate(volume, segmentation, model=str(tiny_model_path), device="cpu", quality="fast")
    assert np.array_equal(held()[[6, 12, 18]], painted[[6, 12, 18]])
    assert np.array_equal(held()[[7, 13, 19]], painted[[6, 12, 18]])
    assert held()[6:20].any((1, 2)).all()
    assert marked(segmentation, volume) == [3, 6, 9]
    assert logic.writer.undo()
    assert np.array_equal(held(), painted)
    logic.shutdown()


@pytest.mark.parametrize("axis", ["i", "j", "k"])
def test_fine_slices_along_every_axis(world, axis):
    volume = world.volume(np.zeros(SHAPE, np.int16), GRID)
    number = "ijk".index(axis)
    factors = tuple(2 if each == number else 1 for each in range(3))
    fine = np.repeat(structure(), 2, 2 - number)
    painted = np.zeros_like(fine)
    for index in (6, 9):
        np.moveaxis(painted, 2 - number, 0)[2 * index] = np.moveaxis(fine, 2 - number, 0)[2 * index]
    assert marked(on_lattice(world, painted, divided(factors)), volume) == [6, 9]


def test_a_stray_voxel_does_not_speak_for_a_painted_slice(world):
    volume = world.volume(np.zeros(SHAPE, np.int16), GRID)
    painted = np.zeros((24, 16, 18), np.uint8)
    painted[12], painted[13, 8, 9] = structure()[6], 1
    segmentation = on_lattice(world, painted, divided((1, 1, 2)))
    from UniverSegSlicerLib.scene.mrml.segments import read_segment

    assert np.array_equal(read_segment(segmentation, "a", volume)[6], structure()[6])


@pytest.mark.parametrize("factors", [(2, 2, 2), (3, 3, 3), (1, 1, 2), (2, 2, 1)], ids=str)
def test_whole_structures_keep_their_size(world, factors):
    """Reading a finer lattice neither thickens nor thins what is segmented through and through."""
    from UniverSegSlicerLib.scene.mrml.segments import read_segment

    volume = world.volume(np.zeros(SHAPE, np.int16), GRID)
    fine = structure(tuple(int(n * f) for n, f in zip(SHAPE, factors[::-1], strict=True)))
    found = read_segment(on_lattice(world, fine, divided(factors)), "a", volume)
    assert found.sum() == pytest.approx(fine.sum() / np.prod(factors), rel=0.06)


@pytest.mark.parametrize("factors", [(1, 1, 0.5), (0.5, 0.5, 0.5), (1, 1, 1 / 3)], ids=str)
def test_coarser_lattices_mark_every_slice_that_they_cover(world, factors):
    volume = world.volume(np.zeros(SHAPE, np.int16), GRID)
    coarse = structure(tuple(int(n * f) for n, f in zip(SHAPE, factors[::-1], strict=True)))
    covered = round(1 / factors[2])
    painted = np.zeros_like(coarse)
    painted[1] = coarse[1]
    assert marked(on_lattice(world, painted, divided(factors)), volume, "k") == list(range(covered, 2 * covered))


@pytest.mark.parametrize(
    "move",
    [
        np.diag([2.0, 2.0, 2.0, 1]), np.diag([-1.0, 1, 1, 1]), np.diag([1.0, -1, -1, 1]),
        np.diag([0.5, 1.5, -1.0, 1]), np.array([[1, 0.2, 0, 3], [0, 1, 0.1, -2], [0, 0, 1, 1], [0, 0, 0, 1.0]]),
    ],
    ids=["stretched", "mirrored", "turned over", "all at once", "sheared"],
)  # fmt: skip
@pytest.mark.parametrize("nested", [False, True])
def test_linear_transforms_of_every_kind_are_right(world, oblique, move, nested):
    """Voxel for voxel what a direct look-up of the nearest voxel says, with the transform on either node."""
    from UniverSegSlicerLib.scene.mrml.segments import read_segment

    volume = world.volume(np.zeros(SHAPE, np.int16), GRID)
    mask = structure()
    segmentation = world.segmentation(volume, {"a": mask})
    centre = GRID @ [8.5, 7.5, 5.5, 1]
    about = np.eye(4)
    about[:3, 3] = centre[:3] - (move @ centre)[:3] + [0.2, 0.3, 0.4]
    node = world.transform(about @ move)
    segmentation.SetAndObserveTransformNodeID(node.GetID())
    if nested:
        over = world.transform(oblique((1, 1.2, 1), 25.0), "Over")
        node.SetAndObserveTransformNodeID(over.GetID())
        volume.SetAndObserveTransformNodeID(over.GetID())
    index = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE[::-1]), indexing="ij"), -1)
    to_mask = np.linalg.inv(about @ move @ GRID) @ GRID
    at = np.floor(index @ to_mask[:3, :3].T + to_mask[:3, 3] + 0.5).astype(int)
    inside = ((at >= 0) & (at < SHAPE[::-1])).all(-1)
    at = np.where(inside[..., None], at, 0)
    expected = np.where(inside, mask[at[..., 2], at[..., 1], at[..., 0]], 0).transpose(2, 1, 0)
    found = read_segment(segmentation, "a", volume)
    assert expected.sum() > 100
    differ = np.argwhere(found != expected)
    # Ties, and where the mask is the finer one, slices at its very ends that the middle of a voxel misses.
    assert len(differ) < 0.004 * found.size or np.isin(differ[:, 2], np.flatnonzero(found.any((0, 1)))[[0, -1]]).all()


def grid_warp(world):
    """A displacement field."""
    import slicer
    import vtk

    image = vtk.vtkImageData()
    image.SetDimensions(4, 4, 4)
    image.SetSpacing(20, 20, 20)
    image.SetOrigin(-30, -30, -10)
    image.AllocateScalars(vtk.VTK_DOUBLE, 3)
    image.GetPointData().GetScalars().Fill(0)
    image.SetScalarComponentFromDouble(1, 1, 1, 0, 4.0)
    grid = slicer.vtkOrientedGridTransform()
    grid.SetDisplacementGridData(image)
    node = world.scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "Field")
    node.SetAndObserveTransformFromParent(grid)
    return node


def bspline_warp(world):
    """A B-spline."""
    import slicer
    import vtk

    image = vtk.vtkImageData()
    image.SetDimensions(5, 5, 5)
    image.SetSpacing(20, 20, 20)
    image.SetOrigin(-30, -30, -10)
    image.AllocateScalars(vtk.VTK_DOUBLE, 3)
    image.GetPointData().GetScalars().Fill(0)
    image.SetScalarComponentFromDouble(2, 2, 2, 1, 5.0)
    spline = slicer.vtkOrientedBSplineTransform()
    spline.SetCoefficientData(image)
    node = world.scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "Spline")
    node.SetAndObserveTransformFromParent(spline)
    return node


@pytest.mark.parametrize(
    "make_warp", [grid_warp, bspline_warp, lambda world: world.warp()], ids=["grid", "bspline", "tps"]
)
@pytest.mark.parametrize("between", ["nothing", "shift under it"])
def test_warps_over_both_nodes_are_right_and_over_one_refused_before_the_work(make, make_warp, between, tmp_path):
    """Both under one warp, also with a linear transform between: segmented and exported. One alone: refused at once."""
    import SimpleITK as sitk

    from Testing.scene.running_case import SHAPE as CASE
    from UniverSegSlicerLib.scene.interface import ExportOptions

    case = make()
    warp = make_warp(case.world)
    case.volume.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(InputError, match="non-linear transform lies between"):
        case.logic.start(case.selection, case.options)
    assert "non-linear" in case.logic.support(case.selection).message
    assert case.logic.state.phase == "idle"
    node = warp
    if between != "nothing":
        node = case.world.transform(np.eye(4), "Shift")
        node.SetAndObserveTransformNodeID(warp.GetID())
    case.segmentation.SetAndObserveTransformNodeID(node.GetID())
    assert case.marked() == [2, 6]
    report = case.logic.export(case.volume, case.segmentation, ExportOptions(tmp_path))
    assert warp.GetName() in report.note
    assert "as Slicer saves it" in report.note
    written = sitk.ReadImage(str(report.label_map))
    assert sitk.GetArrayFromImage(written).shape == CASE
    assert np.array_equal(sitk.GetArrayFromImage(written) == 1, case.read("a") > 0)


def test_a_volume_under_a_shear_is_exported_on_its_own_grid(make, tmp_path):
    import SimpleITK as sitk

    from UniverSegSlicerLib.scene.interface import ExportOptions

    case = make()
    shear = np.eye(4)
    shear[0, 2] = 0.2
    node = case.world.transform(shear, "Tilt")
    for each in (case.volume, case.segmentation):
        each.SetAndObserveTransformNodeID(node.GetID())
    report = case.logic.export(case.volume, case.segmentation, ExportOptions(tmp_path))
    assert "'Tilt'" in report.note
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(report.label_map))) == 1, case.read("a") > 0)


@pytest.mark.parametrize("scale", [(-1.0, 1.0, 1.0), (2.0, 2.0, 0.5)], ids=str)
def test_mirrors_and_stretches_go_into_the_file(make, tmp_path, scale):
    import SimpleITK as sitk

    from UniverSegSlicerLib.scene.interface import ExportOptions

    case = make()
    node = case.world.transform(np.diag([*scale, 1.0]))
    for each in (case.volume, case.segmentation):
        each.SetAndObserveTransformNodeID(node.GetID())
    report = case.logic.export(case.volume, case.segmentation, ExportOptions(tmp_path))
    assert report.note == ""
    image = sitk.ReadImage(str(report.label_map))
    assert np.array_equal(sitk.GetArrayFromImage(image) == 1, case.read("a") > 0)
    corner = np.array(image.TransformContinuousIndexToPhysicalPoint((3.0, 2.0, 1.0))) * [-1, -1, 1]
    assert corner == pytest.approx(np.array(scale) * [3, 2, 1], abs=1e-4)


def test_a_sheared_volume_is_refused_before_the_work(world):
    from UniverSegSlicerLib.scene.interface import RunOptions, Selection
    from UniverSegSlicerLib.scene.logic import UniverSegLogic

    sheared = GRID.copy()
    sheared[0, 2] = 0.5
    volume = world.volume(np.zeros(SHAPE, np.int16), sheared)
    segmentation = on_lattice(world, structure(), GRID)
    logic = UniverSegLogic(world.scene)
    with pytest.raises(InputError, match=r"'CT' do not lie on a straight grid .* Resample Scalar Volume"):
        logic.start(Selection(volume, segmentation), RunOptions())
    logic.shutdown()
