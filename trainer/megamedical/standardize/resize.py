"""Slices to squares of one size: centred zero padding, then an anti-aliased resize, and the way back.

Both steps are one small matrix per side, so a whole stack is resized by two matrix products.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Width of the Gaussian before reduction, as a share of old/new pixels (UniverSeg's data: 1/4).
SIGMA = 0.25

#: A mask keeps its area, but a pixel has to be covered at least this much to be foreground ...
_LEAST_COVER = 0.25
#: ... and is foreground as soon as this much of it is covered.
_SURE_COVER = 0.5


def padding(shape: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns to add before and behind to make a centred square (the odd one goes behind).

    Example:
        >>> padding((2, 5))
        ((1, 2), (0, 0))
    """
    side = max(shape)
    before = [(side - n) // 2 for n in shape]
    rows, cols = ((b, side - n - b) for b, n in zip(before, shape, strict=True))
    return rows, cols


def pad_square(stack: NDArray[np.generic]) -> NDArray[np.generic]:
    """Pad (..., rows, cols) with zeros to a centred square."""
    rows, cols = padding((stack.shape[-2], stack.shape[-1]))
    return np.pad(stack, [(0, 0)] * (stack.ndim - 2) + [rows, cols])


def unpad(stack: NDArray[np.generic], shape: tuple[int, int]) -> NDArray[np.generic]:
    """Undo :func:`pad_square`: cut (..., side, side) back to (..., *shape)."""
    (top, _), (left, _) = padding(shape)
    return stack[..., top : top + shape[0], left : left + shape[1]]


def resize(stack: NDArray[np.generic], size: int) -> NDArray[np.float32]:
    """Pad (..., rows, cols) to squares and resize them to (..., size, size): Gaussian blur, then linear sampling.

    Values stay within the range of the input and 0.
    """
    square = pad_square(np.asarray(stack, np.float32))
    weights = _weights(square.shape[-1], size)
    return np.asarray(weights @ square @ weights.T, np.float32)


def restore(stack: NDArray[np.generic], shape: tuple[int, int]) -> NDArray[np.float32]:
    """The way back: (..., size, size) to (..., *shape), linear, with the padding cut off."""
    side = max(shape)
    weights = _weights(stack.shape[-1], side)
    return np.asarray(unpad(weights @ np.asarray(stack, np.float32) @ weights.T, shape), np.float32)


def resize_masks(masks: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Resize binary masks (M, rows, cols) to (M, size, size); their share of the square is kept.

    The threshold of a mask is the one that keeps its area, between a cover of a quarter and of a half: half is exact
    for large targets and would delete vessels of a pixel's width. A mask that is not empty keeps at least one pixel.
    """
    if len(masks) == 0:
        return np.zeros((0, size, size), bool)
    cover = np.stack([_cover(mask, size) for mask in masks]).reshape(len(masks), size * size)
    side = max(masks.shape[1:])
    areas = masks.reshape(len(masks), -1).sum(axis=1)
    wanted = np.rint(areas * (size / side) ** 2).astype(int)
    result = cover >= _SURE_COVER
    for index in np.flatnonzero((result.sum(axis=1) < wanted) & (areas > 0)):
        threshold = np.partition(cover[index], -wanted[index])[-wanted[index]]
        result[index] = cover[index] >= np.clip(threshold, _LEAST_COVER, _SURE_COVER)
    for index in np.flatnonzero((areas > 0) & ~result.any(axis=1)):
        result[index, cover[index].argmax()] = True
    return result.reshape(len(masks), size, size)


def _cover(mask: NDArray[np.bool_], size: int) -> NDArray[np.float32]:
    """What :func:`resize` gives for one mask, computed from its bounding box alone: most targets are small."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return np.zeros((size, size), np.float32)
    box = mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1].astype(np.float32)
    (top, _), (left, _) = padding((mask.shape[0], mask.shape[1]))
    weights = _weights(max(mask.shape), size)
    over_rows = weights[:, top + rows[0] : top + rows[-1] + 1]
    over_cols = weights[:, left + cols[0] : left + cols[-1] + 1]
    return np.asarray(over_rows @ box @ over_cols.T, np.float32)


@lru_cache(maxsize=256)
def _weights(length: int, size: int) -> NDArray[np.float32]:
    """(size, length): each row samples linearly, at the centre of one new pixel, what was blurred; rows sum to 1."""
    scale = length / size
    centres = np.clip((np.arange(size) + 0.5) * scale - 0.5, 0, length - 1)
    lower = np.floor(centres).astype(int)
    share = (centres - lower)[:, None]
    upper = np.minimum(lower + 1, length - 1)
    return ((1 - share) * _kernel(lower, length, scale) + share * _kernel(upper, length, scale)).astype(np.float32)


def _kernel(centres: NDArray[np.intp], length: int, scale: float) -> NDArray[np.float64]:
    offsets = np.arange(length)[None, :] - centres[:, None]
    if scale <= 1:
        return (offsets == 0).astype(np.float64)
    kernel = np.exp(-0.5 * (offsets / (SIGMA * scale)) ** 2)
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True))
