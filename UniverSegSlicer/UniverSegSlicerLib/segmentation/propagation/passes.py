"""The network over some slices of a label, and the mean along them."""

from __future__ import annotations

import numpy as np

from ...imaging import OUTSIDE_LOGIT
from ..predictor import SupportStack, logit, planes
from ..support.choice import Draw, draw_support
from .task import LabelLogits, LabelTask

# Largest logit that takes part in a mean over slices.
_LOUDEST = 8.0


def predict_slices(
    task: LabelTask,
    result: LabelLogits,
    indices: np.ndarray,
    prior: np.ndarray | None = None,
    support: SupportStack | None = None,
    prior_weight: float = 0.0,
) -> None:
    """Predict slices and enter them; slices with the same draws of examples go together.

    Args:
        task: The label.
        result: Written in place.
        indices: Slice numbers, (n,).
        prior: (n, size, size) probabilities; none by default.
        support: Examples in the place of the task's.
        prior_weight: Share of the prior's own logits in the result.
    """
    support = support or task.support
    groups: dict[tuple[Draw, ...], list[int]] = {}
    for row, index in enumerate(indices):
        groups.setdefault(tuple(draw_support(support.places, int(index), task.settings)), []).append(row)
    for draws, rows in groups.items():
        queries = planes(task.images[indices[rows]], prior=None if prior is None else prior[rows])
        logits, spread = support.predict(queries, draws, flips=task.settings.flips, meter=task.meter, message=task.name)
        within = np.full_like(logits, OUTSIDE_LOGIT)
        if prior is not None and prior_weight:
            logits = (1 - prior_weight) * logits + prior_weight * logit(prior[rows], _LOUDEST)
        part = (slice(None), *task.shown.slices)
        within[part] = logits[part]
        result.put(indices[rows], within, spread)


def smooth_along_slices(logits: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian mean of logits (N, size, size) along the slices; ``sigma`` in slices, the ends repeated."""
    reach = max(1, round(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    # A marked or empty slice is certain; unbounded, its logit would overrule all neighbours.
    bounded = np.clip(logits, -_LOUDEST, _LOUDEST)
    padded = np.pad(bounded, ((reach, reach), (0, 0), (0, 0)), mode="edge")
    result = np.zeros_like(bounded)
    for offset, weight in enumerate(weights):
        result += np.float32(weight) * padded[offset : offset + len(logits)]
    return result
