"""Which slices of a label map somebody marked, and along which axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import GeometryError, InputError
from ...imaging import AXES, Volume, as_labels, slice_stack

# Marks in more planes than this are no longer somebody's few slices.
_FEW_PLANES = 8
# Up to this many neighbouring slices may be marked and still be told from a filled block by the axis with the
# shortest run; above it, the run must be shorter than half of what the structure measures in the slice.
_SHORT_RUN = 4


@dataclass(frozen=True)
class MarkedSlices:
    """The marked slices of a volume.

    Attributes:
        axis: "i", "j" or "k".
        indices: Rising slice numbers along it.
    """

    axis: str
    indices: tuple[int, ...]


def find_marked_slices(labels: np.ndarray, axis: str = "auto") -> MarkedSlices:
    """Find the slices that hold labels.

    With "auto" the axis is the one along which the marks are thin: a marked slice has neighbours without marks, while
    in its own plane the structure goes on from pixel to pixel.

    Args:
        labels: (K, J, I), 0 where nothing is marked.
        axis: "i", "j", "k" or "auto".

    Raises:
        InputError: Nothing is marked; the axis cannot be told (a single voxel, a line, a filled block); the marks lie
            in slices of several orientations.
    """
    filled = np.asarray(labels) != 0
    if filled.ndim != 3:
        raise InputError(f"the label map has {filled.ndim} dimensions, a volume has three (K, J, I).")
    if not filled.any():
        raise InputError("no slice is marked: the label map holds no label; mark the structure on at least one slice.")
    indices = {a: np.flatnonzero(slice_stack(filled, a).any(axis=(1, 2))) for a in AXES}
    if axis == "auto":
        axis = _thin_axis(filled, indices)
    elif axis not in AXES:
        raise InputError(f"axis {axis!r} is not one of auto, i, j, k.")
    else:
        _refuse_several_orientations(filled, indices)
    return MarkedSlices(axis, tuple(int(n) for n in indices[axis]))


def _thin_axis(filled: np.ndarray, indices: dict[str, np.ndarray]) -> str:
    runs = {a: _longest_run(indices[a]) for a in AXES}
    shortest, middle, _ = sorted(runs.values())
    candidates = [a for a in AXES if runs[a] == shortest]
    if len(candidates) > 1:
        flat = [a for a in candidates if len(slice_stack(filled, a)) == 1]
        if len(flat) == 1:
            return flat[0]
        if shortest >= _SHORT_RUN:
            _refuse_several_orientations(filled, indices)
            _refuse_block(indices)
        raise InputError(
            f"the marks fit slices along {' and '.join(candidates)} equally well; say which axis is meant."
        )
    if shortest >= _SHORT_RUN and shortest >= middle / 2:
        _refuse_several_orientations(filled, indices)
        _refuse_block(indices)
    return candidates[0]


def _longest_run(indices: np.ndarray) -> int:
    """Length of the longest run of consecutive numbers."""
    breaks = np.flatnonzero(np.diff(indices) > 1)
    edges = np.concatenate([[-1], breaks, [len(indices) - 1]])
    return int(np.diff(edges).max())


def _refuse_block(indices: dict[str, np.ndarray]) -> None:
    extent = " x ".join(str(len(indices[a])) for a in AXES)
    raise InputError(
        f"the marks fill a block of {extent} voxels (i x j x k) rather than single slices, so there is no telling "
        "which slices are marked; say which axis is meant, or leave labels on the marked slices only."
    )


def _refuse_several_orientations(filled: np.ndarray, indices: dict[str, np.ndarray]) -> None:
    """Raise where a few planes of two or three orientations explain all marks."""
    if min(len(n) for n in indices.values()) <= 1:
        return
    left = filled[np.ix_(indices["k"], indices["j"], indices["i"])]
    planes: list[tuple[str, int]] = []
    while left.any():
        if len(planes) == _FEW_PLANES:
            return
        counts = {a: np.count_nonzero(slice_stack(left, a), axis=(1, 2)) for a in AXES}
        best = max(AXES, key=lambda a: counts[a].max())
        place = int(counts[best].argmax())
        planes.append((best, int(indices[best][place])))
        slice_stack(left, best)[place] = False
    if len({a for a, _ in planes}) > 1:
        found = ", ".join(f"{a}:{n}" for a, n in sorted(planes))
        raise InputError(f"slices in several orientations are marked ({found}); keep the marks along one axis.")


def same_grid_labels(labels: np.ndarray, volume: Volume) -> np.ndarray:
    """Labels (K, J, I) as uint16, which must have the shape of the volume.

    Raises:
        GeometryError: They have not.
        InputError: Values that are no labels.
    """
    if np.shape(labels) != volume.array.shape:
        raise GeometryError(
            f"the label map has the shape {np.shape(labels)} and the volume {volume.array.shape} (K, J, I); "
            "both must lie on one grid."
        )
    try:
        return as_labels(labels)
    except InputError as error:
        raise InputError(f"the marks are not a label map: {error}") from error
