"""What scans look like to the network around their structures, and how far apart they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..imaging import Box, IntensityWindow, SliceFrame, Volume, slice_spacing, slice_stack
from ..segmentation import PropagationSettings, SupportSet
from ..segmentation.region import region_around

if TYPE_CHECKING:
    from ..network import InContextModel

# So many slices of a structure tell what it looks like.
_SLICES = 8


def looks_of_volume(
    volume: Volume, labels: np.ndarray, values: Sequence[int], axis: str, model: InContextModel
) -> np.ndarray:
    """The mean features around each label, float32 (labels, C); of a label that was not found, of the whole slices.

    Args:
        volume: The scan.
        labels: (K, J, I) what was found in it.
        values: The labels, in the order of the rows.
        axis: Slice axis.
        model: The network.
    """
    images, found = slice_stack(volume.array, axis), slice_stack(labels, axis)
    spacing = slice_spacing(volume.geometry, axis)
    window = IntensityWindow.of(volume.array)
    rows = []
    for value in values:
        held = np.flatnonzero((found == value).any(axis=(1, 2)))
        box = Box.around(found[held] == value) if len(held) else None
        chosen = _evenly(held if len(held) else _inner(len(images)))
        frame = _frame(images.shape[1:], spacing, box, model.resolution)
        seen = np.stack([frame.to_network(window.apply(images[n])) for n in chosen])
        rows.append(model.describe(seen).mean(axis=0))
    return np.stack(rows)


def looks_of_whole(volume: Volume, axis: str, model: InContextModel) -> np.ndarray:
    """The mean features of a scan's slices, the outer quarters left out, float32 (C,) of length 1.

    It needs no labels, so that it is known before a scan is segmented.
    """
    images = slice_stack(volume.array, axis)
    window = IntensityWindow.of(volume.array)
    frame = _frame(images.shape[1:], slice_spacing(volume.geometry, axis), None, model.resolution)
    seen = np.stack([frame.to_network(window.apply(images[n])) for n in _evenly(_inner(len(images)))])
    return _direction(seen, model)


def looks_of_slices(support: SupportSet, model: InContextModel) -> dict[str, np.ndarray]:
    """The same of the examples of each source of a support set."""
    looks = {}
    for source in dict.fromkeys(example.source for example in support.examples if example.used):
        examples = [e for e in support.examples if e.used and e.source == source]
        seen = []
        for n in _evenly(np.arange(len(examples))):
            image = examples[n].image
            seen.append(_frame(image.shape, examples[n].spacing, None, model.resolution).to_network(image))
        looks[source] = _direction(np.stack(seen), model)
    return looks


def looks_of_support(support: SupportSet, values: Sequence[int], model: InContextModel) -> dict[str, np.ndarray]:
    """The same for each source of a support set that holds one of the labels; rows that it cannot fill are NaN."""
    sources: dict[str, list] = {}
    for example in support.examples:
        if example.used:
            sources.setdefault(example.source, []).append(example)
    looks = {}
    for source, examples in sources.items():
        rows: dict[int, np.ndarray] = {}
        for number, value in enumerate(values):
            holding = [example for example in examples if (example.labels == value).any()]
            if not holding:
                continue
            seen = []
            for n in _evenly(np.arange(len(holding))):
                example = holding[n]
                box = Box.around(example.labels == value)
                seen.append(
                    _frame(example.image.shape, example.spacing, box, model.resolution).to_network(example.image)
                )
            rows[number] = model.describe(np.stack(seen)).mean(axis=0)
        if rows:
            width = len(next(iter(rows.values())))
            looks[source] = np.stack([rows.get(n, np.full(width, np.nan, np.float32)) for n in range(len(values))])
    return looks


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Mean over labels of the distance between features of length 1: 0 for alike, 2 at most; NaN rows do not count."""
    lengths = [np.linalg.norm(a, axis=1, keepdims=True) for a in (one, other)]
    apart = np.linalg.norm(one / lengths[0] - other / lengths[1], axis=1)
    known = apart[np.isfinite(apart)]
    return float(known.mean()) if len(known) else float("nan")


def nearest(looks: np.ndarray, support: Mapping[str, np.ndarray]) -> float | None:
    """The distance of a scan from the source of the support that is nearest to it."""
    apart = [distance(looks, other) for other in support.values()]
    known = [value for value in apart if np.isfinite(value)]
    return min(known) if known else None


def _frame(shape: tuple[int, ...], spacing: tuple[float, float], box: Box | None, side: int) -> SliceFrame:
    rows, cols = shape
    return SliceFrame.fit((rows, cols), spacing, region_around(box, (rows, cols), spacing, PropagationSettings()), side)


def _direction(seen: np.ndarray, model: InContextModel) -> np.ndarray:
    """The mean features of pictures (N, size, size), float32 (C,) of length 1."""
    mean = model.describe(seen).mean(axis=0)
    return (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)


def _inner(count: int) -> np.ndarray:
    """The numbers of ``count`` slices without the outer quarters."""
    return np.arange(count)[count // 4 : -(count // 4) or None]


def _evenly(numbers: np.ndarray) -> np.ndarray:
    if len(numbers) <= _SLICES:
        return numbers
    return numbers[((np.arange(_SLICES) + 0.5) * len(numbers) / _SLICES).astype(int)]
