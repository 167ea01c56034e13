"""From the labels' logits on their squares to one label map on the volume's grid, slab by slab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...imaging import OUTSIDE_LOGIT, SliceFrame
from .task import LabelLogits

# Slices that are composed at once hold about this many pixels, which bounds the memory at some tens of megabytes.
_SLAB_PIXELS = 2_000_000


@dataclass(frozen=True, eq=False)
class LabelResult:
    """One label's logits with the frame that they lie in."""

    value: int
    frame: SliceFrame
    found: LabelLogits


def certainty(margin: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """How sure an answer is, 0 to 1; any shape.

    Args:
        margin: How far the winning logit is from the runner-up, at least 0. For one label that is its absolute value,
            and tanh(margin / 2) is |2p - 1|.
        spread: Standard deviation of the probability between passes.
    """
    return np.tanh(0.5 * margin) * np.clip(1 - 2 * spread, 0, 1)


def compose(
    results: Sequence[LabelResult],
    indices: np.ndarray,
    labels: np.ndarray,
    confidence: np.ndarray | None,
) -> None:
    """Fill slices of a label map: the label of the highest logit, background where none is above 0.

    Confidence is the :func:`certainty` of the winner over the runner-up; background counts, with logit 0.

    Args:
        results: The labels.
        indices: Slices to fill.
        labels: (N, rows, cols) integers, 0 so far, written in place; any memory layout.
        confidence: (N, rows, cols) float32, 1 so far, written in place; None to leave it out.
    """
    if not results:
        return
    seen = results[0].frame.covered
    for result in results[1:]:
        seen = seen.union(result.frame.covered)
    step = max(1, _SLAB_PIXELS // (seen.shape[0] * seen.shape[1]))
    for start in range(0, len(indices), step):
        slab = indices[start : start + step]
        best = np.zeros((len(slab), *seen.shape), np.float32)
        second = np.full_like(best, OUTSIDE_LOGIT)
        winner = np.zeros(best.shape, labels.dtype)
        spread = np.zeros_like(best)
        for result in results:
            part = (slice(None), *result.frame.covered.within(seen).slices)
            logits = result.frame.from_network_covered(result.found.logits[slab])
            wins = logits > best[part]
            second[part] = np.where(wins, best[part], np.maximum(second[part], logits))
            best[part] = np.where(wins, logits, best[part])
            winner[part] = np.where(wins, result.value, winner[part])
            if result.found.spread is not None:
                between = result.frame.from_network_covered(result.found.spread[slab])
                spread[part] = np.maximum(spread[part], between)
        rows, cols = seen.slices
        labels[slab, rows, cols] = winner
        if confidence is not None:
            confidence[slab, rows, cols] = certainty(best - second, spread)
