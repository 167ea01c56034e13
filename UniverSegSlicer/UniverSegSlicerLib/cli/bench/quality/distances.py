"""How far the surface of a result is from the true one, in mm, on the slices that were not marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from ....files.labelled_scans import MarkedCase
from ....imaging import Box, slice_distance, slice_spacing, slice_stack


def surface_distances(found: np.ndarray, case: MarkedCase) -> tuple[np.ndarray, np.ndarray]:
    """Distances between the surfaces of a result and of the truth.

    A surface is the voxels of a body with a face neighbour outside it, in three dimensions. Of each surface, the voxels
    on unmarked slices are measured; they are measured to the whole other surface.

    Args:
        found: Boolean (K, J, I).
        case: Gives the truth, the grid and the marked slices.

    Returns:
        Distances in mm of the result's surface to the true one, and of the true one to the result's. Both are empty
        where neither has a surface there; infinite where only one body exists.
    """
    bodies = [slice_stack(found, case.axis), slice_stack(case.truth, case.axis)]
    part = _box_of_both(bodies)
    if part is None:
        return np.zeros(0), np.zeros(0)
    spacing = slice_spacing(case.image.geometry, case.axis)
    images = []
    for body in bodies:
        # A layer of background around the box: a body that reaches the rim of the volume has its surface there.
        padded = np.pad(body[part], 1).astype(np.uint8)
        image = sitk.GetImageFromArray(padded)
        image.SetSpacing((spacing[1], spacing[0], slice_distance(case.image.geometry, case.axis)))
        images.append(sitk.LabelContour(image, fullyConnected=False))
    unmarked = np.setdiff1d(np.arange(part[0].start, part[0].stop), case.marked) - part[0].start + 1
    results = []
    for own, other in (images, images[::-1]):
        surface = sitk.GetArrayViewFromImage(own)[unmarked] > 0
        if not sitk.GetArrayViewFromImage(other).any():
            results.append(np.full(np.count_nonzero(surface), np.inf))
            continue
        distance = sitk.SignedMaurerDistanceMap(other, squaredDistance=False, useImageSpacing=True)
        results.append(np.maximum(sitk.GetArrayViewFromImage(distance)[unmarked][surface], 0))
    return results[0], results[1]


def hausdorff95(distances: Sequence[np.ndarray]) -> float:
    """The larger of the 95th percentiles of both directions, mm; 0 where there is no surface at all."""
    ends = [float(np.percentile(d, 95, method="lower")) for d in distances if d.size]
    return max(ends, default=0.0)


def surface_dice(distances: Sequence[np.ndarray], tolerance_mm: float) -> float:
    """Share of both surfaces that lies within the tolerance of the other (Nikolov et al. 2021), 0 to 1."""
    total = sum(d.size for d in distances)
    return sum(int((d <= tolerance_mm).sum()) for d in distances) / total if total else 1.0


def _box_of_both(bodies: Sequence[np.ndarray]) -> tuple[slice, slice, slice] | None:
    either = bodies[0] | bodies[1]
    there = np.flatnonzero(either.any(axis=(1, 2)))
    box = Box.around(either)
    if box is None:
        return None
    return (slice(int(there[0]), int(there[-1]) + 1), *box.slices)
