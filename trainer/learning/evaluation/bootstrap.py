"""Bootstrap intervals of mean Dice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .in_context import Score


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % percentile interval."""

    mean: float
    low: float
    high: float


def mean_with_interval(scores: Sequence[Score], samples: int = 1000, seed: int = 1) -> Interval:
    """Mean over data sets of the mean over tasks of the mean over subjects, with resampled subjects.

    Subjects are drawn with replacement inside every task; draws of a support set are averaged before, since they are
    no further subjects.

    Raises:
        ValueError: There are no scores.
    """
    if not scores:
        raise ValueError("scores is empty; there is nothing to average.")
    rng = np.random.default_rng(seed)
    datasets: dict[str, list[np.ndarray]] = {}
    for (dataset, _), subjects in sorted(_subject_means(scores).items()):
        values = np.array([float(np.mean(group)) for _, group in sorted(subjects.items())])
        drawn = values[rng.integers(len(values), size=(samples, len(values)))].mean(axis=1)
        datasets.setdefault(dataset, []).append(np.concatenate([[values.mean()], drawn]))
    means = np.stack([np.mean(tasks, axis=0) for tasks in datasets.values()]).mean(axis=0)
    low, high = np.percentile(means[1:], [2.5, 97.5])
    return Interval(float(means[0]), float(low), float(high))


def _subject_means(scores: Sequence[Score]) -> dict[tuple[str, str], dict[int, list[float]]]:
    tasks: dict[tuple[str, str], dict[int, list[float]]] = {}
    for score in scores:
        tasks.setdefault((score.dataset, score.task), {}).setdefault(score.subject, []).append(score.dice)
    return tasks
