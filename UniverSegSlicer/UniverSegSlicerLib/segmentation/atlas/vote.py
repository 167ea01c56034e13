"""Labelled scans vote on each voxel: each looks for the likest patch nearby, and the likest scan has most to say."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

# How far a patch is looked for, and half a patch's side, in voxels.
_SEARCH, _PATCH = 1, 1
# Mean square difference, of images of even contrast, that always counts as alike.
_ALIKE = 0.05
# How the vote of a patch falls off with the square of its distance in voxels.
_FALL = 4.0
# How sharply the votes of scans fall off with their patches' errors.
_SHARPNESS = 2


def vote(
    fixed: np.ndarray,
    images: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    near: np.ndarray,
    check: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """The chances of the labels (L, K, J, I), float32.

    Within a scan, patches vote as in Coupé et al. (NeuroImage 2011): the liker and nearer, the more. Between scans, a
    vote weighs by the error of the scan's best patch (Artaechevarria et al., TMI 2009).

    Args:
        fixed: (K, J, I) the new scan, of even contrast.
        images: The labelled scans brought over, likewise.
        labels: (L, K, J, I) of each, the chances of its labels brought over.
        near: (K, J, I) boolean: where to vote; elsewhere the plain mean is the answer.
        check: Called between two scans; it may raise to stop.
    """
    result = np.mean(labels, axis=0, dtype=np.float32)
    if not near.any():
        return result
    steps = list(itertools.product(range(-_SEARCH, _SEARCH + 1), repeat=3))
    far = np.array([sum(s * s for s in step) for step in steps], np.float32)[:, None] / _FALL
    total = np.zeros(int(near.sum()), np.float32)
    fused = np.zeros((len(labels[0]), len(total)), np.float32)
    for image, own in zip(images, labels, strict=True):
        check()
        errors = np.stack([_box_mean((fixed - _moved(image, step)) ** 2)[near] for step in steps])
        least = errors.min(axis=0)
        weights = np.exp(-errors / (least + _ALIKE) - far)
        weights /= weights.sum(axis=0)
        share = 1 / (least + _ALIKE) ** _SHARPNESS
        for step, weight in zip(steps, weights, strict=True):
            fused += share * weight * np.stack([_moved(one, step)[near] for one in own])
        total += share
    result[:, near] = fused / total
    return result


def _box_mean(array: np.ndarray) -> np.ndarray:
    """The mean over the cube of a patch; beyond the rim, the rim goes on."""
    width = 2 * _PATCH + 1
    for axis in range(3):
        padded = np.pad(array, [(_PATCH, _PATCH) if a == axis else (0, 0) for a in range(3)], mode="edge")
        parts = [np.take(padded, range(s, s + array.shape[axis]), axis) for s in range(width)]
        array = np.sum(parts, axis=0, dtype=np.float32) / np.float32(width)
    return array


def _moved(array: np.ndarray, step: tuple[int, ...]) -> np.ndarray:
    """The array looked up at x + step; beyond the rim, the rim goes on."""
    for axis, by in enumerate(step):
        if by:
            array = np.take(array, np.clip(np.arange(array.shape[axis]) + by, 0, array.shape[axis] - 1), axis)
    return array
