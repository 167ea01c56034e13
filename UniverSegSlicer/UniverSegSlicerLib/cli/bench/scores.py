"""How well a label map agrees with the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ...imaging import slice_stack


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Dice overlap of two masks of one shape: 1 is perfect; 1 also where both are empty."""
    total = np.count_nonzero(prediction) + np.count_nonzero(truth)
    return float(2 * np.count_nonzero(np.logical_and(prediction, truth)) / total) if total else 1.0


def dice_of_labels(
    prediction: np.ndarray, truth: np.ndarray, values: Iterable[int], *, axis: str, without: Sequence[int] = ()
) -> dict[int, float]:
    """Dice of each label value over a volume, leaving out some slices (the marked ones, which are known).

    Args:
        prediction: (K, J, I) label map.
        truth: The same shape.
        values: Label values to score.
        axis: "i", "j" or "k": the axis along which ``without`` counts.
        without: Indices of the slices to leave out.
    """
    stacks = [slice_stack(array, axis) for array in (prediction, truth)]
    keep = np.setdiff1d(np.arange(len(stacks[0])), np.asarray(without, dtype=int))
    ours, theirs = (stack[keep] for stack in stacks)
    return {value: dice(ours == value, theirs == value) for value in values}
