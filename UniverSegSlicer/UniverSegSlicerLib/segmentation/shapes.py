"""Shapes between shapes: signed distances and their interpolation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import SimpleITK as sitk


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """Signed Euclidean distance of a boolean (rows, cols) mask in pixels, float32, positive inside.

    The border lies between pixels: the first pixel inside has +0.5, the first outside -0.5. An empty mask is far
    outside everywhere, a full one far inside (the longer side).
    """
    mask = np.asarray(mask, dtype=bool)
    far = float(max(mask.shape))
    if not mask.any() or mask.all():
        return np.full(mask.shape, far if mask.any() else -far, np.float32)

    def outside(part: np.ndarray) -> np.ndarray:
        image = sitk.GetImageFromArray(part.astype(np.uint8))
        # The filter measures to the object's own border pixels, so each half is measured from its own side.
        distance = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False)
        return np.maximum(sitk.GetArrayFromImage(distance), 0)

    return np.where(mask, outside(~mask) - 0.5, 0.5 - outside(mask)).astype(np.float32)


def shapes_between(first: np.ndarray, second: np.ndarray, fractions: Sequence[float]) -> np.ndarray:
    """Shapes between two masks, as signed distances in pixels, float32 (n, rows, cols).

    Signed distances are mixed (Raya and Udupa, IEEE TMI 1990). Where the two shapes overlap better once their centroids
    are brought together, they are moved along the line between the centroids first; without this a thin structure that
    runs askew through the slices would vanish half-way.

    Args:
        first: Boolean (rows, cols).
        second: Boolean, same shape.
        fractions: Places between them; 0 is the first, 1 the second.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    a, b = signed_distance(first), signed_distance(second)
    shift = np.zeros(2)
    if first.any() and second.any():
        between = np.array([np.mean(np.nonzero(second)[axis]) - np.mean(np.nonzero(first)[axis]) for axis in (0, 1)])
        if np.abs(between).max() >= 1 and _overlap(_moved(a, between) > 0, second) > _overlap(first, second):
            shift = between
    return np.stack([(1 - f) * _moved(a, shift * f) + f * _moved(b, shift * (f - 1)) for f in fractions])


def soft_mask(distance: np.ndarray) -> np.ndarray:
    """A signed distance in pixels as a probability: one half on the border, nearly certain two pixels away."""
    return (1 / (1 + np.exp(-np.clip(2 * distance, -30, 30)))).astype(np.float32)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / max(1, int(a.sum()) + int(b.sum()))


def _moved(distance: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Move a distance map by (rows, cols), linearly; what comes in from beyond the rim repeats the rim."""
    if not shift.any():
        return distance
    image = sitk.GetImageFromArray(distance)
    move = sitk.TranslationTransform(2, (-float(shift[1]), -float(shift[0])))
    resample = sitk.ResampleImageFilter()
    resample.SetReferenceImage(image)
    resample.SetTransform(move)
    resample.SetInterpolator(sitk.sitkLinear)
    resample.SetUseNearestNeighborExtrapolator(True)
    return sitk.GetArrayFromImage(resample.Execute(image))


# Length of a structure across the slices, in widths within them, as long as the marks do not say otherwise.
_LENGTH = 0.75


def gap_and_rest(areas: Mapping[int, float], step: float) -> tuple[float, float]:
    """What marks say about a structure's length, in slices: the mean gap between them, and what they leave of it.

    Where marks span less than a structure of their width would be long, it may go on for the rest of that length, which
    is negative where they span more.

    Args:
        areas: Slice number to the marked area in pixels, at least one.
        step: Distance between neighbouring slices, in pixels.
    """
    span = max(areas) - min(areas)
    gap = span / (len(areas) - 1) if len(areas) > 1 else 0.0
    return gap, _LENGTH * width_of(max(areas.values())) / step - span


def end_of_ellipsoid(areas: Mapping[int, float], outermost: int) -> float:
    """Slices from a mark to the pole of an ellipsoid that is widest on the widest mark; infinite if that is this mark.

    Args:
        areas: Slice number to the marked area.
        outermost: The first or the last of these slices.
    """
    widest = max(areas, key=lambda n: areas[n])
    # The sections of an ellipsoid shrink with the square of the way from its middle to the pole.
    share = float(np.sqrt(1 - areas[outermost] / areas[widest]))
    return np.inf if share == 0 else abs(widest - outermost) * (1 / share - 1)


def width_of(area: float) -> float:
    """Diameter of the circle of an area."""
    return 2 * float(np.sqrt(area / np.pi))
