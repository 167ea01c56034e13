"""A volume node as an array with its geometry."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from ...errors import InputError
from ...imaging import Geometry, Volume
from .transforms import to_numpy, to_world

#: From Slicer's world (RAS) to the world of files (LPS).
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def check_volume(node: Any) -> None:
    """Refuse, in words, what cannot be segmented.

    Raises:
        InputError: No node; a sequence, a time point of a sequence, a label map, a vector volume; no image data; a
            sheared grid.
    """
    if node is None:
        raise InputError("No volume is selected: choose a CT or MR volume.")
    name = node.GetName()
    if not node.IsA("vtkMRMLVolumeNode"):
        kind = "a sequence" if node.IsA("vtkMRMLSequenceNode") else f"a {node.GetClassName()}"
        raise InputError(f"'{name}' is {kind}, not a volume: choose a scalar volume (one time point).")
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(f"'{name}' is a label map, not an image: choose the scanned volume.")
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None or image.GetNumberOfPoints() == 0:
        raise InputError(f"The volume '{name}' has no image data: load it again or choose another one.")
    components = image.GetNumberOfScalarComponents()
    if components != 1:
        raise InputError(
            f"The volume '{name}' has {components} values per voxel (vector or colour): choose a scalar volume."
        )
    try:
        geometry_of(node)
    except InputError:
        raise InputError(
            f"The voxels of '{name}' do not lie on a straight grid (its axes are sheared, or a spacing is no positive "
            "number): resample it with the module Resample Scalar Volume and choose the new volume."
        ) from None
    sequence = _sequence_of(node)
    if sequence is not None:
        raise InputError(
            f"The volume '{name}' is the current time point of the sequence '{sequence}' and changes as it plays: "
            "clone it in the Data module and choose the copy."
        )


def ijk_to_ras(node: Any) -> np.ndarray:
    """The (4, 4) matrix from voxel indices (I, J, K) to the node's local RAS in mm (no parent transform)."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return to_numpy(matrix)


def grid_size(node: Any) -> tuple[int, int, int]:
    """The number of voxels (I, J, K) of a volume node."""
    size = node.GetImageData().GetDimensions()
    return int(size[0]), int(size[1]), int(size[2])


def array_of(node: Any) -> np.ndarray:
    """The voxels (K, J, I) of a checked volume node: a view that shares and keeps alive the node's memory."""
    scalars = node.GetImageData().GetPointData().GetScalars()
    return vtk_to_numpy(scalars).reshape(tuple(reversed(grid_size(node))))


def geometry_of(node: Any, *, world: bool = False) -> Geometry:
    """The grid of a volume node in LPS: its own, or with its (linear) parent transform when ``world`` is True.

    Raises:
        InputError: ``world`` is asked for under a non-linear transform.
    """
    matrix = ijk_to_ras(node)
    if world:
        matrix = to_world(node) @ matrix
    matrix = RAS_TO_LPS @ matrix
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    return Geometry(
        size=grid_size(node),
        spacing=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        origin=(float(matrix[0, 3]), float(matrix[1, 3]), float(matrix[2, 3])),
        direction=tuple((matrix[:3, :3] / np.where(spacing > 0, spacing, 1)).ravel()),
    )


def geometry_for_files(node: Any) -> tuple[Geometry, str]:
    """The grid to write files on, and one sentence where that leaves a transform of the node out ("" otherwise).

    It is the grid in the world. A warp or a shear has no place in a file: there it is the volume's own grid, which is
    also the one that Slicer writes when it saves the volume.
    """
    parent = node.GetParentTransformNode()
    if parent is None or parent.IsTransformToWorldLinear():
        try:
            return geometry_of(node, world=True), ""
        except InputError:
            if parent is None:
                raise
    return geometry_of(node), (
        f"'{node.GetName()}' is under the transform '{parent.GetName()}', which a NIfTI file cannot hold: the label "
        "map is on the volume's own grid, without the transform, and fits the volume as Slicer saves it."
    )


def voxel_mm3(node: Any) -> float:
    """The volume of a voxel in the world, in mm³; that of the node's own grid where its transform has none to offer."""
    return float(np.prod(geometry_for_files(node)[0].spacing))


def volume_of(node: Any) -> Volume:
    """A volume node as a :class:`~UniverSegSlicerLib.imaging.Volume`: array (K, J, I), not copied, local geometry.

    Raises:
        InputError: See :func:`check_volume`.
    """
    check_volume(node)
    return Volume(array=array_of(node), geometry=geometry_of(node))


def voxel_at(node: Any, ras: tuple[float, float, float]) -> tuple[int, int, int] | None:
    """The voxel (I, J, K) of a volume node at a world position in mm, or None outside the grid."""
    point: Any = ras
    parent = node.GetParentTransformNode()
    if parent is not None:
        from_world = vtk.vtkGeneralTransform()
        parent.GetTransformFromWorld(from_world)
        point = from_world.TransformPoint(ras)
    matrix = np.linalg.inv(ijk_to_ras(node))
    index = np.rint(matrix[:3, :3] @ np.asarray(point, float) + matrix[:3, 3])
    if (index < 0).any() or (index >= grid_size(node)).any():
        return None
    return int(index[0]), int(index[1]), int(index[2])


def centre_of_slice(node: Any, axis: str, index: int) -> tuple[float, float, float]:
    """The world position (RAS, mm) of the middle of slice ``index`` along ``axis`` ("i", "j" or "k")."""
    ijk = (np.asarray(grid_size(node), float) - 1) / 2
    ijk["ijk".index(axis)] = index
    ras = (ijk_to_ras(node) @ np.append(ijk, 1.0))[:3]
    parent = node.GetParentTransformNode()
    if parent is not None:
        to_the_world = vtk.vtkGeneralTransform()
        parent.GetTransformToWorld(to_the_world)
        ras = to_the_world.TransformPoint(ras)
    return float(ras[0]), float(ras[1]), float(ras[2])


def direction_of(node: Any, axis: str) -> tuple[float, float, float]:
    """The unit vector in world RAS along which the slices of ``axis`` follow one another (before any warp)."""
    column = _directions(node)[:, "ijk".index(axis)]
    return float(column[0]), float(column[1]), float(column[2])


def anatomical_name(node: Any, axis: str) -> str:
    """What readers call slices along ``axis``: "Axial", "Coronal" or "Sagittal", whichever is closest."""
    return ("Sagittal", "Coronal", "Axial")[int(np.argmax(np.abs(direction_of(node, axis))))]


def axis_facing(node: Any, normal: tuple[float, float, float]) -> str:
    """The volume axis ("i", "j" or "k") closest to the normal of a view (world RAS), however oblique the scan is."""
    return "ijk"[int(np.argmax(np.abs(np.asarray(normal, float) @ _directions(node))))]


def _directions(node: Any) -> np.ndarray:
    """(3, 3), the unit vectors of I, J, K in world RAS as columns; a non-linear parent transform is left out."""
    parent = node.GetParentTransformNode()
    linear = parent is None or parent.IsTransformToWorldLinear()
    matrix = (to_world(node) @ ijk_to_ras(node) if linear else ijk_to_ras(node))[:3, :3]
    return matrix / np.linalg.norm(matrix, axis=0)


def _sequence_of(node: Any) -> str | None:
    scene = node.GetScene()
    if scene is None:
        return None
    for position in range(scene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode")):
        browser = scene.GetNthNodeByClass(position, "vtkMRMLSequenceBrowserNode")
        if browser.IsProxyNode(node.GetID()):
            sequence = browser.GetSequenceNode(node)
            return str(sequence.GetName()) if sequence is not None else str(browser.GetName())
    return None
