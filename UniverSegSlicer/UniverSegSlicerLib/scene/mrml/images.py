"""Arrays as ``vtkOrientedImageData``, the image that segments are kept in, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from .grid import Extent
from .transforms import to_numpy, to_vtk


def oriented_image(array: np.ndarray, extent: Extent, image_to_world: np.ndarray) -> Any:
    """A ``vtkOrientedImageData`` that owns a copy of ``array`` (K, J, I) over ``extent``."""
    image = slicer.vtkOrientedImageData()
    image.SetExtent(extent)
    scalars = numpy_to_vtk(np.ascontiguousarray(array).reshape(-1), deep=True)
    image.GetPointData().SetScalars(scalars)
    image.SetImageToWorldMatrix(to_vtk(image_to_world))
    return image


def image_to_world(image: Any) -> np.ndarray:
    """The (4, 4) matrix from the indices of an oriented image to the RAS it lives in."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return to_numpy(matrix)


def image_array(image: Any) -> np.ndarray:
    """The voxels (K, J, I) of an oriented image: a view."""
    extent = image.GetExtent()
    shape = (extent[5] - extent[4] + 1, extent[3] - extent[2] + 1, extent[1] - extent[0] + 1)
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape)
