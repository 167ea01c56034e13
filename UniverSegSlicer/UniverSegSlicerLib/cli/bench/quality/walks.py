"""Random walks from the marked slices: scikit-image's solver, and Biomedisa's "smart interpolation".

Both look at the images between two marks and say nothing sensible beyond the outermost ones; there the marks are
copied, as for the other interpolations.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ....errors import InputError
from ....files.labelled_scans import MarkedCase
from ....imaging import Box, slice_distance, slice_spacing, slice_stack
from ..baselines import copy_nearest

# The box of the marks is grown by this share of its longer side, as for grow-cut and our own method.
_MARGIN = 0.5
#: Voxels of that box between the outermost marks; walks on more take too long on a processor.
MOST_VOXELS = 2_000_000
MOST_VOXELS_OPENCL = 150_000


class TooLargeError(InputError):
    """A method that could be tried on this volume would take too long; the others go on."""


#: Boolean (N, rows, cols) of the image (N, rows, cols), the marks on it, the marked slices and the voxel's (slice, row,
#: col) in mm.
Walk = Callable[[np.ndarray, np.ndarray, tuple[int, ...], tuple[float, float, float]], np.ndarray]


def random_walker(case: MarkedCase) -> np.ndarray:
    """The random walker (Grady, IEEE TPAMI 2006) with scikit-image's defaults; what is marked is known, inside and out.

    Raises:
        TooLargeError: The box between the outermost marks is too large.
    """
    return _between_marks(case, _walk, MOST_VOXELS)


def biomedisa(case: MarkedCase) -> np.ndarray:
    """Biomedisa's smart interpolation (Lösel et al., Nature Communications 2020) with its defaults.

    Raises:
        TooLargeError: The box between the outermost marks is too large.
        InputError: Biomedisa or an OpenCL or CUDA device is missing.
    """
    return _between_marks(case, lambda image, marks, *_: _smart_interpolation(image, marks), MOST_VOXELS_OPENCL)


def _between_marks(case: MarkedCase, walk: Walk, most: int) -> np.ndarray:
    result = copy_nearest(case.marks, case.axis, case.marked)
    if len(case.marked) < 2:
        return result
    image, marks = slice_stack(case.image.array, case.axis), slice_stack(case.marks, case.axis)
    box = Box.around(marks)
    assert box is not None
    spacing = slice_spacing(case.image.geometry, case.axis)
    longest = max(box.shape[0] * spacing[0], box.shape[1] * spacing[1])
    first, stop = case.marked[0], case.marked[-1] + 1
    part = (slice(first, stop), *box.grown(_MARGIN * longest, spacing, case.slice_shape).slices)
    voxels = marks[part].size
    if voxels > most:
        raise TooLargeError(f"random walks over {voxels} voxels take too long here; at most {most} are tried.")
    marked = tuple(index - first for index in case.marked)
    sides = (slice_distance(case.image.geometry, case.axis), *spacing)
    slice_stack(result, case.axis)[part] = walk(image[part], marks[part], marked, sides)
    return result


def _walk(
    image: np.ndarray, marks: np.ndarray, marked: tuple[int, ...], sides: tuple[float, float, float]
) -> np.ndarray:
    from skimage.segmentation import random_walker as solve

    seeds = np.zeros(marks.shape, np.int32)
    seeds[list(marked)] = 2
    seeds[marks] = 1
    low, high = np.percentile(image, (0.5, 99.5))
    scaled = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1)
    return np.asarray(solve(scaled, seeds, spacing=np.array(sides), mode="cg_j", tol=1e-4) == 1)


def _smart_interpolation(image: np.ndarray, marks: np.ndarray) -> np.ndarray:
    # It takes a slice for marked where it holds a label, and knows nothing of sides: an empty slice cannot be said.
    low, high = np.percentile(image, (0.5, 99.5))
    scaled = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1) * 255
    answer = _helper().submit(_run_biomedisa, scaled.astype(np.uint8), marks.astype(np.uint8)).result()
    if answer is None:
        raise InputError("Biomedisa found no OpenCL or CUDA device; pocl brings one for any processor.")
    return answer > 0


@functools.cache
def _helper() -> ProcessPoolExecutor:
    # A process of its own: it sets up MPI and OpenCL, and prints as it goes.
    return ProcessPoolExecutor(1, get_context("spawn"))


def _run_biomedisa(image: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    try:
        import pyopencl
        from biomedisa.interpolation import smart_interpolation
    except ImportError as error:
        raise InputError(f"the method biomedisa needs its packages: {error}.") from error
    # Biomedisa itself looks for the platforms of four makers only; pocl is named by a word of its platform's name.
    makers = ("NVIDIA", "AMD", "Intel", "Apple")
    names = [platform.name for platform in pyopencl.get_platforms()]
    known = any(maker in name for maker in makers for name in names)
    chosen = None if known or not names else f"opencl_{names[0].split()[0]}_CPU"
    with Path(os.devnull).open("w") as nothing, contextlib.redirect_stdout(nothing):
        answer = smart_interpolation(image, labels, platform=chosen)
    return None if answer is None else answer["regular"]
