"""Discs with a texture, slice by slice, and a network that knows nothing."""

from __future__ import annotations

import numpy as np

from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.segmentation.propagation.guided.evidence import Mark

SIZE = 64


def disc(radius: float, row: float = 32, col: float = 32, size: int = SIZE) -> np.ndarray:
    rows, cols = np.indices((size, size))
    return np.hypot(rows - row, cols - col) <= radius


def textured(masks: np.ndarray, low: float = 0.3, high: float = 0.6) -> np.ndarray:
    """Images (N, rows, cols) in which the masks are brighter, with a texture that differs from slice to slice."""
    noise = np.random.default_rng(1).normal(0, 0.02, masks.shape)
    return np.clip(low + (high - low) * masks + noise, 0, 1).astype(np.float32)


def volume_of(truth: np.ndarray, low: float = 0.3, high: float = 0.6) -> Volume:
    """A volume (K, J, I) of cubic voxels in which the truth is brighter."""
    return Volume(textured(truth, low, high), Geometry(truth.shape[::-1]))  # type: ignore[arg-type]


def marked(truth: np.ndarray, slices: list[int]) -> np.ndarray:
    """The truth on some slices, nothing elsewhere."""
    marks = np.zeros(truth.shape, np.uint8)
    marks[slices] = truth[slices]
    return marks


def mark_of(index: int, radius: float, low: float = 0.3, high: float = 0.6) -> Mark:
    """A marked disc."""
    mask = disc(radius)
    return Mark.of(index, textured(mask[None], low, high)[0], mask.astype(np.float32))


class Silent:
    """Stands in for a network that knows nothing: the evidence of the marks alone decides."""

    name, device, query_channels, resolution = "silent", "cpu", 4, SIZE

    def encode_support(self, images, labels):
        return None

    def predict(self, queries, support, *, cancel=None, **_):
        return np.zeros((len(queries), 1, SIZE, SIZE), np.float32)
