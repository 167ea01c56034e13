"""Slice-to-volume Dice with few marked slices, through the product's own propagation, beside two baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.tasks.kinds.volume_episodes import between_marks
from trainer.tasks.pool import DataPool, VolumeTask
from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.network.inference import InContextModel
from UniverSegSlicerLib.segmentation import PropagationSettings, propagate

#: What is compared; the first is the network.
METHODS = ("network", "between the marks", "shape interpolation", "nearest copy")


@dataclass(frozen=True)
class VolumeScore:
    """Dice of one label over the unmarked slices of one stack."""

    dataset: str
    task: str
    marks: int
    method: str
    dice: float


def choose_volumes(tasks: Sequence[VolumeTask], per_dataset: int | None, seed: int) -> list[VolumeTask]:
    """At most ``per_dataset`` labels of every data set along its last axis with enough slices, alike for a seed."""
    chosen: list[VolumeTask] = []
    for name in sorted({task.dataset for task in tasks}):
        group = sorted(
            (task for task in tasks if task.dataset == name and len(task.present) >= 8), key=lambda t: t.name
        )
        if group:
            axis = max(task.axis for task in group)
            group = [task for task in group if task.axis == axis]
        if per_dataset is not None and len(group) > per_dataset:
            picks = np.random.default_rng(seed).permutation(len(group))[:per_dataset]
            group = [group[i] for i in sorted(picks)]
        chosen += group
    return chosen


def place_marks(masks: np.ndarray, count: int) -> np.ndarray:
    """Slices that a user would mark: the middles of ``count`` equal parts of the slices with the label.

    Args:
        masks: Boolean ``(n, rows, cols)``.
    """
    present = np.flatnonzero(masks.any(axis=(1, 2)))
    places = (len(present) - 1) * (np.arange(count) + 0.5) / count
    return np.unique(present[places.round().astype(int)])


def score_volume(
    model: InContextModel,
    pool: DataPool,
    task: VolumeTask,
    marks: Sequence[int] = (1, 3, 5, 10),
    settings: PropagationSettings | None = None,
) -> list[VolumeScore]:
    """Dice over the unmarked slices for every number of marked slices that leaves some with the label.

    The stack is what the store holds of the volume. "between the marks" is shape
    interpolation that ends at the outermost marks. "shape interpolation" and "nearest copy" are told the label's
    first and last slice and repeat the outermost marks up to there; the network has to find these ends.
    """
    images = pool.read_images(task.images).cpu().numpy()
    masks = pool.read_masks(task.masks).cpu().numpy() > 0.5
    side = images.shape[-1]
    geometry = Geometry((side, side, len(images)), (1.0, 1.0, task.slice_distance))
    volume = Volume(images, geometry)
    present = np.flatnonzero(masks.any(axis=(1, 2)))
    scores = []
    for count in marks:
        placed = place_marks(masks, count)
        rest = np.setdiff1d(np.arange(len(masks)), placed)
        if len(np.intersect1d(rest, present)) == 0:
            continue
        drawn = np.zeros(masks.shape, dtype=np.uint16)
        drawn[placed] = masks[placed]
        found = propagate(
            volume, drawn, model=model, axis="k", marked_indices=placed, settings=settings, confidence=False
        ).labels
        answers = {"network": found > 0, **_baselines(masks, placed, present)}
        for method in METHODS:
            answer = answers[method][rest]
            total = answer.sum() + masks[rest].sum()
            dice = 2.0 * (answer & masks[rest]).sum() / total if total else 1.0
            scores.append(VolumeScore(task.dataset, task.name, count, method, float(dice)))
    return scores


def _baselines(masks: np.ndarray, placed: np.ndarray, present: np.ndarray) -> dict[str, np.ndarray]:
    between, nearest, inner = np.zeros_like(masks), np.zeros_like(masks), np.zeros_like(masks)
    for index in range(present[0], present[-1] + 1):
        nearest[index] = masks[placed[np.abs(placed - index).argmin()]]
        between[index] = between_marks(placed, masks[placed], index, interpolate=True)
    inner[placed[0] : placed[-1] + 1] = between[placed[0] : placed[-1] + 1]
    return {"between the marks": inner, "shape interpolation": between, "nearest copy": nearest}


def mean_volume_dice(scores: Sequence[VolumeScore]) -> dict[tuple[str, int], float]:
    """Mean over data sets of the mean over their tasks, by (method, marks)."""
    table: dict[tuple[str, int], dict[str, list[float]]] = {}
    for score in scores:
        table.setdefault((score.method, score.marks), {}).setdefault(score.dataset, []).append(score.dice)
    return {
        key: float(np.mean([np.mean(values) for values in datasets.values()]))
        for key, datasets in sorted(table.items())
    }
