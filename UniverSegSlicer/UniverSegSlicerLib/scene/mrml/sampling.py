"""The voxels of one lattice seen on another: nearest, without losing slices where the first is the finer one."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from .grid import Extent, Part, box_slices, covered, cut_to, intersection, shifted, whole_extent
from .images import image_array, oriented_image
from .transforms import TOLERANCE_VOXELS, to_vtk

#: A lattice is finer than the volume along an axis where several of its slices lie in one of the volume's.
FINER = 0.75
# Of several slices in one, the middle one speaks for it, unless another one holds so many times as much.
_FULLER = 5


def sampled_part(array: np.ndarray, extent: Extent, matrix: np.ndarray, size: tuple[int, int, int]) -> Part | None:
    """A mask on a lattice as a part of a volume's grid.

    A voxel takes the nearest value. Where several slices of the lattice lie in one slice of the volume, one of them
    that is painted speaks for it: a slice counts as marked when any of its fine slices is.

    Args:
        array: (K, J, I) uint8 of 0 and 1 over ``extent``.
        extent: The extent in the lattice.
        matrix: (4, 4), from the lattice's indices (I, J, K) to the volume's.
        size: Of the volume (I, J, K).
    """
    box = intersection(covered(extent, matrix), whole_extent(size))
    if box is None:
        return None
    along = aligned_axes(matrix, extent)
    if along is not None:
        found = _at_indices(array, extent, matrix, box, along)
    else:
        found = image_array(resample(oriented_image(array, extent, matrix), box, np.eye(4))).copy()
        _add_missed_slices(found, array, extent, matrix, box)
    return cropped(found, box, size)


def resample(image: Any, extent: Extent, image_to_world: np.ndarray) -> Any:
    """``image`` at the nearest voxel of another lattice over ``extent``."""
    reference = slicer.vtkOrientedImageData()
    reference.SetExtent(extent)
    reference.SetImageToWorldMatrix(to_vtk(image_to_world))
    result = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(image, reference, result, False)
    return result


def cropped(array: np.ndarray, extent: Extent, size: tuple[int, int, int]) -> Part | None:
    """The set voxels of ``array`` over ``extent`` that lie on a grid of ``size``, as a tight box."""
    inside = intersection(extent, whole_extent(size))
    if inside is None:
        return None
    start = (extent[0], extent[2], extent[4])
    return cut_to(array[box_slices(shifted(inside, (-start[0], -start[1], -start[2])))], inside)


def aligned_axes(matrix: np.ndarray, extent: Extent) -> tuple[int, int, int] | None:
    """The lattice axis that runs along each axis (I, J, K) of the volume; None where one is oblique."""
    along = tuple(int(np.argmax(np.abs(row))) for row in matrix[:3, :3])
    if len(set(along)) < 3:
        return None
    reach = np.array([max(abs(extent[2 * axis]), abs(extent[2 * axis + 1])) + 1 for axis in range(3)])
    aside = np.abs(matrix[:3, :3]) * reach
    aside[range(3), along] = 0
    return (along[0], along[1], along[2]) if aside.sum(axis=1).max() < TOLERANCE_VOXELS else None


def _at_indices(
    array: np.ndarray, extent: Extent, matrix: np.ndarray, box: Extent, along: tuple[int, int, int]
) -> np.ndarray:
    """Voxels (K, J, I) over ``box`` from a lattice whose axes are parallel to the volume's."""
    stack = array.transpose([2 - along[2], 2 - along[1], 2 - along[0]])
    picked, outside = [], []
    for axis, lattice_axis in enumerate(along):
        step, start = (
            matrix[axis, lattice_axis],
            matrix[axis, 3] + matrix[axis, lattice_axis] * extent[2 * lattice_axis],
        )
        numbers = np.arange(box[2 * axis], box[2 * axis + 1] + 1)
        nearest = np.floor((numbers - start) / step + 0.5).astype(int)
        count = stack.shape[2 - axis]
        if abs(step) < FINER:
            voxels = np.count_nonzero(stack, axis=tuple(other for other in range(3) if other != 2 - axis))
            nearest = _fullest(voxels, np.floor(start + step * np.arange(count) + 0.5), numbers, nearest)
        outside.append((nearest < 0) | (nearest >= count))
        picked.append(np.clip(nearest, 0, count - 1))
    found = stack[np.ix_(picked[2], picked[1], picked[0])].copy()
    for axis, beyond in enumerate(outside):
        np.moveaxis(found, 2 - axis, 0)[beyond] = 0
    return found


def _fullest(voxels: np.ndarray, places: np.ndarray, numbers: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """The fine slice that speaks for each slice of the volume.

    Args:
        voxels: Set voxels of each fine slice.
        places: The volume's slice that each fine slice lies in.
        numbers: Slices of the volume.
        nearest: For each, the fine slice at its middle, which may lie outside the lattice.
    """
    chosen = nearest.copy()
    for row, number in enumerate(numbers):
        inside = np.flatnonzero(places == number)
        if inside.size:
            best = int(inside[np.argmax(voxels[inside])])
            middle = voxels[nearest[row]] if 0 <= nearest[row] < len(voxels) else 0
            if voxels[best] > 0 and voxels[best] >= _FULLER * middle:
                chosen[row] = best
    return chosen


def _add_missed_slices(found: np.ndarray, array: np.ndarray, extent: Extent, matrix: np.ndarray, box: Extent) -> None:
    """Fill slices of ``found`` (K, J, I over ``box``) that are empty although finer oblique slices in them are not."""
    to_lattice = np.linalg.inv(matrix)
    finer = [axis for axis in range(3) if np.abs(matrix[axis, :3]).max() < FINER]
    if not finer:
        return
    filled = np.argwhere(array)[:, ::-1] + np.array(extent[::2])
    for axis in finer:
        places = filled @ matrix[axis, :3] + matrix[axis, 3]
        number = np.floor(places + 0.5).astype(int)
        stack = np.moveaxis(found, 2 - axis, 0)
        for row in np.unique(number):
            place = row - box[2 * axis]
            if not 0 <= place < len(stack) or stack[place].any():
                continue
            here = places[number == row]
            stack[place] = _plane(array, extent, to_lattice, box, axis, here[np.argmin(np.abs(here - row))])


def _plane(
    array: np.ndarray, extent: Extent, to_lattice: np.ndarray, box: Extent, axis: int, position: float
) -> np.ndarray:
    """The lattice's nearest values on the plane at ``position`` along an axis of the volume."""
    ranges = [np.arange(box[2 * each], box[2 * each + 1] + 1, dtype=float) for each in range(3)]
    ranges[axis] = np.array([position])
    ijk = np.stack(np.meshgrid(ranges[2], ranges[1], ranges[0], indexing="ij")[::-1], axis=-1)
    at = np.floor(ijk @ to_lattice[:3, :3].T + to_lattice[:3, 3] + 0.5).astype(int) - np.array(extent[::2])
    size = np.array(array.shape[::-1])
    inside = ((at >= 0) & (at < size)).all(axis=-1)
    at = np.where(inside[..., None], at, 0)
    values = np.where(inside, array[at[..., 2], at[..., 1], at[..., 0]], 0)
    return np.asarray(np.take(values, 0, axis=2 - axis), array.dtype)
