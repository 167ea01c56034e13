"""Values of an image at any points, with its slopes: what the steps of a registration ask for again and again."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ...imaging import Geometry
from .sampling import array_of

# Points that are looked up together, so that what is on the way stays in the processor's cache.
_TOGETHER = 4096


class Lookup:
    """An image with its slopes, laid out so that a few thousand points are looked up in less than a millisecond.

    SimpleITK's resampling gives the same values, but takes several milliseconds for each call on an image of several
    channels, however few the points.

    Args:
        image: At least two voxels along every axis.
        grid: Its grid.
    """

    def __init__(self, image: sitk.Image, grid: Geometry) -> None:
        slope = array_of(sitk.Gradient(image, True, True))
        ones = np.ones((*slope.shape[:3], 1), np.float32)
        voxels = np.concatenate([array_of(image)[..., None], slope, ones], axis=-1, dtype=np.float32)
        self._grid, self._size, channels = grid, np.array(grid.size), voxels.shape[-1]
        flat = voxels.reshape(-1, channels)
        # A voxel and the next one along I lie side by side.
        self._pairs = np.lib.stride_tricks.as_strided(
            flat, (len(flat) - 1, 2 * channels), (flat.strides[0], flat.strides[1]), writeable=False
        )
        self._voxels = flat

    def at(self, points: np.ndarray) -> np.ndarray:
        """Value, slopes along x, y and z per mm, and 1, float32 (N, 5), at points (N, 3) in LPS mm; 0 outside.

        In between values are linear, and half a voxel beyond the outermost centres they stay as there.
        """
        index = (points - np.array(self._grid.origin)) @ (self._grid.matrix / np.array(self._grid.spacing))
        return np.concatenate([self._some(index[n : n + _TOGETHER]) for n in range(0, len(index), _TOGETHER)])

    def _some(self, index: np.ndarray) -> np.ndarray:
        inside = ((index >= -0.5) & (index < self._size - 0.5)).all(axis=1)
        index = np.clip(index, 0, self._size - 1)
        low = np.minimum(index.astype(np.int64), self._size - 2)
        right, down, deep = (index - low).astype(np.float32).T
        columns, rows = self._size[:2]
        first = (low[:, 2] * rows + low[:, 1]) * columns + low[:, 0]
        channels = self._voxels.shape[1]
        found = np.zeros((len(index), 2 * channels), np.float32)
        for k, weight_k in ((0, 1 - deep), (1, deep)):
            for j, weight_j in ((0, 1 - down), (1, down)):
                weight = weight_k * weight_j * inside
                found += weight[:, None] * self._pairs[first + (k * rows + j) * columns]
        return found[:, :channels] + right[:, None] * (found[:, channels:] - found[:, :channels])
