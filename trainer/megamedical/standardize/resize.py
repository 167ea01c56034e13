"""Slices to squares of one size, through the very frame that shows a slice to the network when it is used."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.imaging import SliceFrame

#: A mask keeps its area, but a pixel has to be covered at least this much to be foreground ...
_LEAST_COVER = 0.25
#: ... and is foreground as soon as this much of it is covered.
_SURE_COVER = 0.5


@lru_cache(maxsize=512)
def frame_of(shape: tuple[int, int], spacing: tuple[float, float], size: int) -> SliceFrame:
    """The frame of a whole slice: centred zero padding to a square in mm, anti-aliased resize to ``size``.

    Pixels of unknown spacing (NaN) are taken as square.
    """
    known = all(math.isfinite(value) and value > 0 for value in spacing)
    return SliceFrame.fit(shape, spacing if known else (1.0, 1.0), size=size)


def resize_image(image: NDArray[Any], spacing: tuple[float, float], size: int) -> NDArray[np.uint8]:
    """An image (rows, cols) in [0, 1] as uint8 (size, size): 0 darkest and padding, 255 brightest."""
    frame = frame_of((image.shape[0], image.shape[1]), spacing, size)
    return np.rint(frame.to_network(image, "image") * 255).astype(np.uint8)


def resize_masks(masks: NDArray[np.bool_], spacing: tuple[float, float], size: int) -> NDArray[np.bool_]:
    """Resize binary masks (M, rows, cols) to (M, size, size); their share of the square is kept.

    The threshold of a mask is the one that keeps its area, between a cover of a quarter and of a half: half is exact
    for large targets and would delete vessels of a pixel's width. A mask that is not empty keeps at least one pixel.
    """
    if len(masks) == 0:
        return np.zeros((0, size, size), bool)
    frame = frame_of((masks.shape[1], masks.shape[2]), spacing, size)
    cover = np.stack([_cover(mask, frame) for mask in masks]).reshape(len(masks), size * size)
    areas = masks.reshape(len(masks), -1).sum(axis=1)
    wanted = np.rint(areas * area_of_pixel(frame) * size**2).astype(int)
    result = cover >= _SURE_COVER
    for index in np.flatnonzero((result.sum(axis=1) < wanted) & (areas > 0)):
        threshold = np.partition(cover[index], -wanted[index])[-wanted[index]]
        result[index] = cover[index] >= np.clip(threshold, _LEAST_COVER, _SURE_COVER)
    for index in np.flatnonzero((areas > 0) & ~result.any(axis=1)):
        result[index, cover[index].argmax()] = True
    return result.reshape(len(masks), size, size)


def area_of_pixel(frame: SliceFrame) -> float:
    """The share of the square that one pixel of the slice takes."""
    return frame.spacing[0] * frame.spacing[1] / frame.side_mm**2


def _cover(mask: NDArray[np.bool_], frame: SliceFrame) -> NDArray[np.float32]:
    """``frame.to_network(mask, "mask")``, computed from the mask's bounding box alone: most targets are small."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return np.zeros((frame.size, frame.size), np.float32)
    starts, stops = [], []
    for found, count, pixel in zip((rows, cols), mask.shape, frame.spacing, strict=True):
        # Every network pixel that sees the target must see all it would see of the whole slice.
        margin = 2 * math.ceil(max(1.0, frame.pixel_mm / pixel)) + 1
        starts.append(max(0, int(found[0]) - margin))
        stops.append(min(count, int(found[-1]) + 1 + margin))
    part = replace(
        frame,
        shape=(stops[0] - starts[0], stops[1] - starts[1]),
        start_mm=(
            frame.start_mm[0] - starts[0] * frame.spacing[0],
            frame.start_mm[1] - starts[1] * frame.spacing[1],
        ),
    )
    return part.to_network(mask[starts[0] : stops[0], starts[1] : stops[1]], "mask")
