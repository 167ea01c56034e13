"""Which slices of a volume are kept: the middle one, the largest of every label, and all that show a label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..sample import Sample

#: A label counts in a slice from this many pixels of the standardised grid on; less is rounding of the resampling.
LEAST_PIXELS = 4


@dataclass(frozen=True)
class ChosenSlice:
    """One slice to keep. ``largest`` holds the positions of the labels that are largest here."""

    axis: int
    index: int
    middle: bool
    largest: frozenset[int]

    @property
    def slicing(self) -> str:
        """The most selective of the three ways of slicing that this slice belongs to."""
        return "mid" if self.middle else "max" if self.largest else "all"


def choose_slices(sample: Sample, axes: tuple[int, ...], original_spacing: tuple[float, ...]) -> list[ChosenSlice]:
    """The slices of a sample, by axis and index. A picture is its own middle and largest slice (axis 0, index 0).

    Where the volume was resampled to thinner slices, only every n-th slice is taken for "all", so that the spacing
    is that of the scan: what lies between is interpolation.
    """
    if sample.image.ndim == 2:
        return [ChosenSlice(0, 0, True, frozenset(sample.masks.present()))]
    chosen: list[ChosenSlice] = []
    for axis in axes:
        areas = sample.masks.areas(axis)
        length = sample.image.shape[axis]
        middle = length // 2
        largest: dict[int, set[int]] = {}
        for position in np.flatnonzero(areas.max(axis=1) >= LEAST_PIXELS):
            largest.setdefault(int(areas[position].argmax()), set()).add(int(position))
        wanted = {middle, *largest, *_labelled(areas, _stride(sample, axis, original_spacing), middle)}
        chosen.extend(
            ChosenSlice(axis, index, index == middle, frozenset(largest.get(index, ()))) for index in sorted(wanted)
        )
    return chosen


def take_image(image: NDArray[np.generic], chosen: ChosenSlice) -> NDArray[np.generic]:
    """The (rows, cols) of a chosen slice."""
    return image if image.ndim == 2 else np.take(image, chosen.index, axis=chosen.axis)


def take_masks(sample: Sample, chosen: ChosenSlice) -> dict[int, NDArray[np.bool_]]:
    """Masks of a chosen slice by position of the label, without those of too few pixels."""
    if sample.image.ndim == 2:
        return sample.masks.everywhere()
    taken = sample.masks.take(chosen.axis, chosen.index)
    return {p: mask for p, mask in taken.items() if np.count_nonzero(mask) >= LEAST_PIXELS}


def _stride(sample: Sample, axis: int, original_spacing: tuple[float, ...]) -> int:
    ratio = original_spacing[axis] / sample.spacing[axis]
    return max(1, int(np.rint(ratio))) if np.isfinite(ratio) else 1


def _labelled(areas: NDArray[np.int64], stride: int, middle: int) -> list[int]:
    shown = np.flatnonzero((areas >= LEAST_PIXELS).any(axis=0))
    return [int(index) for index in shown if (index - middle) % stride == 0]
