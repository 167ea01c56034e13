"""ITK's morphological contour interpolation, in a process of its own.

ITK's Python package and Slicer's libraries each bring ITK along; within one process the two disturb one another's
memory.
"""

from __future__ import annotations

import functools
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np


def interpolate_contours(marks: np.ndarray) -> np.ndarray:
    """Fill in between marked slices (Zukić et al., Insight Journal 2016).

    Args:
        marks: Boolean (N, rows, cols), filled on two or more slices.

    Returns:
        Boolean, same shape.
    """
    return _helper().submit(_interpolate, np.ascontiguousarray(marks).astype(np.uint8)).result() > 0


@functools.cache
def _helper() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"))


def _interpolate(marks: np.ndarray) -> np.ndarray:
    import itk

    # ITK counts axes from the fastest: the slices are its axis 2.
    return itk.array_from_image(itk.morphological_contour_interpolator(itk.image_from_array(marks), axis=2))
