"""Slice-to-volume episodes: the support is a few slices of the same volume, the query another slice of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.segmentation.shapes import shapes_between

from ..pool import DataPool, VolumeTask

#: Where the prior of a query slice comes from.
PRIOR_SOURCES = ("none", "interpolated", "neighbour", "nearest")


@dataclass(frozen=True)
class VolumeEpisodeSettings:
    """How slices of a volume are drawn.

    Args:
        prior_shares: Relative shares of :data:`PRIOR_SOURCES`: no prior; shape-based interpolation between the marked
            slices around the query; the truth of a slice close by (as a propagation from slice to slice would have it);
            a copy of the nearest marked slice.
        neighbour_distance: Largest distance in slices of a neighbour that gives the prior.
        beyond: Queries come from the label's extent, grown by this share of it on either side.
        even_p: Probability of evenly spaced marks (with some play) instead of uniformly drawn ones.
        region_p: Probability of a zoom to the marked structure.
        region_margin: Range of the margin around it, as a share of its longer side.
        smallest_region: Smallest side of such a region, as a share of the image.
    """

    prior_shares: tuple[float, float, float, float] = (0.25, 0.35, 0.3, 0.1)
    neighbour_distance: int = 3
    beyond: float = 0.25
    even_p: float = 0.6
    region_p: float = 0.7
    region_margin: tuple[float, float] = (0.15, 1.5)
    smallest_region: float = 0.2

    def __post_init__(self) -> None:
        if len(self.prior_shares) != len(PRIOR_SOURCES) or min(self.prior_shares) < 0 or sum(self.prior_shares) <= 0:
            raise InputError(
                f"episodes.volume.prior_shares is {self.prior_shares}; expected {len(PRIOR_SOURCES)} shares for "
                f"{', '.join(PRIOR_SOURCES)}."
            )


@dataclass(frozen=True)
class VolumeEpisode:
    """Rows ``(K + S,)`` of images and masks, zoom ``(K + S, 2, 3)``, priors ``(K, R, R)`` and which say anything."""

    images: np.ndarray
    masks: np.ndarray
    base: Tensor
    priors: np.ndarray
    has_prior: np.ndarray


def draw_marks(present: np.ndarray, count: int, rng: np.random.Generator, even: bool) -> np.ndarray:
    """``count`` slices out of those with the label, sorted; repeated when there are fewer."""
    if count == 0:
        return present[:0]
    if count >= len(present):
        return np.sort(np.resize(rng.permutation(present), count))
    if not even:
        return np.sort(rng.choice(present, size=count, replace=False))
    edges = np.linspace(0, len(present), count + 1)
    starts, stops = np.ceil(edges[:-1]).astype(int), np.maximum(np.ceil(edges[1:]).astype(int), 1)
    return np.sort(np.array([present[rng.integers(a, max(a + 1, b))] for a, b in zip(starts, stops, strict=True)]))


def draw_volume_episode(
    pool: DataPool,
    task: VolumeTask,
    queries: int,
    support: int,
    rng: np.random.Generator,
    settings: VolumeEpisodeSettings,
) -> VolumeEpisode:
    """Marked slices, query slices, their priors and the region of interest of one volume."""
    present = task.present
    even = bool(rng.random() < settings.even_p)
    marks = draw_marks(present, support, rng, even)
    # A prior needs marks even when the network is shown none.
    anchors = np.unique(marks if support else draw_marks(present, 2, rng, even))
    reach = max(1, int(settings.beyond * (present[-1] - present[0] + 1)))
    candidates = np.arange(max(0, present[0] - reach), min(len(task.images), present[-1] + reach + 1))
    free = np.setdiff1d(candidates, marks)
    query = np.resize(rng.permutation(free if len(free) else candidates), queries)
    slices = np.concatenate([query, marks])

    anchor_masks = pool.read_masks(task.masks[anchors]).cpu().numpy() > 0.5
    # One draw of the source an episode: marks and query are one user's session.
    source = PRIOR_SOURCES[
        int(rng.choice(len(PRIOR_SOURCES), p=np.array(settings.prior_shares) / sum(settings.prior_shares)))
    ]
    priors = np.zeros((queries, pool.resolution, pool.resolution), dtype=np.float32)
    has_prior = np.full(queries, source != "none")
    for row, index in enumerate(query):
        if source == "neighbour":
            step = int(rng.integers(1, settings.neighbour_distance + 1)) * (1 if rng.random() < 0.5 else -1)
            near = int(np.clip(index + step, 0, len(task.images) - 1))
            priors[row] = pool.read_masks(task.masks[[near]])[0].cpu().numpy()
        elif source != "none":
            priors[row] = between_marks(
                task.positions[anchors], anchor_masks, int(task.positions[index]), interpolate=source == "interpolated"
            )
    count = queries + support
    base = torch.eye(3)[:2].expand(count, 2, 3)
    if rng.random() < settings.region_p:
        base = torch.from_numpy(region_maps(anchor_masks, rng, settings)).expand(count, 2, 3)
    return VolumeEpisode(task.images[slices], task.masks[slices], base, priors, has_prior)


def between_marks(marks: np.ndarray, masks: np.ndarray, index: int, *, interpolate: bool) -> np.ndarray:
    """What marked slices say about slice ``index``: shape-based interpolation, or a copy of the nearest one.

    The interpolation is the one that a propagation uses, so that the network learns from the priors that it will meet.

    Outside of the marked range it is the nearest one either way.

    Args:
        marks: Slice indices in ascending order ``(n,)``.
        masks: Boolean ``(n, rows, cols)``.
    """
    above = int(np.searchsorted(marks, index))
    if above == 0 or above == len(marks):
        return masks[min(above, len(marks) - 1)]
    if marks[above] == index:
        return masks[above]
    fraction = (index - marks[above - 1]) / (marks[above] - marks[above - 1])
    if interpolate:
        return np.asarray(shapes_between(masks[above - 1], masks[above], [float(fraction)])[0] > 0)
    return masks[above - 1] if fraction < 0.5 else masks[above]


def region_maps(masks: np.ndarray, rng: np.random.Generator, settings: VolumeEpisodeSettings) -> np.ndarray:
    """Output-to-input map ``(2, 3)`` that shows the bounding square of boolean masks ``(n, R, R)`` and a margin.

    Empty masks give the identity. The square's centre has some play, so that structures are not always in the middle.
    """
    side = masks.shape[-1]
    anywhere = masks.any(axis=0)
    rows, columns = np.flatnonzero(anywhere.any(axis=1)), np.flatnonzero(anywhere.any(axis=0))
    if len(rows) == 0:
        return np.eye(3, dtype=np.float32)[:2]
    longest = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    margin = rng.uniform(*settings.region_margin)
    size = min(1.0, max(settings.smallest_region, longest / side * (1 + 2 * margin)))
    play = rng.uniform(-0.3, 0.3, 2) * margin * longest / side
    centre_y = (rows[0] + rows[-1] + 1) / side - 1 + play[0]
    centre_x = (columns[0] + columns[-1] + 1) / side - 1 + play[1]
    limit = 1 - size
    centre_y, centre_x = np.clip(centre_y, -limit, limit), np.clip(centre_x, -limit, limit)
    return np.array([[size, 0, centre_x], [0, size, centre_y]], dtype=np.float32)
