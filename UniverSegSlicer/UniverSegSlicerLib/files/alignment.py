"""Label maps on a volume's voxels in another axis order, or on a part of them: brought onto its grid, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..errors import GeometryError
from ..imaging import Geometry
from .grids import StoredGrid, affine_of
from .label_maps import LabelMap

# Two files of one grid differ by what formats round away: at most this part of a voxel, at the farthest corner.
_TOLERANCE = 0.05


def onto_grid(labels: LabelMap, geometry: Geometry) -> tuple[LabelMap, str | None]:
    """Bring a label map onto a volume's grid without resampling it.

    Where a NIfTI file has two forms that differ, either of them may be the one that the other file lies on.

    Args:
        labels: The label map.
        geometry: The volume's grid.

    Returns:
        The label map (K, J, I) on exactly this grid, and what was done to it in words; None where nothing was.

    Raises:
        GeometryError: Its voxels are not those of the volume, or some of its labels lie outside of it.
    """
    if _is_plane(labels.geometry) and geometry.size[2] == 1:
        # Not every format tells where a plane lies across itself; its pixels are what counts.
        across = (*labels.geometry.origin[:2], geometry.origin[2])
        labels = replace(labels, geometry=replace(labels.geometry, origin=across))
    if any(target.difference(own) is None for target in _grids(geometry) for own in _grids(labels.geometry)):
        return replace(labels, geometry=geometry), None
    for target in _grids(geometry):
        for own in _grids(labels.geometry):
            mapping = _voxel_mapping(own, target)
            if mapping is not None:
                return _moved(labels, geometry, *mapping)
    raise GeometryError(str(geometry.difference(labels.geometry)))


def _is_plane(geometry: Geometry) -> bool:
    return isinstance(geometry.stored, StoredGrid) and geometry.stored.dimensions == 2


def _grids(geometry: Geometry) -> Iterator[Geometry]:
    yield geometry
    if isinstance(geometry.stored, StoredGrid) and geometry.stored.straight == geometry:
        yield from geometry.stored.others


def _voxel_mapping(own: Geometry, target: Geometry) -> tuple[np.ndarray, np.ndarray] | None:
    """The signed permutation (3, 3) and the shift (3,) from one grid's IJK to the other's; None: other voxels."""
    exact = np.linalg.inv(affine_of(target)) @ affine_of(own)
    turn, shift = np.round(exact[:3, :3]), np.round(exact[:3, 3])
    if not ((np.abs(turn).sum(axis=0) == 1).all() and (np.abs(turn).sum(axis=1) == 1).all()):
        return None
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * (np.array(own.size) - 1)
    off = corners @ exact[:3, :3].T + exact[:3, 3] - (corners @ turn.T + shift)
    return (turn.astype(int), shift.astype(int)) if np.abs(off).max() <= _TOLERANCE else None


def _moved(labels: LabelMap, geometry: Geometry, turn: np.ndarray, shift: np.ndarray) -> tuple[LabelMap, str]:
    # In the order I, J, K here: axis a of the volume is axis order[a] of the label map, and runs along sign[a].
    order = np.abs(turn).argmax(axis=1)
    sign = turn[np.arange(3), order]
    array = labels.array.transpose(2, 1, 0).transpose(order)
    array = array[tuple(slice(None, None, int(step)) for step in sign)]
    start = np.where(sign > 0, shift, shift - (np.array(array.shape) - 1))
    stop = start + array.shape
    size = np.array(geometry.size)
    inside = tuple(
        slice(int(max(0, -first)), int(max(0, extent - max(0, last - whole))))
        for first, last, extent, whole in zip(start, stop, array.shape, size, strict=True)
    )
    part = array[inside]
    if np.count_nonzero(part) != np.count_nonzero(array):
        raise GeometryError("it is on the voxels of the volume, but some of its labels lie outside of the volume")
    whole_array = np.zeros(geometry.size, labels.array.dtype)
    first = np.maximum(start, 0)
    whole_array[tuple(slice(int(a), int(a) + n) for a, n in zip(first, part.shape, strict=True))] = part
    reordered = not np.array_equal(turn, np.eye(3, dtype=int))
    resized = bool((start != 0).any() or (stop != size).any())
    done = [word for word, was in (("reordered", reordered), ("padded to its size", resized)) if was]
    how = " and ".join(
        word for word, was in (("in another axis order", reordered), ("on another extent", resized)) if was
    )
    moved = LabelMap(np.ascontiguousarray(whole_array.transpose(2, 1, 0)), geometry, labels.segments)
    return moved, f"lies on the voxels of the volume {how}: {' and '.join(done)}, no label is changed"
