"""Masks as COCO writes them: run lengths (plain or packed into text) and polygons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.errors import InputError

from .optional import need


def decode_rle(counts: str | bytes | Sequence[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Decode run lengths: alternating runs of 0 and 1, column by column, starting with 0.

    Args:
        counts: The runs, or COCO's text of them (differences to the run before the last, 5 bits per character).
        size: (rows, cols).

    Raises:
        InputError: The runs do not fill the picture.

    Example:
        >>> decode_rle([1, 2, 1], (2, 2)).astype(int).tolist()
        [[0, 1], [1, 0]]
    """
    runs = _unpacked(counts) if isinstance(counts, (str, bytes)) else [int(run) for run in counts]
    rows, cols = int(size[0]), int(size[1])
    if any(run < 0 for run in runs) or sum(runs) != rows * cols:
        raise InputError(f"run lengths of {sum(runs)} pixels for a mask of {rows} x {cols} = {rows * cols}.")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(cols, rows).T


def fill_polygons(polygons: Sequence[Sequence[Any]], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Fill polygons, each as [x1, y1, x2, y2, ...] or [[x, y], ...], pixels whose centre is inside.

    Raises:
        InputError: A polygon has fewer than three corners.
    """
    draw = need("skimage.draw", "polygons", "scikit-image")
    mask = np.zeros(size, bool)
    for polygon in polygons:
        points = np.asarray(polygon, float).reshape(-1, 2)
        if len(points) < 3:
            raise InputError(f"a polygon has {len(points)} corners, at least 3 are needed.")
        # COCO counts from the corner of the first pixel, skimage from its centre.
        rows, cols = draw.polygon(points[:, 1] - 0.5, points[:, 0] - 0.5, size)
        mask[rows, cols] = True
    return mask


def _unpacked(text: str | bytes) -> list[int]:
    data = text.encode("ascii") if isinstance(text, str) else text
    runs: list[int] = []
    position = 0
    while position < len(data):
        value, shift, more = 0, 0, True
        while more:
            if position >= len(data):
                raise InputError("the packed run lengths end in the middle of a number.")
            byte = data[position] - 48
            value |= (byte & 0x1F) << shift
            more = bool(byte & 0x20)
            position += 1
            shift += 5
            if not more and byte & 0x10:
                value |= -1 << shift
        if len(runs) > 2:
            value += runs[-2]
        runs.append(value)
    return runs
