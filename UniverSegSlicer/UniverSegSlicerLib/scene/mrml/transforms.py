"""Matrices between the grids of nodes, parent transforms included."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk

from ...errors import InputError

#: Grids that differ by less than this many voxels are the same grid.
TOLERANCE_VOXELS = 1e-3


def to_numpy(matrix: Any) -> np.ndarray:
    """A ``vtkMatrix4x4`` as a (4, 4) float64 array."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def to_vtk(matrix: np.ndarray) -> Any:
    """A (4, 4) array as a ``vtkMatrix4x4``."""
    result = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            result.SetElement(row, column, float(matrix[row, column]))
    return result


def between_nodes(source: Any, target: Any) -> np.ndarray:
    """The (4, 4) matrix from the local RAS of node ``source`` to the local RAS of node ``target``, in mm.

    Two nodes under the same parent transform are together whatever that transform is.

    Raises:
        InputError: A non-linear transform lies between the two.
    """
    source_parent, target_parent = source.GetParentTransformNode(), target.GetParentTransformNode()
    if source_parent == target_parent:
        return np.eye(4)
    if not _is_linear(source_parent, target_parent):
        raise InputError(
            f"A non-linear transform lies between '{source.GetName()}' and '{target.GetName()}': "
            "harden it or put both under the same transform, then try again."
        )
    matrix = vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(source_parent, target_parent, matrix)
    return to_numpy(matrix)


def to_world(node: Any) -> np.ndarray:
    """The (4, 4) matrix from the local RAS of ``node`` to world RAS, in mm.

    Raises:
        InputError: The node is under a non-linear transform.
    """
    parent = node.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    if not parent.IsTransformToWorldLinear():
        raise InputError(f"'{node.GetName()}' is under a non-linear transform: harden or remove it, then try again.")
    matrix = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(matrix)
    return to_numpy(matrix)


def integer_offset(matrix: np.ndarray, size: tuple[int, int, int]) -> tuple[int, int, int] | None:
    """The whole-voxel shift that a (4, 4) IJK-to-IJK matrix is over a grid of ``size`` (I, J, K), or None."""
    offset = np.rint(matrix[:3, 3])
    corners = np.array([[i, j, k] for i in (0, size[0]) for j in (0, size[1]) for k in (0, size[2])], float)
    moved = corners @ matrix[:3, :3].T + matrix[:3, 3]
    if not np.allclose(moved, corners + offset, atol=TOLERANCE_VOXELS, rtol=0):
        return None
    return int(offset[0]), int(offset[1]), int(offset[2])


def _is_linear(source_parent: Any, target_parent: Any) -> bool:
    if source_parent is None:
        return bool(target_parent.IsTransformToNodeLinear(None))
    return bool(source_parent.IsTransformToNodeLinear(target_parent))
