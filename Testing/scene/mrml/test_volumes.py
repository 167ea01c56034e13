"""Volume nodes as arrays with geometry, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from UniverSegSlicerLib.errors import InputError


def test_array_is_a_view_in_kji_order_with_lps_geometry(world, oblique):
    from UniverSegSlicerLib.scene.mrml.volumes import volume_of

    array = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
    matrix = oblique()
    node = world.volume(array, matrix)
    volume = volume_of(node)
    np.testing.assert_array_equal(volume.array, array)
    assert volume.array.shape == (2, 3, 4)
    assert volume.geometry.size == (4, 3, 2)
    # An index goes to the same place by way of LPS as by way of Slicer's RAS.
    ijk = np.array([3.0, 1.0, 1.0])
    ras = matrix[:3, :3] @ ijk + matrix[:3, 3]
    np.testing.assert_allclose(volume.geometry.to_world(ijk), ras * [-1, -1, 1], atol=1e-9)
    node.GetImageData().GetPointData().GetScalars().SetTuple1(5, 99)
    assert volume.array[0, 1, 1] == 99


def test_the_view_outlives_the_node(world):
    """A run that started before the volume was deleted must not read freed memory."""
    from UniverSegSlicerLib.scene.mrml.volumes import volume_of

    array = np.arange(50**3, dtype=np.int32).reshape(50, 50, 50)
    node = world.volume(array)
    volume = volume_of(node)
    world.scene.RemoveNode(node)
    del node
    np.testing.assert_array_equal(volume.array, array)


def test_what_is_not_a_scalar_volume_is_refused_in_words(world):
    import slicer
    import vtk

    from UniverSegSlicerLib.scene.mrml.volumes import check_volume

    with pytest.raises(InputError, match="No volume is selected"):
        check_volume(None)
    empty = world.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    with pytest.raises(InputError, match="'Empty' has no image data"):
        check_volume(empty)
    empty.SetAndObserveImageData(vtk.vtkImageData())
    with pytest.raises(InputError, match="'Empty' has no image data"):
        check_volume(empty)
    image = vtk.vtkImageData()
    image.SetDimensions(4, 4, 4)
    image.AllocateScalars(vtk.VTK_SHORT, 3)
    vector = world.scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "RGB")
    vector.SetAndObserveImageData(image)
    with pytest.raises(InputError, match="'RGB' has 3 values per voxel"):
        check_volume(vector)
    labels = slicer.vtkMRMLLabelMapVolumeNode()
    labels.SetName("Labels")
    world.scene.AddNode(labels)
    with pytest.raises(InputError, match="'Labels' is a label map"):
        check_volume(labels)
    with pytest.raises(InputError, match="'Sequence' is a sequence"):
        check_volume(world.scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Sequence"))
    with pytest.raises(InputError, match="is a vtkMRMLSegmentationNode, not a volume"):
        check_volume(world.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Seg"))


def test_time_point_of_a_sequence_is_refused_in_words(world):
    from UniverSegSlicerLib.scene.mrml.volumes import check_volume

    sequence = world.scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Beating heart")
    for time in range(2):
        sequence.SetDataNodeAtValue(world.volume(np.full((3, 3, 3), time, np.int16)), str(time))
    browser = world.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    browser.AddSynchronizedSequenceNodeID(sequence.GetID())
    proxy = browser.AddProxyNode(world.volume(np.zeros((3, 3, 3), np.int16), name="Phase"), sequence, False)
    with pytest.raises(InputError, match="time point of the sequence 'Beating heart'"):
        check_volume(proxy)


def test_world_positions_and_voxels(world, oblique):
    from UniverSegSlicerLib.scene.mrml.volumes import axis_facing, centre_of_slice, voxel_at

    node = world.volume(np.zeros((5, 6, 7), np.int16), oblique())
    node.SetAndObserveTransformNodeID(world.transform(oblique((1, 1, 1), 50.0)).GetID())
    for axis, index in (("i", 6), ("j", 0), ("k", 3)):
        voxel = voxel_at(node, centre_of_slice(node, axis, index))
        assert voxel is not None
        assert voxel["ijk".index(axis)] == index
    along_k = np.subtract(centre_of_slice(node, "k", 4), centre_of_slice(node, "k", 3))
    assert axis_facing(node, tuple(-along_k)) == "k"
    assert voxel_at(node, tuple(centre_of_slice(node, "k", 4) + 2 * along_k)) is None


def test_world_positions_under_a_warp(world):
    """Jumping to a slice and clicking work there too; only a warp between volume and segmentation is refused."""
    from UniverSegSlicerLib.scene.mrml.volumes import anatomical_name, axis_facing, centre_of_slice, voxel_at

    node = world.volume(np.zeros((41, 41, 41), np.int16))
    node.SetAndObserveTransformNodeID(world.warp().GetID())
    centre = centre_of_slice(node, "k", 20)
    assert centre == pytest.approx((25.0, 20.0, 20.0), abs=0.1)  # the warp moves the middle by 5 mm
    assert voxel_at(node, centre) == (20, 20, 20)
    assert axis_facing(node, (0.1, 0.2, -0.9)) == "k"
    assert anatomical_name(node, "i") == "Sagittal"
