"""Fine detail: a structure that is large on the network's grid, once more in tiles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...imaging import Box, SliceFrame
from ..predictor import SupportStack, planes, probability
from ..support.choice import draw_support
from .task import LabelLogits, LabelTask

# Tiles reach this share of their own side into their neighbours.
_OVERLAP = 0.25


def tile_boxes(size: int, count: int) -> list[Box]:
    """Cover a square of ``size`` pixels with ``count`` × ``count`` overlapping square tiles of one size."""
    side = min(size, int(np.ceil(size / (count - (count - 1) * _OVERLAP))))
    starts = np.unique(np.linspace(0, size - side, count).round().astype(int))
    return [Box(int(r), int(r) + side, int(c), int(c) + side) for r in starts for c in starts]


def refine_in_tiles(
    task: LabelTask,
    found: LabelLogits,
    frame: SliceFrame,
    fine_images: Callable[[SliceFrame], np.ndarray],
    fine_masks: Callable[[SliceFrame], np.ndarray],
) -> tuple[SliceFrame, LabelLogits]:
    """Predict the slices in which something was found once more, tile by tile, with the first answer as the prior.

    Every tile is a picture of its own on the network's full grid, for the query as for the examples.

    Args:
        task: The label, on the network's grid. Its model has a prior plane.
        found: The first answer.
        frame: The frame of the first answer.
        fine_images: Gives the slices (N, fine, fine) on a finer frame.
        fine_masks: Gives the marked masks (S, fine, fine) on a finer frame, in the order of the examples with a place.

    Returns:
        A frame of the same square with ``detail`` times the pixels per side, and the logits on it. Slices in which
        nothing was found, and the disagreement between passes, are those of the first answer.
    """
    count, size = task.settings.detail, frame.size
    fine = SliceFrame(frame.shape, frame.spacing, frame.start_mm, frame.side_mm, size * count)
    enlarge = SliceFrame.fit((fine.size, fine.size), (1.0, 1.0), size=size)
    result = LabelLogits(enlarge.from_network(found.logits))
    if found.spread is not None:
        result.spread = enlarge.from_network(found.spread)
    there = task.wanted[(found.logits[task.wanted] > 0).any(axis=(1, 2))]
    here = np.flatnonzero(np.isfinite(task.support.places))
    if not len(there) or not len(here):
        return fine, result
    images, masks = fine_images(fine), fine_masks(fine)
    places = task.support.places[here].astype(int)
    boxes = tile_boxes(fine.size, count)
    task.meter.expect(len(there) * len(boxes))
    total, weight = np.zeros((len(there), fine.size, fine.size), np.float32), np.zeros((fine.size,) * 2, np.float32)
    for box in boxes:
        tile = SliceFrame.fit((fine.size, fine.size), (1.0, 1.0), box, size)
        support = SupportStack(
            task.support.model, tile.to_network(images[places]), tile.to_network(masks), places.astype(float)
        )
        draws = draw_support(support.places, int(np.median(there)), task.settings)
        queries = planes(tile.to_network(images[there]), prior=tile.to_network(probability(result.logits[there])))
        logits, _ = support.predict(queries, draws, flips=task.settings.flips, meter=task.meter, message=task.name)
        feather = _feather(box)
        part = (slice(None), *tile.covered.slices)
        total[part] += tile.from_network_covered(logits) * feather
        weight[tile.covered.slices] += feather
    result.logits[there] = total / weight
    return fine, result


def _feather(box: Box) -> np.ndarray:
    """Weights (rows, cols) that fall off linearly to the rim of a tile and never reach 0."""
    ramps = []
    for length in box.shape:
        place = np.arange(length) + 0.5
        ramps.append(np.minimum(1.0, np.minimum(place, length - place) / max(1.0, _OVERLAP * length)))
    return np.outer(*ramps).astype(np.float32)
