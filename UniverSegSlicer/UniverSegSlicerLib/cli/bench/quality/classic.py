"""The alternatives without a network, for one structure on a few marked slices.

Only the marks are known to them, as to our own method. Where a method says nothing beyond the outermost marks, these
are copied for as far as the marks let expect: half the mean gap between them, or, with a single one, half the width of
the structure. The forms "told the ends" know the first and the last slice of the structure besides.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ....files.labelled_scans import MarkedCase
from ....imaging import Box, slice_distance, slice_spacing, slice_stack
from ..baselines import copy_nearest, interpolate_shapes
from .contours import interpolate_contours
from .walks import biomedisa, random_walker

Method = Callable[[MarkedCase], np.ndarray]

# Grow-cut works on the box of the marks with a margin of this share of its longer side, the one of our own method.
_MARGIN = 0.5


def nearest(case: MarkedCase) -> np.ndarray:
    """The nearest marked slice, copied."""
    return _within(_copied(case), case, expected_ends(case))


def nearest_told(case: MarkedCase) -> np.ndarray:
    """The nearest marked slice, copied, from the structure's first slice to its last."""
    return _within(_copied(case), case, case.ends)


def shapes(case: MarkedCase) -> np.ndarray:
    """Shape-based interpolation of signed distances (Raya and Udupa, IEEE TMI 1990)."""
    return _within(interpolate_shapes(case.marks, case.axis, case.marked), case, expected_ends(case))


def shapes_told(case: MarkedCase) -> np.ndarray:
    """The same from the structure's first slice to its last; the outermost marks are copied there."""
    return _within(interpolate_shapes(case.marks, case.axis, case.marked), case, case.ends)


def contours(case: MarkedCase) -> np.ndarray:
    """Morphological contour interpolation, as in Slicer's "Fill between slices"; see ``interpolate_contours``."""
    return _within(_contours(case), case, expected_ends(case))


def contours_told(case: MarkedCase) -> np.ndarray:
    """The same from the structure's first slice to its last; the outermost marks are copied there."""
    return _within(_contours(case), case, case.ends)


def grow_cut(case: MarkedCase) -> np.ndarray:
    """Grow-cut from the marked slices: Slicer's "Grow from seeds" (Zhu et al., MICCAI 2014)."""
    return _grow_cut(case, case.marked)


def grow_cut_told(case: MarkedCase) -> np.ndarray:
    """The same with the empty slices just beyond the structure as background seeds."""
    return _grow_cut(case, case.with_ends_marked().marked)


CLASSIC: dict[str, Method] = {
    "nearest": nearest,
    "shapes": shapes,
    "contours": contours,
    "growcut": grow_cut,
    "randomwalk": lambda case: _within(random_walker(case), case, expected_ends(case)),
    "biomedisa": lambda case: _within(biomedisa(case), case, expected_ends(case)),
    "nearest-told": nearest_told,
    "shapes-told": shapes_told,
    "contours-told": contours_told,
    "growcut-told": grow_cut_told,
}


def expected_ends(case: MarkedCase) -> tuple[int, int]:
    """The first and the last slice of the structure as far as the marks alone let expect."""
    marked = case.marked
    if len(marked) > 1:
        beyond = (marked[-1] - marked[0]) / (len(marked) - 1) / 2
    else:
        row_mm, col_mm = slice_spacing(case.image.geometry, case.axis)
        width = 2 * np.sqrt(np.count_nonzero(case.marks) * row_mm * col_mm / np.pi)
        beyond = width / 2 / slice_distance(case.image.geometry, case.axis)
    return marked[0] - int(beyond), marked[-1] + int(beyond)


def _within(result: np.ndarray, case: MarkedCase, ends: tuple[int, int]) -> np.ndarray:
    stack = slice_stack(result, case.axis)
    stack[: max(0, ends[0])] = False
    stack[ends[1] + 1 :] = False
    return result


def _copied(case: MarkedCase) -> np.ndarray:
    return copy_nearest(case.marks, case.axis, case.marked)


def _contours(case: MarkedCase) -> np.ndarray:
    result = _copied(case)
    if len(case.marked) > 1:
        target, marks = slice_stack(result, case.axis), slice_stack(case.marks, case.axis)
        box = Box.around(marks)
        assert box is not None
        first, stop = case.marked[0], case.marked[-1] + 1
        part = (slice(first, stop), *box.grown(2, (1.0, 1.0), case.slice_shape).slices)
        target[first:stop] = False
        target[part] = interpolate_contours(marks[part])
    return result


def _grow_cut(case: MarkedCase, known: tuple[int, ...]) -> np.ndarray:
    from slicer import vtkImageGrowCutSegment
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData

    image, marks = slice_stack(case.image.array, case.axis), slice_stack(case.marks, case.axis)
    box = Box.around(marks)
    assert box is not None
    spacing = slice_spacing(case.image.geometry, case.axis)
    longest = max(box.shape[0] * spacing[0], box.shape[1] * spacing[1])
    box = box.grown(_MARGIN * longest, spacing, case.slice_shape)
    part = (slice(None), *box.slices)
    seeds = np.zeros(marks[part].shape, np.uint8)
    seeds[list(known)] = 2
    seeds[marks[part]] = 1

    def to_vtk(array: np.ndarray) -> vtkImageData:
        data = vtkImageData()
        data.SetDimensions(*array.shape[::-1])
        data.SetSpacing(spacing[1], spacing[0], slice_distance(case.image.geometry, case.axis))
        data.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
        return data

    grow = vtkImageGrowCutSegment()
    grow.SetIntensityVolume(to_vtk(image[part].astype(np.float32)))
    grow.SetSeedLabelVolume(to_vtk(seeds))
    grow.Update()
    found = vtk_to_numpy(grow.GetOutput().GetPointData().GetScalars()).reshape(seeds.shape)
    result = np.zeros(case.marks.shape, bool)
    slice_stack(result, case.axis)[part] = found == 1
    return result
