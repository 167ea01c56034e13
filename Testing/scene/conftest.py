"""A real MRML scene per test, from the PyPI package slicer-core."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from Testing.scene.running_case import Case, Gate


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs slicer-core."""
    for item in items:
        if "/Testing/scene/" in str(item.path):
            item.add_marker(pytest.mark.mrml)


class World:
    """A scene with the module logics that Slicer would have loaded, and shorthands to fill it."""

    def __init__(self) -> None:
        import slicer

        self.scene = slicer.vtkMRMLScene()
        self.application = slicer.vtkMRMLApplicationLogic()
        self.application.SetMRMLScene(self.scene)
        self.logics = []
        for kind in (
            slicer.vtkSlicerSegmentationsModuleLogic,
            slicer.vtkSlicerVolumesLogic,
            slicer.vtkSlicerTransformLogic,
            slicer.vtkSlicerSequencesLogic,
        ):
            logic = kind()
            logic.SetMRMLApplicationLogic(self.application)
            logic.SetMRMLScene(self.scene)
            self.logics.append(logic)

    def volume(self, array: np.ndarray, matrix: np.ndarray | None = None, name: str = "CT") -> Any:
        """A scalar volume node with voxels (K, J, I) and an IJK-to-RAS matrix (4, 4)."""
        import slicer
        import vtk
        from vtk.util.numpy_support import numpy_to_vtk

        image = vtk.vtkImageData()
        image.SetDimensions(array.shape[::-1])
        image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).reshape(-1), deep=True))
        node = slicer.vtkMRMLScalarVolumeNode()
        node.SetName(name)
        node.SetAndObserveImageData(image)
        if matrix is not None:
            vtk_matrix = vtk.vtkMatrix4x4()
            vtk_matrix.DeepCopy(np.asarray(matrix, float).ravel())
            node.SetIJKToRASMatrix(vtk_matrix)
        return self.scene.AddNode(node)

    def segmentation(self, volume: Any, masks: dict[str, np.ndarray], name: str = "Segmentation") -> Any:
        """A segmentation node on the grid of ``volume`` with one segment per (K, J, I) mask; ids are the names."""
        from UniverSegSlicerLib.scene.mrml.creation import new_segmentation

        node = new_segmentation(self.scene, volume, name)
        for segment_id, mask in masks.items():
            node.GetSegmentation().AddEmptySegment(segment_id, segment_id)
            self.paint(node, segment_id, mask, volume)
        return node

    def paint(self, segmentation: Any, segment_id: str, mask: np.ndarray, volume: Any) -> None:
        """Replace a segment by a mask (K, J, I) on the volume's grid, as Slicer's own functions do."""
        import slicer

        labelmap = slicer.vtkOrientedImageData()
        array_to_labelmap(np.asarray(mask, np.uint8), segmentation, volume, labelmap)
        slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(
            labelmap, segmentation, segment_id, slicer.vtkSlicerSegmentationsModuleLogic.MODE_REPLACE
        )

    def transform(self, matrix: np.ndarray, name: str = "Transform") -> Any:
        """A linear transform node."""
        import vtk

        node = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
        vtk_matrix = vtk.vtkMatrix4x4()
        vtk_matrix.DeepCopy(np.asarray(matrix, float).ravel())
        node.SetMatrixTransformToParent(vtk_matrix)
        return node

    def warp(self, name: str = "Warp") -> Any:
        """A non-linear transform node."""
        import vtk

        spline = vtk.vtkThinPlateSplineTransform()
        source, target = vtk.vtkPoints(), vtk.vtkPoints()
        for x, y, z in ((0, 0, 0), (40, 0, 0), (0, 40, 0), (0, 0, 40), (20, 20, 20)):
            source.InsertNextPoint(x, y, z)
            target.InsertNextPoint(x + (5 if x == 20 else 0), y, z)
        spline.SetSourceLandmarks(source)
        spline.SetTargetLandmarks(target)
        spline.SetBasisToR()
        node = self.scene.AddNewNodeByClass("vtkMRMLTransformNode", name)
        node.SetAndObserveTransformToParent(spline)
        return node

    def save(self, folder: Path, ending: str) -> None:
        """Write the scene: as a bundle, or as an .mrml file with its data files beside it."""
        if ending == "mrb":
            assert self.scene.WriteToMRB(str(folder / "scene.mrb"))
            return
        self.scene.SetRootDirectory(str(folder))
        for position in range(self.scene.GetNumberOfNodesByClass("vtkMRMLStorableNode")):
            node = self.scene.GetNthNodeByClass(position, "vtkMRMLStorableNode")
            if node.GetSaveWithScene() and node.AddDefaultStorageNode():
                storage = node.GetStorageNode()
                storage.SetFileName(str(folder / f"{node.GetID()}.{storage.GetDefaultWriteFileExtension()}"))
                assert storage.WriteData(node)
        assert self.scene.Commit(str(folder / "scene.mrml"))

    def load(self, folder: Path, ending: str) -> None:
        """Read what :meth:`save` wrote into this scene."""
        import slicer

        if ending == "mrml":
            self.scene.SetURL(str(folder / "scene.mrml"))
            assert self.scene.Connect()
            return
        (folder / "cache").mkdir()  # where Slicer unpacks bundles
        cache, data_io = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
        cache.SetRemoteCacheDirectory(str(folder / "cache"))
        data_io.SetCacheManager(cache)
        self.scene.SetDataIOManager(data_io)
        assert self.scene.ReadFromMRB(str(folder / "scene.mrb"), True)


