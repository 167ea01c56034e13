"""Which slices of a label map somebody marked, and along which axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import GeometryError, InputError
from ...imaging import AXES, Volume, as_labels, slice_stack

# Marks in more planes than this are no longer somebody's few slices.
_FEW_PLANES = 8
# Up to this many neighbouring slices may be marked and still be told from a filled block by the axis with the
# shortest run; above it, the run must be shorter than half of what the structure measures in the slice.
_SHORT_RUN = 4
# Thin marks of at least this extent in pixels are lines; shorter ones may be a small structure.
_LINE = 8
# Other labels on this share of a structure's place say that it has ended.
_TAKEN = 0.5


class FilledBlock(InputError):
    """The marks are no slices but a structure that is filled through and through."""


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
    in its own plane the structure goes on from pixel to pixel. With an axis, only slices across it are taken, where
    others are marked as well.

    Args:
        labels: (K, J, I), 0 where nothing is marked.
        axis: "i", "j", "k" or "auto".

    Raises:
        InputError: Nothing is marked; the axis cannot be told (a single voxel, a line, a filled block; slices of
            several orientations), or is another one than the given.
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
        raise InputError(f"axis {axis!r} is not one of auto, i, j, k.", argument="axis")
    else:
        planes = _planes(filled, indices)
        if len({a for a, _ in planes}) > 1:
            chosen = sorted(n for a, n in planes if a == axis)
            if not chosen:
                raise _other_axis(axis, planes)
            crossed = np.setdiff1d(indices[axis], chosen)
            if any(_is_wide(slice_stack(filled, axis)[n]) for n in crossed):
                _refuse_several_orientations(filled, indices)
            return MarkedSlices(axis, tuple(chosen))
        _refuse_other_axis(filled, indices, axis)
    return MarkedSlices(axis, tuple(int(n) for n in indices[axis]))


def are_thin(labels: np.ndarray, marked: MarkedSlices) -> bool:
    """Whether marks are lines (scribbles, outlines) rather than filled shapes: nowhere wider than two pixels, but long.

    Args:
        labels: (K, J, I), 0 where nothing is marked.
        marked: Its marked slices.
    """
    stack = slice_stack(np.asarray(labels) != 0, marked.axis)
    long = False
    for index in marked.indices:
        mask = stack[index]
        if _is_wide(mask):
            return False
        rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        long = long or max(np.ptp(rows) if rows.size else 0, np.ptp(cols) if cols.size else 0) >= _LINE
    return long


def _is_wide(mask: np.ndarray) -> bool:
    """Whether somewhere three by three pixels (rows, cols) are marked."""
    down = mask[:-2] & mask[1:-1] & mask[2:]
    return bool((down[:, :-2] & down[:, 1:-1] & down[:, 2:]).any())


def known_masks(value: int, marked: Sequence[int], slices: np.ndarray, complete: bool) -> dict[int, np.ndarray]:
    """Where a label is marked, or known to be absent: slice number to boolean mask (rows, cols).

    It is absent where other labels take most of its place on the next marked slice beyond its own: a vertebra does not
    go on into the next one.

    Args:
        value: The label.
        marked: Rising numbers of the slices on which any label is marked.
        slices: (n, rows, cols) label map of these slices.
        complete: Whether a label that is not on a marked slice is absent there in any case.
    """
    masks = {n: labels == value for n, labels in zip(marked, slices, strict=True)}
    own = [row for row, mask in enumerate(masks.values()) if mask.any()]
    if complete or not own:
        return masks if complete else {}
    found = {marked[row]: masks[marked[row]] for row in own}
    for last, beyond in ((own[0], own[0] - 1), (own[-1], own[-1] + 1)):
        if 0 <= beyond < len(marked):
            place = masks[marked[last]]
            if np.count_nonzero(slices[beyond][place]) >= _TAKEN * np.count_nonzero(place):
                found[marked[beyond]] = masks[marked[beyond]]
    return found


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
            f"the marks fit slices along {' and '.join(candidates)} equally well; say which axis is meant.",
            argument="axis",
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
    raise FilledBlock(
        f"the marks fill a block of {extent} voxels (i x j x k) rather than single slices, so there is no telling "
        "which slices are marked; say which axis is meant, or leave labels on the marked slices only.",
        argument="axis",
    )


def _refuse_other_axis(filled: np.ndarray, indices: dict[str, np.ndarray], axis: str) -> None:
    """Raise where single slices along another axis are marked, which leave but lines on the slices along this one."""
    runs = {a: _longest_run(indices[a]) for a in AXES}
    other = min(AXES, key=lambda a: runs[a])
    apart = np.ptp(indices[other]) >= len(indices[other]) or len(indices[other]) == 1
    several = len(slice_stack(filled, other)) > 1
    if runs[other] < _SHORT_RUN and 2 * runs[other] < runs[axis] and apart and several:
        raise _other_axis(axis, [(other, int(n)) for n in indices[other]])


def _other_axis(axis: str, planes: list[tuple[str, int]]) -> InputError:
    found = ", ".join(f"{a}:{n}" for a, n in sorted(planes)[:_FEW_PLANES])
    return InputError(
        f"no {axis} slice is wholly marked: the marks are on the slices {found}; give the axis of these.",
        argument="axis",
    )


def _refuse_several_orientations(filled: np.ndarray, indices: dict[str, np.ndarray]) -> None:
    """Raise where a few planes of two or three orientations explain all marks."""
    planes = _planes(filled, indices)
    if len({a for a, _ in planes}) > 1:
        found = ", ".join(f"{a}:{n}" for a, n in sorted(planes))
        raise InputError(
            f"slices in several orientations are marked ({found}); keep the marks along one axis, or say which axis is "
            "meant.",
            argument="axis",
        )


def _planes(filled: np.ndarray, indices: dict[str, np.ndarray]) -> list[tuple[str, int]]:
    """A few planes that explain all marks, as (axis, index); none where it takes many, or one axis has one slice."""
    if min(len(n) for n in indices.values()) <= 1:
        return []
    left = filled[np.ix_(indices["k"], indices["j"], indices["i"])]
    planes: list[tuple[str, int]] = []
    while left.any():
        if len(planes) == _FEW_PLANES:
            return []
        counts = {a: np.count_nonzero(slice_stack(left, a), axis=(1, 2)) for a in AXES}
        best = max(AXES, key=lambda a: counts[a].max())
        place = int(counts[best].argmax())
        planes.append((best, int(indices[best][place])))
        slice_stack(left, best)[place] = False
    return planes


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
