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
    """Interpolate each label's shape between neighbouring marked slices, by signed distances (Raya and Udupa, 1990).

    Where several labels claim a pixel, the one that lies deepest inside its shape takes it. A label that only one of
    the two slices has shrinks away from it and is gone half-way. Outside the outermost marked slices, those are copied.

    Args:
        marks: (K, J, I) label map, filled on the marked slices.
        axis: "i", "j" or "k".
        indices: The marked slices.

    Returns:
        (K, J, I) label map.
    """
    result = np.zeros_like(marks)
    source, target = slice_stack(marks, axis), slice_stack(result, axis)
    ordered = sorted(indices)
    values = [int(value) for value in np.unique(source[ordered]) if value]
    distances = {index: {value: signed_distance(source[index] == value) for value in values} for index in ordered}
    for index in range(len(target)):
        before = max((marked for marked in ordered if marked <= index), default=ordered[0])
        after = min((marked for marked in ordered if marked >= index), default=ordered[-1])
        if before == after:
            target[index] = source[before]
            continue
        fraction = (index - before) / (after - before)
        deepest = np.zeros(source.shape[1:])
        for value in values:
            depth = _between(distances[before][value], distances[after][value], fraction)
            taken = depth > deepest
            target[index][taken] = value
            deepest[taken] = depth[taken]
    return result


def _between(first: np.ndarray, second: np.ndarray, fraction: float) -> np.ndarray:
    """The signed distance between two of them (rows, cols), of which one or both may be of an empty shape."""
    first_depth, second_depth = first.max(), second.max()
    if first_depth > 0 > second_depth:
        second = np.full_like(second, -first_depth)
    elif second_depth > 0 > first_depth:
        first = np.full_like(first, -second_depth)
    return (1 - fraction) * first + fraction * second