def array_to_labelmap(mask: np.ndarray, segmentation: Any, volume: Any, labelmap: Any) -> None:
    """Fill an oriented image with a mask on the volume's grid, placed in the segmentation's local RAS."""
    import slicer
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    labelmap.SetExtent(0, mask.shape[2] - 1, 0, mask.shape[1] - 1, 0, mask.shape[0] - 1)
    labelmap.GetPointData().SetScalars(numpy_to_vtk(mask.reshape(-1), deep=True))
    matrix, between = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(
        volume.GetParentTransformNode(), segmentation.GetParentTransformNode(), between
    )
    vtk.vtkMatrix4x4.Multiply4x4(between, matrix, matrix)
    labelmap.SetImageToWorldMatrix(matrix)


@pytest.fixture
def world() -> Iterator[World]:
    """An empty scene; the test is skipped where slicer-core is not installed."""
    pytest.importorskip("slicer")
    world = World()
    yield world
    world.scene.Clear(1)


@pytest.fixture
def oblique() -> Callable[..., np.ndarray]:
    """Makes IJK-to-RAS matrices: spacing in mm along I, J, K, turned by ``degrees`` about an odd axis."""

    def make(spacing: tuple[float, float, float] = (0.8, 0.9, 2.5), degrees: float = 20.0) -> np.ndarray:
        axis = np.array([0.3, 0.5, 0.81])
        axis /= np.linalg.norm(axis)
        angle = np.deg2rad(degrees)
        cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
        rotation = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        matrix = np.eye(4)
        matrix[:3, :3] = rotation @ np.diag(spacing)
        matrix[:3, 3] = (-12.5, 30.25, -7.0)
        return matrix

    return make


@pytest.fixture
def make(world, tiny_model_path) -> Iterator[Callable[..., Case]]:
    cases: list[Case] = []

    def make_case(**options: Any) -> Case:
        cases.append(Case(world, tiny_model_path, **options))
        return cases[-1]

    yield make_case
    for case in cases:
        case.logic.shutdown()


@pytest.fixture
def running(make) -> Iterator[tuple[Case, Gate]]:
    """A run that has started and waits inside the worker."""
    gate = Gate()
    case = make(loader=gate)
    case.logic.start(case.selection, case.options)
    assert gate.reached.wait(120)
    case.logic.poll()
    yield case, gate
    gate.go.set()
