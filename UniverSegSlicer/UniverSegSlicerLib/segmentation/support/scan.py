"""A scan with its whole label map: what a support set may hold beside slices, so that it serves as an atlas."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from ...errors import InputError
from ...imaging import AXES, IntensityWindow, Volume, array_axis
from .marks import same_grid_labels

# Margin around the labels, as a share of the longest side of their box, and at least so many mm: registration needs
# to see what the structure is embedded in.
_MARGIN, _LEAST_MM = 0.3, 10.0
_DEEPEST = np.iinfo(np.uint16).max
# Structures fill at least so many slices in a row, and at their ends at most so much of their largest area.
_FEWEST_SLICES, _NARROWED = 5, 0.8
# Of scattered parts, those of fewer voxels say nothing; the others together have to fill so much of the label.
_SPECK, _MOST = 8, 0.9
# A label goes on as another where so much of its last slice does.
_GOES_ON = 0.5


@dataclass(frozen=True, eq=False)
class LabelledScan:
    """The part of a scan around its structures, with the whole label map.

    Attributes:
        image: 16 bits, 0 to 65535 over the window of the whole scan, on the scan's grid as far as it was kept.
        labels: (K, J, I) uint16 on the same grid, 0 is background, and complete: what is not labelled is background.
        source: What it was taken from, in words.
        used: Whether it takes part.

    Raises:
        InputError: Another kind of numbers than 16 bits; no label at all.
        GeometryError: Scan and label map do not fit each other.
    """

    image: Volume
    labels: np.ndarray
    source: str = ""
    used: bool = True

    def __post_init__(self) -> None:
        if self.image.array.dtype != np.uint16:
            raise InputError(f"a labelled scan holds {self.image.array.dtype} voxels, uint16 are needed.")
        labels = np.ascontiguousarray(same_grid_labels(self.labels, self.image))
        if not labels.any():
            raise InputError("a labelled scan holds no label.")
        object.__setattr__(self, "labels", labels)

    @property
    def label_values(self) -> tuple[int, ...]:
        """The labels that it holds, rising, without background."""
        return tuple(int(v) for v in np.unique(self.labels) if v)

    @classmethod
    def of(
        cls, volume: Volume, labels: np.ndarray, *, window: IntensityWindow | None = None, source: str = ""
    ) -> LabelledScan:
        """Keep what lies around the labels of a scan.

        Args:
            volume: The scan, any real dtype.
            labels: (K, J, I) complete label map on its grid.
            window: Intensity window; that of the whole scan by default.
            source: The scan's name.
        """
        known = same_grid_labels(labels, volume)
        if not known.any():
            raise InputError("the label map holds no label, so that there is nothing to keep of the scan.")
        box = _around(known, volume.geometry.spacing)
        window = window or IntensityWindow.of(volume.array)
        kept = np.round(window.apply(volume.array[box]) * _DEEPEST).astype(np.uint16)
        start = [part.start for part in box[::-1]]
        geometry = replace(
            volume.geometry, size=kept.shape[::-1], origin=tuple(volume.geometry.to_world(np.array(start)))
        )
        return cls(Volume(kept, geometry), known[box].copy(), source)


def is_complete(labels: np.ndarray) -> bool:
    """Whether a (K, J, I) label map looks like whole structures rather than a few marked slices.

    Along every axis its labels come in runs of at least five slices, and each run narrows towards its ends, or ends
    with the scan. Marked slices are few, or have gaps, or end where the structure is at its widest. Scattered parts,
    such as lesions, leave slices out; of them nearly each has to narrow by itself, and each at the outermost slices.
    """
    filled = np.asarray(labels) != 0
    return bool(filled.any()) and (_fills_runs(filled) or _is_scattered(filled))


def are_complete(labels: np.ndarray) -> bool:
    """Whether each label of a (K, J, I) map, and all together, look like whole structures (:func:`is_complete`).

    Neighbours bound each other: where another label goes on, a label may end as abruptly as it likes.
    """
    known = np.asarray(labels)
    values = [value for value in np.unique(known) if value]
    each = ((known == value, (known != value) & (known != 0)) for value in values)
    return is_complete(known) and all(_fills_runs(one, others) or _is_scattered(one) for one, others in each)


def _fills_runs(filled: np.ndarray, others: np.ndarray | None = None) -> bool:
    """Whether a mask comes in long runs of slices that narrow towards their ends, or go on in ``others`` there."""
    for axis in AXES:
        stack = np.moveaxis(filled, array_axis(axis), 0)
        beside = None if others is None else np.moveaxis(others, array_axis(axis), 0)
        areas = stack.sum(axis=(1, 2))
        last = len(areas) - 1
        edges = np.flatnonzero(np.diff(np.concatenate([[0], areas > 0, [0]]).astype(int)))
        for start, stop in edges.reshape(-1, 2):
            ends = [(n, n + step) for n, step in ((start, -1), (stop - 1, 1)) if 0 <= n + step <= last]
            goes_on = [
                beside is not None and (stack[n] & beside[beyond]).sum() >= _GOES_ON * areas[n] for n, beyond in ends
            ]
            if stop - start < _FEWEST_SLICES and not any(goes_on):
                return False
            widest = areas[start:stop].max()
            if any(areas[n] > _NARROWED * widest and not more for (n, _), more in zip(ends, goes_on, strict=True)):
                return False
    return True


def _is_scattered(filled: np.ndarray) -> bool:
    """Whether nearly all of a mask is in parts, each of which narrows towards both its ends along every axis."""
    volume = int(filled.sum())
    for axis in range(3):
        areas = filled.sum(axis=tuple(a for a in range(3) if a != axis))
        alone = (areas > 0) & ~np.append(areas[1:] > 0, False) & ~np.insert(areas[:-1] > 0, 0, False)
        if areas[alone].sum() > (1 - _MOST) * volume:
            return False  # slices far apart, which is seen without looking for parts
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(filled.astype(np.uint8)), True))
    number = parts[filled].astype(int) - 1
    sizes = np.bincount(number)
    if len(sizes) == 1:
        return False
    large = sizes >= _SPECK
    kept, places = large[number], np.argwhere(filled)
    number, places, sizes = (np.cumsum(large) - 1)[number[kept]], places[kept], sizes[large]
    if sizes.sum() < _MOST * volume:
        return False
    whole = np.ones(len(sizes), bool)
    for axis, last in enumerate(np.array(filled.shape) - 1):
        along = places[:, axis]
        areas = np.zeros((len(sizes), last + 1), int)
        np.add.at(areas, (number, along), 1)
        first, final = (areas > 0).argmax(axis=1), last - (areas[:, ::-1] > 0).argmax(axis=1)
        narrow = np.ones(len(sizes), bool)
        for end, edge in ((first, 0), (final, last)):
            narrow &= (areas[np.arange(len(sizes)), end] <= _NARROWED * areas.max(axis=1)) | (end == edge)
        outermost = (first == along.min()) | (final == along.max())
        if (outermost & ~narrow).any():
            return False
        whole &= narrow
    return int(sizes[whole].sum()) >= _MOST * volume


def widest_apart(labels: np.ndarray, spacing: tuple[float, float, float]) -> str:
    """The axis along which slices lie farthest apart and, of those, the one along which labels fill the fewest."""
    filled = np.asarray(labels) != 0
    counts = {a: int(filled.any(axis=tuple(b for b in range(3) if b != array_axis(a))).sum()) for a in AXES}
    # Distances that headers round differently are one distance.
    return min(reversed(AXES), key=lambda a: (-round(spacing[AXES.index(a)], 3), counts[a]))


def _around(labels: np.ndarray, spacing: tuple[float, float, float]) -> tuple[slice, ...]:
    """The box of the labels with its margin, as slices of a (K, J, I) array."""
    filled = labels != 0
    ends = []
    for a in range(3):
        indices = np.flatnonzero(filled.any(axis=tuple(b for b in range(3) if b != a)))
        ends.append((int(indices[0]), int(indices[-1]) + 1))
    sides = [(stop - start) * mm for (start, stop), mm in zip(ends, spacing[::-1], strict=True)]
    margin = max(_LEAST_MM, _MARGIN * max(sides))
    return tuple(
        slice(max(0, start - int(np.ceil(margin / mm))), min(n, stop + int(np.ceil(margin / mm))))
        for (start, stop), mm, n in zip(ends, spacing[::-1], labels.shape, strict=True)
    )
