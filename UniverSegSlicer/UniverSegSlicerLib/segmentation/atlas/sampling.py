"""Images on other grids: what registration looks at. All grids are isotropic, along the axes of some volume."""

from __future__ import annotations

import itertools

import numpy as np
import SimpleITK as sitk

from ...imaging import Geometry

# Width in voxels over which brightness and contrast are evened out, and the contrast that counts as none.
_EVEN_WIDTH, _NO_CONTRAST = 3.5, 0.05
# A recursive Gaussian needs so many voxels along an axis.
_FEWEST = 4


def grid_over(model: Geometry, low: np.ndarray, high: np.ndarray, step: float) -> Geometry:
    """A grid of cubes along the axes of ``model``, over a box given in mm along them from its origin (I, J, K)."""
    count = np.maximum(2, np.ceil((high - low) / step - 1e-6).astype(int) + 1)
    origin = model.matrix @ low + np.array(model.origin)
    return Geometry(tuple(count), (step,) * 3, tuple(origin), model.direction)


def extent(grid: Geometry) -> np.ndarray:
    """How far the centres of the outermost voxels lie apart along I, J, K, in mm."""
    return (np.array(grid.size) - 1) * np.array(grid.spacing)


def corners(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The eight corners (8, 3) of a box."""
    return np.array(
        [[(low, high)[side][a] for a, side in enumerate(sides)] for sides in itertools.product((0, 1), repeat=3)]
    )


def points_of(grid: Geometry) -> np.ndarray:
    """The voxel centres (N, 3) in LPS mm, in the order of the raveled (K, J, I) array."""
    i, j, k = grid.size
    indices = np.stack(np.meshgrid(np.arange(k), np.arange(j), np.arange(i), indexing="ij"), -1).reshape(-1, 3)
    return grid.to_world(indices[:, ::-1])


def sampled(
    image: sitk.Image, grid: Geometry, transform: sitk.Transform | None = None, outside: float = 0.0
) -> sitk.Image:
    """An image on another grid, linearly, float32; ``transform`` leads from the grid's points to the image's."""
    resample = sitk.ResampleImageFilter()
    resample.SetSize(grid.size)
    resample.SetOutputOrigin(grid.origin)
    resample.SetOutputSpacing(grid.spacing)
    resample.SetOutputDirection(grid.direction)
    if transform is not None:
        resample.SetTransform(transform)
    resample.SetInterpolator(sitk.sitkLinear)
    resample.SetDefaultPixelValue(outside)
    return resample.Execute(image)


def blurred(image: sitk.Image, mm: float) -> sitk.Image:
    """A Gaussian mean; axes that are too short for it, or whose voxels are larger, stay as they are."""
    for axis, (count, spacing) in enumerate(zip(image.GetSize(), image.GetSpacing(), strict=True)):
        if count >= _FEWEST and mm > spacing / 4:
            image = sitk.RecursiveGaussian(image, mm, False, sitk.RecursiveGaussianImageFilter.ZeroOrder, axis)
    return image


def even_contrast(image: sitk.Image) -> sitk.Image:
    """Local mean 0 and local contrast alike everywhere, so that edges count and neither gain nor shading does."""
    width = _EVEN_WIDTH * image.GetSpacing()[0]
    centred = image - blurred(image, width)
    spread = sitk.Sqrt(sitk.Maximum(blurred(centred * centred, width), 0.0))
    return sitk.Cast(centred / (spread + _NO_CONTRAST), sitk.sitkFloat32)


def array_of(image: sitk.Image) -> np.ndarray:
    """The voxels (K, J, I)."""
    return sitk.GetArrayFromImage(image)


def image_of(array: np.ndarray, grid: Geometry) -> sitk.Image:
    """The SimpleITK image of an array (K, J, I) on a grid, float32."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array, dtype=np.float32))
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    return image
