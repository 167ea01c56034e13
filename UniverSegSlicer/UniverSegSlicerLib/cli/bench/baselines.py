"""What a person gets without a network: the marked slices copied, or their shapes interpolated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...imaging import slice_stack
from ...segmentation.shapes import signed_distance


def copy_nearest(marks: np.ndarray, axis: str, indices: Sequence[int]) -> np.ndarray:
    """Give every slice the labels of the nearest marked one (of the earlier one where two are as near).

    Args:
        marks: (K, J, I) label map, filled on the marked slices.
        axis: "i", "j" or "k".
        indices: The marked slices.

    Returns:
        (K, J, I) label map.
    """
    result = np.zeros_like(marks)
    source, target = slice_stack(marks, axis), slice_stack(result, axis)
    for index in range(len(target)):
        target[index] = source[min(indices, key=lambda marked: (abs(marked - index), marked))]
    return result


def interpolate_shapes(marks: np.ndarray, axis: str, indices: Sequence[int]) -> np.ndarray:
    """Interpolate one structure between neighbouring marked slices, by signed distances (Raya and Udupa, 1990).

    A structure that is on one of the two slices only shrinks away from it and is gone half-way. Outside the outermost
    marked slices, those are copied. Several structures are interpolated one by one; they may come to overlap.

    Args:
        marks: Boolean (K, J, I), filled on the marked slices.
        axis: "i", "j" or "k".
        indices: The marked slices.

    Returns:
        Boolean (K, J, I).
    """
    result = np.zeros(marks.shape, bool)
    source, target = slice_stack(marks, axis), slice_stack(result, axis)
    ordered = sorted(indices)
    distances = {index: signed_distance(source[index]) for index in ordered}
    for index in range(len(target)):
        before = max((marked for marked in ordered if marked <= index), default=ordered[0])
        after = min((marked for marked in ordered if marked >= index), default=ordered[-1])
        fraction = (index - before) / (after - before) if after > before else 0.0
        target[index] = _between(distances[before], distances[after], fraction) > 0
    return result


def _between(first: np.ndarray, second: np.ndarray, fraction: float) -> np.ndarray:
    """The signed distance between two of them (rows, cols), of which one or both may be of an empty shape."""
    first_depth, second_depth = first.max(), second.max()
    if first_depth > 0 > second_depth:
        second = np.full_like(second, -first_depth)
    elif second_depth > 0 > first_depth:
        first = np.full_like(first, -second_depth)
    return (1 - fraction) * first + fraction * second
