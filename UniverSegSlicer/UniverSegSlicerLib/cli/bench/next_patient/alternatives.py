"""What anyone can do for nothing with labelled scans and a new one: copy, register, vote."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ....files.labelled_scans import LabelledVolume
from ....imaging import IntensityWindow
from ....segmentation import LabelledScan
from ....segmentation.atlas.alignment import Aligned, NewScan, Placed, align, common_grid, places
from ....segmentation.atlas.sampling import array_of, even_contrast, image_of, sampled

# Joint label fusion (Wang et al., PAMI 2013): half a patch's side, exponent, and what keeps the matrix solvable.
_PATCH, _BETA, _ALPHA = 2, 2.0, 0.1


class Alternatives:
    """The alternatives for one new scan; each labelled scan is registered once.

    Args:
        target: The new scan; its labels are not looked at.
        values: The labels.
    """

    def __init__(self, target: LabelledVolume, values: Sequence[int]) -> None:
        image = target.image
        window = IntensityWindow.of(image.array)
        self._new = NewScan(image_of(window.apply(image.array), image.geometry), image.geometry)
        self._values = list(values)
        self._placed: dict[str, Placed] = {}
        self._aligned: dict[str, Aligned] = {}

    def label_maps(self, scans: Sequence[LabelledVolume]) -> dict[str, Callable[[], np.ndarray]]:
        """Each alternative's name, and what makes its label map (K, J, I) from these scans."""
        return {
            "stretched": lambda: self._winner([self._stretched(scan) for scan in scans]),
            "affine": lambda: self._winner([self._affine(scan) for scan in scans]),
            "deformable": lambda: self._winner([self._deformable(scan) for scan in scans]),
            "joint label fusion": lambda: self._joint(scans),
        }

    def _winner(self, chances: Sequence[np.ndarray]) -> np.ndarray:
        """The label of the highest mean chance (L, K, J, I), background where that is the likeliest."""
        mean = np.mean(chances, axis=0)
        wins = mean.max(axis=0) > 1 - mean.sum(axis=0)
        return np.where(wins, np.array(self._values, np.uint16)[mean.argmax(axis=0)], 0).astype(np.uint16)

    def _stretched(self, scan: LabelledVolume) -> np.ndarray:
        shape = self._new.grid.shape
        index = [
            np.clip(np.round((np.arange(n) + 0.5) / n * m - 0.5).astype(int), 0, m - 1)
            for n, m in zip(shape, scan.labels.shape, strict=True)
        ]
        found = scan.labels[np.ix_(*index)]
        return np.stack([found == value for value in self._values]).astype(np.float32)

    def _place(self, scan: LabelledVolume) -> Placed:
        name = scan.scan.name
        if name not in self._placed:
            self._placed[name] = places(LabelledScan.of(scan.image, scan.labels, source=name), self._new)[0]
        return self._placed[name]

    def _affine(self, scan: LabelledVolume) -> np.ndarray:
        placed = self._place(scan)
        back, grid = placed.affine.transform.GetInverse(), placed.scan.image.geometry
        masks = [image_of(placed.scan.labels == value, grid) for value in self._values]
        return np.stack([array_of(sampled(mask, self._new.grid, back)) for mask in masks])

    def _align(self, scan: LabelledVolume) -> Aligned:
        name = scan.scan.name
        if name not in self._aligned:
            placed = self._place(scan)
            self._aligned[name] = align(placed, self._new, common_grid([placed], self._new), self._values)
        return self._aligned[name]

    def _deformable(self, scan: LabelledVolume) -> np.ndarray:
        fit, grid = self._align(scan), common_grid([self._place(scan)], self._new)
        return np.stack([array_of(sampled(image_of(fit.chances[v], grid), self._new.grid)) for v in self._values])

    def _joint(self, scans: Sequence[LabelledVolume]) -> np.ndarray:
        chances = np.stack([self._deformable(scan) for scan in scans])
        near = chances.max(axis=(0, 1)) > 0
        fixed = array_of(even_contrast(self._new.image))
        errors = []
        for scan in scans:
            grid = common_grid([self._place(scan)], self._new)
            brought = sampled(image_of(self._align(scan).image, grid), self._new.grid)
            errors.append(np.abs(fixed - array_of(even_contrast(brought))))
        count = len(scans)
        matrix = np.empty((int(near.sum()), count, count))
        for a in range(count):
            for b in range(a, count):
                matrix[:, a, b] = matrix[:, b, a] = _patch_mean(errors[a] * errors[b])[near] ** _BETA
        matrix += _ALPHA * np.eye(count)
        weights = np.maximum(np.linalg.solve(matrix, np.ones((len(matrix), count, 1)))[..., 0], 0)
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
        fused = np.mean(chances, axis=0)
        fused[:, near] = np.einsum("na,aln->ln", weights, chances[:, :, near])
        return self._winner([fused])


def _patch_mean(array: np.ndarray) -> np.ndarray:
    for axis in range(3):
        padded = np.pad(array, [(_PATCH, _PATCH) if a == axis else (0, 0) for a in range(3)], mode="edge")
        parts = [np.take(padded, range(s, s + array.shape[axis]), axis) for s in range(2 * _PATCH + 1)]
        array = np.mean(parts, axis=0)
    return array
