"""How well a label map agrees with the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ...imaging import slice_stack


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Dice overlap of two masks of one shape: 1 is perfect; 1 also where both are empty."""
    total = np.count_nonzero(prediction) + np.count_nonzero(truth)
    return float(2 * np.count_nonzero(np.logical_and(prediction, truth)) / total) if total else 1.0


def dice_of_masks(prediction: np.ndarray, truth: np.ndarray, axis: str, without: Sequence[int] = ()) -> float:
    """Dice of two boolean volumes (K, J, I), leaving out some slices (the marked ones, which are known).

    Args:
        prediction: Boolean (K, J, I).
        truth: The same shape.
        axis: "i", "j" or "k": the axis along which ``without`` counts.
        without: Indices of the slices to leave out.
    """
    ours, theirs = slice_stack(prediction, axis), slice_stack(truth, axis)
    keep = np.setdiff1d(np.arange(len(ours)), np.asarray(without, dtype=int))
    return dice(ours[keep], theirs[keep])


def dice_of_labels(
    prediction: np.ndarray, truth: np.ndarray, values: Iterable[int], *, axis: str, without: Sequence[int] = ()
) -> dict[int, float]:
    """Dice of each label value of two label maps (K, J, I), leaving out some slices; see :func:`dice_of_masks`."""
    return {value: dice_of_masks(prediction == value, truth == value, axis, without) for value in values}
