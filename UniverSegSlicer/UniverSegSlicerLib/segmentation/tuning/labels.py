"""A support set as tuning needs it: the examples of every label on the network's grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ...imaging import Box, IntensityWindow, SliceFrame, Volume
from ..region import region_around
from ..settings import PropagationSettings
from ..support.example import SupportExample
from ..support.set import SupportSet
from .examples import TuningTask
from .settings import FEWEST_EXAMPLES


def examples_of(
    volume: Volume,
    layers: Sequence[np.ndarray],
    support: SupportSet | None,
    *,
    axis: str = "auto",
    indices: Iterable[int] | None = None,
    window: IntensityWindow | None = None,
) -> SupportSet:
    """All examples of a propagation as one support set.

    Args:
        volume: The image.
        layers: Label maps (K, J, I) with only the marked slices filled; several where labels overlap.
        support: Examples from elsewhere.
        axis: Of the marked slices, or "auto".
        indices: The marked slices; with several layers a slice says nothing about labels that it does not show.
        window: Intensity window; that of the whole volume by default.
    """
    examples = support or SupportSet()
    for marks in layers:
        if np.any(marks):
            known = None if len(layers) > 1 else indices
            own = SupportSet.from_volume(volume, marks, axis, known, window=window, source="this volume")
            examples = own.merged(examples)
    return examples


def tuning_tasks(
    support: SupportSet, side: int, *, labels: Iterable[int] | None = None, region: PropagationSettings | None = None
) -> list[TuningTask]:
    """One task for every label that enough examples support.

    Args:
        support: The examples.
        side: Pixels of a side of the network's grid.
        labels: The labels that matter; all of the support set by default.
        region: Show slices of volumes in the region around the structure, as a propagation with these settings will;
            None shows whole slices.
    """
    tasks = []
    for label in support.label_values if labels is None else labels:
        examples = support.supporting(label)
        drawn = sum(bool((example.labels == label).any()) for example in examples)
        if len(examples) >= FEWEST_EXAMPLES and drawn > 1:
            tasks.append(_task(examples, label, side, region))
    return [task.thinned(len(tasks)) for task in tasks]


def _task(examples: Sequence[SupportExample], label: int, side: int, region: PropagationSettings | None) -> TuningTask:
    boxes: dict[object, Box | None] = {}
    if region is not None:
        # Slices of one volume share a region, as they do when the volume is segmented.
        for key in {_volume(example, number) for number, example in enumerate(examples)}:
            masks = [e.labels == label for number, e in enumerate(examples) if _volume(e, number) == key]
            one = examples[next(number for number, e in enumerate(examples) if _volume(e, number) == key)]
            boxes[key] = region_around(Box.around(np.stack(masks)), one.image.shape, one.spacing, region)
    images, masks = np.zeros((2, len(examples), side, side), np.float32)
    for number, example in enumerate(examples):
        box = boxes.get(_volume(example, number))
        frame = SliceFrame.fit(example.image.shape, example.spacing, box, side)
        images[number] = frame.to_network(example.image)
        masks[number] = frame.to_network(example.labels == label, "mask")
    return TuningTask(images, masks)


def _volume(example: SupportExample, number: int) -> tuple[object, ...]:
    """The same for slices of one volume, and its own for every picture."""
    if example.axis is None:
        return (number,)
    return example.source, example.axis, example.image.shape, example.spacing
