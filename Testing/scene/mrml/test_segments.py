"""Segments to arrays and back, whatever lies between the two grids."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import SimpleITK as sitk

from UniverSegSlicerLib.errors import InputError

SHAPE = (6, 8, 10)


def blob(shape: tuple[int, int, int] = SHAPE, seed: int = 0) -> np.ndarray:
    """A lopsided structure without any symmetry, so that every flip and swap shows."""
    mask = np.zeros(shape, np.uint8)
    k, j, i = shape
    mask[1 : k - 1, 2 : j - 1, 1 : i - 3] = 1
    mask[k - 2, 2, 1] = 0
    mask[1, j - 2, 1:3] = 0
    rng = np.random.default_rng(seed)
    return mask & (rng.random(shape) > 0.2)


def signed_permutations() -> list[np.ndarray]:
    """The 48 ways to name and direct three axes."""
    result = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            matrix = np.zeros((3, 3))
            for column, (row, sign) in enumerate(zip(order, signs, strict=True)):
                matrix[row, column] = sign
            result.append(matrix)
    return result


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (3.0, 0.5, 1.1)])
@pytest.mark.parametrize("degrees", [0.0, 20.0, 133.0])
def test_same_grid_is_copied_voxel_for_voxel(world, oblique, spacing, degrees):
    from UniverSegSlicerLib.scene.mrml.segments import read_segment

    mask = blob()
    volume = world.volume(np.zeros(SHAPE, np.int16), oblique(spacing, degrees))
    segmentation = world.segmentation(volume, {"a": mask})
    np.testing.assert_array_equal(read_segment(segmentation, "a", volume), mask)


@pytest.mark.parametrize("matrix", signed_permutations(), ids=lambda m: "".join(f"{v:+.0f}" for v in m.ravel() if v))
def test_all_axis_orders_and_flips_read_label_for_label(world, matrix):
    """The same world shown in 48 orders of the volume's axes gives the same labels at the same places."""
    from UniverSegSlicerLib.scene.mrml.segments import read_segment

    mask = blob()
    base = world.volume(np.zeros(SHAPE, np.int16), np.diag([0.8, 0.9, 2.5, 1.0]))
    segmentation = world.segmentation(base, {"a": mask})

    # The same voxels stored with other axes: stored[ijk'] = mask[ijk] with ijk = P ijk' + t.
    size = np.array(SHAPE[::-1])
    stored_size = np.abs(matrix.T @ size).astype(int)
    corner = np.where(matrix.sum(axis=1) < 0, size - 1, 0)
    to_base = np.eye(4)
    to_base[:3, :3], to_base[:3, 3] = matrix, corner
    volume = world.volume(np.zeros(stored_size[::-1], np.int16), np.diag([0.8, 0.9, 2.5, 1.0]) @ to_base)

    index = np.stack(np.meshgrid(*(np.arange(n) for n in stored_size), indexing="ij"), -1)
    i, j, k = np.moveaxis((index @ matrix.T + corner).astype(int), -1, 0)
    expected = mask[k, j, i].transpose(2, 1, 0)
    np.testing.assert_array_equal(read_segment(segmentation, "a", volume), expected)


def test_cropped_and_shared_label_maps(world):
    """Slicer keeps only the box of a segment, and several segments in one image."""
    from UniverSegSlicerLib.scene.mrml.segments import labelmap_of, read_labels, read_segment

    first, second = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    first[2, 3:5, 4:6] = 1
    second[4, 6, 8] = 1
    volume = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(volume, {"a": first, "b": second})
    segmentation.GetSegmentation().CollapseBinaryLabelmaps(True)
    assert labelmap_of(segmentation, "a") is labelmap_of(segmentation, "b")
    assert np.prod(labelmap_of(segmentation, "a").GetDimensions()) < first.size
    np.testing.assert_array_equal(read_segment(segmentation, "a", volume), first)
    np.testing.assert_array_equal(read_segment(segmentation, "b", volume), second)
    np.testing.assert_array_equal(read_labels(segmentation, ["b", "a"], volume), second + 2 * first)


def test_segment_beyond_the_volume_is_clipped(world):
    """A segmentation drawn on a larger scan, read on a smaller one with a shifted origin."""
    from UniverSegSlicerLib.scene.mrml.segments import read_segment

    mask = np.ones(SHAPE, np.uint8)
    large = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(large, {"a": mask})
    matrix = np.eye(4)
    matrix[:3, 3] = (7, -2, 1)
    small = world.volume(np.zeros((4, 5, 6), np.int16), matrix)
    expected = np.zeros((4, 5, 6), np.uint8)
    expected[:, 2:, :3] = 1
    np.testing.assert_array_equal(read_segment(segmentation, "a", small), expected)


