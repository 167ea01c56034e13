"""The strategies "independent" and "cascade": the network has the only say, with the examples at hand."""

from __future__ import annotations

import numpy as np

from .passes import predict_slices
from .task import LabelLogits, LabelTask


def independent(task: LabelTask) -> LabelLogits:
    """Predict every slice on its own from the examples (Butoi et al. 2023)."""
    result = LabelLogits.background(task)
    predict_slices(task, result, task.wanted)
    return result


def cascade(task: LabelTask) -> LabelLogits:
    """Go outwards from the marked slices; each accepted slice joins the examples (arXiv 2412.13299).

    The support of a slice stays bounded: the nearest examples, marked or accepted, up to the settings' support size.
    """
    known = sorted(task.marks)
    if not known:
        return independent(task)
    result = LabelLogits.background(task)
    distance = np.abs(task.wanted[:, None] - np.array(known)).min(axis=1)
    support = task.support
    for step in np.unique(distance):
        ring = task.wanted[distance == step]
        predict_slices(task, result, ring, support=support)
        accepted = (result.logits[ring] > 0).astype(np.float32)
        good = accepted.any(axis=(1, 2))
        if good.any():
            support = support.with_examples(task.images[ring[good]], accepted[good], [float(n) for n in ring[good]])
    return result


def predict_marked(task: LabelTask, result: LabelLogits) -> None:
    """Enter what the network makes of the marked slices."""
    predict_slices(task, result, np.array(sorted(task.marks)))
