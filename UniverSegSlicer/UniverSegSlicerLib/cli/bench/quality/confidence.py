"""Whether voxels of some confidence are right as often as that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....files.labelled_scans import MarkedCase
from ....imaging import Box, slice_stack
from ....segmentation import Propagation
from .record import Bin

BINS = 20
# Voxels farther than this from both the structure and the result are plain background; they would drown the rest.
_NEAR_PIXELS = 5


#: Data set, volume, label, placement, marks, model.
Key = tuple[str, str, int, str, int, str]


def reliability_of(result: Propagation, case: MarkedCase, key: Key) -> list[Bin]:
    """Bins of the probability that the structure is there, on the unmarked slices near structure or result.

    The probability follows from label and confidence c: (1 + c) / 2 inside the result, (1 - c) / 2 outside.
    """
    assert result.confidence is not None
    found, truth = (slice_stack(mask, case.axis) for mask in (result.labels > 0, case.truth))
    sure = slice_stack(result.confidence, case.axis)
    either = found | truth
    there = np.flatnonzero(either.any(axis=(1, 2)))
    box = Box.around(either)
    assert box is not None
    box = box.grown(_NEAR_PIXELS, (1.0, 1.0), either.shape[1:])
    first, stop = max(0, there[0] - _NEAR_PIXELS), there[-1] + 1 + _NEAR_PIXELS
    rows = np.setdiff1d(np.arange(len(either))[first:stop], case.marked)
    part = (rows, *box.slices)
    chance = np.where(found[part], 1 + sure[part], 1 - sure[part]).astype(float) / 2
    return bins_of(chance, truth[part], key)


def bins_of(chance: np.ndarray, truth: np.ndarray, key: Key) -> list[Bin]:
    """Count probabilities and truth in ``BINS`` equal bins.

    Args:
        chance: Probabilities, any shape.
        truth: Boolean, same shape.
        key: Of the rows.
    """
    place = np.minimum((chance * BINS).astype(int), BINS - 1).ravel()
    voxels = np.bincount(place, minlength=BINS)
    total = np.bincount(place, chance.ravel(), minlength=BINS)
    inside = np.bincount(place, truth.ravel(), minlength=BINS)
    return [
        Bin(*key, n / BINS, int(voxels[n]), round(float(total[n]), 3), int(inside[n])) for n in range(BINS) if voxels[n]
    ]


def pooled(bins: Sequence[Bin]) -> list[tuple[float, float, float]]:
    """(mean probability, share inside, weight) per bin; every case weighs the same, whatever its size."""
    sizes: dict[tuple[object, ...], int] = {}
    for one in bins:
        sizes[one.key] = sizes.get(one.key, 0) + one.voxels
    table = np.zeros((BINS, 3))
    for one in bins:
        row = table[round(one.low * BINS)]
        row += np.array([one.probability, one.inside, one.voxels]) / sizes[one.key]
    table /= max(1, len(sizes))
    return [(p / w, i / w, w) for p, i, w in table if w > 0]


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Mean difference of probability and share inside over the bins, weighted by their voxels (Guo et al. 2017)."""
    return float(sum(weight * abs(chance - share) for chance, share, weight in pooled(bins)))