@pytest.mark.parametrize("parents", ["both", "volume", "segmentation", "chain"])
def test_linear_parent_transforms(world, oblique, parents):
    """Moving a node moves what is read, by exactly the transform between the two nodes."""
    from UniverSegSlicerLib.scene.mrml.segments import read_segment

    mask = blob()
    volume = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(volume, {"a": mask})
    shift = np.eye(4)
    shift[:3, 3] = (2, -1, 1)
    moved = world.transform(shift)
    if parents in ("both", "volume"):
        volume.SetAndObserveTransformNodeID(moved.GetID())
    if parents in ("both", "segmentation"):
        segmentation.SetAndObserveTransformNodeID(moved.GetID())
    if parents == "chain":
        turned = world.transform(oblique((1, 1, 1), 37.0))
        volume.SetAndObserveTransformNodeID(turned.GetID())
        moved.SetAndObserveTransformNodeID(turned.GetID())
        segmentation.SetAndObserveTransformNodeID(moved.GetID())
    expected = np.zeros_like(mask)
    if parents == "both":
        expected = mask
    elif parents == "volume":  # the volume went away from the mask, which now sits at (-2, +1, -1) of it
        expected[:-1, 1:, :-2] = mask[1:, :-1, 2:]
    else:
        expected[1:, :-1, 2:] = mask[:-1, 1:, :-2]
    np.testing.assert_array_equal(read_segment(segmentation, "a", volume), expected)


def test_rotated_segmentation_is_sampled_like_simpleitk(world, oblique):
    """An independent resampler agrees on every voxel but those where the nearest voxel is a tie."""
    from UniverSegSlicerLib.scene.mrml.segments import read_segment

    shape = (12, 20, 24)
    mask = blob(shape)
    volume = world.volume(np.zeros(shape, np.int16), np.diag([1.0, 1.2, 2.0, 1.0]))
    segmentation = world.segmentation(volume, {"a": mask})
    move = oblique((1, 1, 1), 9.0)
    move[:3, 3] = (1.3, -2.1, 0.7)
    segmentation.SetAndObserveTransformNodeID(world.transform(move).GetID())

    # In RAS for both, so no flips are needed: world point p comes from the mask at inverse(move) p.
    image = sitk.GetImageFromArray(mask)
    image.SetSpacing((1.0, 1.2, 2.0))
    inverse = np.linalg.inv(move)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(inverse[:3, :3].ravel())
    transform.SetTranslation(inverse[:3, 3])
    expected = sitk.GetArrayFromImage(sitk.Resample(image, image, transform, sitk.sitkNearestNeighbor, 0))
    actual = read_segment(segmentation, "a", volume)
    assert actual.sum() > 500
    # SimpleITK samples up to half a voxel outside its grid, as VTK does; ties are all that may differ.
    assert np.mean(actual != expected) < 2e-3


def test_non_linear_transform_is_refused_in_words(world):
    from UniverSegSlicerLib.scene.mrml.segments import read_segment

    volume = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(volume, {"a": blob()})
    warp = world.warp()
    segmentation.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(InputError, match="non-linear transform lies between 'Segmentation' and 'CT'"):
        read_segment(segmentation, "a", volume)
    # Under one and the same warp the two are together again.
    volume.SetAndObserveTransformNodeID(warp.GetID())
    np.testing.assert_array_equal(read_segment(segmentation, "a", volume), blob())


def test_closed_surface_is_refused_in_words(world):
    import slicer
    import vtk

    from UniverSegSlicerLib.scene.mrml.segments import check_segmentation

    surface = world.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Skull")
    surface.SetSourceRepresentationToClosedSurface()
    sphere = vtk.vtkSphereSource()
    sphere.Update()
    segment = slicer.vtkSegment()
    segment.AddRepresentation(
        slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName(), sphere.GetOutput()
    )
    surface.GetSegmentation().AddSegment(segment, "a")
    with pytest.raises(InputError, match="'Skull' is a closed surface"):
        check_segmentation(surface)


def test_which_segments_a_run_may_change(world):
    import slicer

    from UniverSegSlicerLib.scene.mrml.segments import choose_segments

    logic = slicer.vtkSlicerSegmentationsModuleLogic
    volume = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(volume, {"a": blob(), "b": blob(), "c": blob()})
    assert choose_segments(segmentation, None) == ["a", "b", "c"]
    segmentation.GetDisplayNode().SetSegmentVisibility("b", False)
    logic.SetSegmentStatus(segmentation.GetSegmentation().GetSegment("c"), logic.Completed)
    assert choose_segments(segmentation, None) == ["a"]
    with pytest.raises(InputError, match="'b' is hidden"):
        choose_segments(segmentation, ["a", "b"])
    with pytest.raises(InputError, match="'c' is locked as completed"):
        choose_segments(segmentation, ["c"])
    with pytest.raises(InputError, match="no segment 'd'"):
        choose_segments(segmentation, ["d"])
    segmentation.GetDisplayNode().SetSegmentVisibility("a", False)
    with pytest.raises(InputError, match="Every segment of 'Segmentation'"):
        choose_segments(segmentation, None)
    with pytest.raises(InputError, match="No segmentation is selected"):
        choose_segments(None, None)
    with pytest.raises(InputError, match="'Empty' has no segment"):
        choose_segments(world.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Empty"), None)
