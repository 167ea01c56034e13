"""A smooth surface around a result, made on the worker thread: arrays and VTK's filters, no node."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from ...progress import CancelToken
from ..mrml.grid import Part
from ..mrml.transforms import to_vtk

# Larger boxes are seen coarser: a surface is for looking at, and comes within a moment.
_MOST_VOXELS = 2_000_000
# The same smoothing as Slicer's own surfaces of segments at its default factor of 0.5.
_ITERATIONS, _PASS_BAND = 20, 0.01


def surfaces_of(
    parts: Mapping[str, Part | None], ijk_to_ras: np.ndarray, cancel: CancelToken
) -> dict[str, vtk.vtkPolyData]:
    """A surface for each segment, in the RAS of ``ijk_to_ras`` (4, 4), mm; an empty one where nothing was found."""
    found = {}
    for segment_id, part in parts.items():
        cancel.raise_if_cancelled()
        found[segment_id] = vtk.vtkPolyData() if part is None else surface_of(part, ijk_to_ras)
    return found


def surface_of(part: Part, ijk_to_ras: np.ndarray) -> vtk.vtkPolyData:
    """The closed, smoothed surface of one part of the grid, with normals."""
    step = 1
    while part.array.size / step**3 > _MOST_VOXELS:
        step += 1
    coarse = _coarser(part.array != 0, step)
    image = vtk.vtkImageData()
    padded = np.pad(coarse, 1)
    image.SetDimensions(padded.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(padded.reshape(-1), deep=True))
    edges = vtk.vtkDiscreteFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 1)
    edges.ComputeNormalsOff()
    edges.ComputeGradientsOff()
    edges.ComputeScalarsOff()
    smoother = vtk.vtkWindowedSincPolyDataFilter()
    smoother.SetInputConnection(edges.GetOutputPort())
    smoother.SetNumberOfIterations(_ITERATIONS)
    smoother.SetPassBand(_PASS_BAND)
    smoother.BoundarySmoothingOff()
    smoother.FeatureEdgeSmoothingOff()
    smoother.NonManifoldSmoothingOn()
    smoother.NormalizeCoordinatesOn()
    # From the padded coarse grid to the volume's: a coarse voxel's middle lies amid those that it stands for.
    to_ijk = np.diag([step, step, step, 1.0])
    to_ijk[:3, 3] = np.array(part.extent[::2]) + (step - 1) / 2 - step
    transform = vtk.vtkTransform()
    transform.SetMatrix(to_vtk(ijk_to_ras @ to_ijk))
    placed = vtk.vtkTransformPolyDataFilter()
    placed.SetInputConnection(smoother.GetOutputPort())
    placed.SetTransform(transform)
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(placed.GetOutputPort())
    normals.ConsistencyOff()
    normals.SplittingOff()
    if np.linalg.det(ijk_to_ras[:3, :3]) < 0:
        # A mirrored grid turns the triangles inside out.
        normals.FlipNormalsOn()
    normals.Update()
    return normals.GetOutput()


def _coarser(mask: np.ndarray, step: int) -> np.ndarray:
    """uint8 (K, J, I) in which each voxel stands for a cube of ``step``: set where at least half of it is."""
    if step == 1:
        return mask.astype(np.uint8)
    size = [-(-n // step) for n in mask.shape]
    padded = np.pad(mask, [(0, n * step - m) for n, m in zip(size, mask.shape, strict=True)])
    shares = padded.reshape(size[0], step, size[1], step, size[2], step).mean(axis=(1, 3, 5), dtype=np.float32)
    return np.asarray(shares >= 0.5, np.uint8)
