"""ITK's morphological contour interpolation, in a process of its own.

ITK's Python package and Slicer's libraries each bring ITK along; within one process the two disturb one another's
memory.
"""

from __future__ import annotations

import functools
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.util import Finalize

import numpy as np


def interpolate_contours(marks: np.ndarray) -> np.ndarray:
    """Fill in between marked slices (Zukić et al., Insight Journal 2016).

    Gap by gap: where marked slices touch, the filter takes them for a structure that is drawn already, and leaves all
    gaps of the label empty.

    Args:
        marks: Boolean (N, rows, cols), filled on two or more slices.

    Returns:
        Boolean, same shape.
    """
    return _helper().submit(_interpolate, np.ascontiguousarray(marks).astype(np.uint8)).result() > 0


@functools.cache
def _helper() -> ProcessPoolExecutor:
    pool = ProcessPoolExecutor(1, get_context("spawn"))
    # A process that is one of several itself waits for its children when it ends. This one is told to end before the
    # queue by which it is told is closed (at 10).
    Finalize(pool, pool.shutdown, exitpriority=100)
    return pool


def _interpolate(marks: np.ndarray) -> np.ndarray:
    import itk

    result = marks.copy()
    filled = np.flatnonzero(marks.any(axis=(1, 2)))
    for low, high in pairwise(filled):
        if high - low > 1:
            # A slice more at each side: the filter does not look at the outermost ones.
            gap = np.zeros((high - low + 3, *marks.shape[1:]), np.uint8)
            gap[[1, -2]] = marks[[low, high]]
            # ITK counts axes from the fastest: the slices are its axis 2.
            found = itk.array_from_image(itk.morphological_contour_interpolator(itk.image_from_array(gap), axis=2))
            result[low + 1 : high] = found[2:-2]
    return result
