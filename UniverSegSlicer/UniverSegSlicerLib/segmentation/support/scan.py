"""A scan with its whole label map: what a support set may hold beside slices, so that it serves as an atlas."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...errors import InputError
from ...imaging import AXES, IntensityWindow, Volume, array_axis
from .marks import same_grid_labels

# Margin around the labels, as a share of the longest side of their box, and at least so many mm: registration needs
# to see what the structure is embedded in.
_MARGIN, _LEAST_MM = 0.3, 10.0
_DEEPEST = np.iinfo(np.uint16).max
# Structures fill at least so many slices in a row, and at their ends at most so much of their largest area.
_FEWEST_SLICES, _NARROWED = 5, 0.8


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
    with the scan. Marked slices are few, or have gaps, or end where the structure is at its widest.
    """
    filled = np.asarray(labels) != 0
    if not filled.any():
        return False
    for axis in AXES:
        areas = filled.sum(axis=tuple(a for a in range(3) if a != array_axis(axis)))
        edges = np.flatnonzero(np.diff(np.concatenate([[0], areas > 0, [0]]).astype(int)))
        for start, stop in edges.reshape(-1, 2):
            if stop - start < _FEWEST_SLICES:
                return False
            ends = [areas[n] for n, last in ((start, 0), (stop - 1, len(areas) - 1)) if n != last]
            if any(area > _NARROWED * areas[start:stop].max() for area in ends):
                return False
    return True


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
