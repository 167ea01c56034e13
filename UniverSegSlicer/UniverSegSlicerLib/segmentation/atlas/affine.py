"""Affine registration from several starts: where in another scan the surroundings of a structure lie.

The correlation of two images is raised by Gauss-Newton steps (Evangelidis and Psarakis, PAMI 2008), coarse to fine.
Everything is done in physical space, so that neither the order of the axes nor the field of view matters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...imaging import Geometry
from .lookup import Lookup
from .sampling import array_of, blurred, corners, extent, grid_over, points_of, sampled

# Points per side of the structure's surroundings on each level, what size of detail they show (as so many to a side),
# Gauss-Newton steps there, and places that go on. Two steps show which of the starts are worth more; few points lead
# near the last place, and all of them, in a last step, to it.
_LEVELS = ((13, 13, 2, 5), (13, 13, 5, 3), (26, 26, 8, 3), (30, 44, 5, 3), (44, 44, 1, 3))
# Places that lie closer than this share of a side are one; those less similar than the best by more are dropped.
_SAME_PLACE, _FAR_LESS_SIMILAR = 0.06, 0.15
# Points per side when whole scans are searched, the peaks of the search that serve as starts, and its largest grid.
_SEARCH_SIDE, _PEAKS, _LARGEST_SEARCH = 12, 3, 1_500_000
# Sizes of the other person's structures that are searched for.
_SIZES = (0.85, 1.0, 1.18)
# Voxels of the new scan that registration works on.
_LARGEST_SCAN = 2_000_000
# A smaller share of the surroundings in the new scan counts against a place.
_OVERLAP = 0.7
_DAMPING, _MOST_DAMPING = 1e-2, 10.0


# How far the search goes beyond the new scan, as a share of a side.
_BEYOND = 0.1

#: The lowest and the highest corner of a box, (3,) each.
Core = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Affine:
    """x in the labelled scan lies at ``matrix @ (x - centre) + centre + shift`` in the new one, LPS mm.

    Attributes:
        matrix: (3, 3).
        shift: (3,) mm.
        centre: (3,) mm.
        similarity: Correlation there, times what the overlap takes from it.
    """

    matrix: np.ndarray
    shift: np.ndarray
    centre: np.ndarray
    similarity: float

    @property
    def transform(self) -> sitk.AffineTransform:
        """As SimpleITK's."""
        result = sitk.AffineTransform(3)
        result.SetMatrix([float(v) for v in self.matrix.ravel()])
        result.SetCenter([float(v) for v in self.centre])
        result.SetTranslation([float(v) for v in self.shift])
        return result

    @property
    def stretch(self) -> tuple[float, float]:
        """The smallest and the largest factor by which lengths change."""
        factors = np.linalg.svd(self.matrix)[1]
        return float(factors.min()), float(factors.max())


def register(
    atlas: sitk.Image,
    grid: Geometry,
    core: Core,
    scan: sitk.Image,
    scan_grid: Geometry,
    check: Callable[[], None] = lambda: None,
) -> list[Affine]:
    """Find what an atlas shows in another scan: the most similar place first, then others that are hardly less similar.

    Vertebrae, ribs and fingers look like their neighbours; which of the places is right shows only when the scans have
    been deformed to fit.

    Args:
        atlas: The surroundings of the structure, float32.
        grid: Its grid.
        core: The structure itself, in mm along the grid's axes from its origin.
        scan: The new scan, float32.
        scan_grid: Its grid.
        check: Called between the parts of the work; it may raise to stop.
    """
    low, high = np.zeros(3), extent(grid)
    side = float(np.prod(np.maximum(high, 1.0)) ** (1 / 3))
    centre = grid.to_world((np.array(grid.size) - 1) / 2)
    whole = np.maximum(extent(scan_grid), 1.0)
    step = max(side / _LEVELS[-1][1], float((np.prod(whole) / _LARGEST_SCAN) ** (1 / 3)))
    base_grid = grid_over(scan_grid, np.zeros(3), extent(scan_grid), step)
    base = sampled(blurred(scan, step / 2), base_grid)
    found = [
        Affine(size * np.eye(3), shift, centre, -1.0)
        for size, shift in _starts(atlas, grid, base, base_grid, side, core)
    ]
    for points, detail, steps, kept in _LEVELS:
        level = _Level(atlas, grid_over(grid, low, high, side / points), base, base_grid, side / detail)
        climbed = []
        for start in found:
            check()
            climbed.append(level.climb(start, steps))
        found = _distinct(climbed, side)[:kept]
    return found


def _distinct(found: list[Affine], side: float) -> list[Affine]:
    """The places that differ, the most similar one first."""
    kept: list[Affine] = []
    for one in sorted(found, key=lambda one: -one.similarity):
        near = any(np.linalg.norm(one.shift - other.shift) < _SAME_PLACE * side for other in kept)
        if not near and (not kept or one.similarity > kept[0].similarity - _FAR_LESS_SIMILAR):
            kept.append(one)
    return kept


def _starts(
    atlas: sitk.Image, grid: Geometry, scan: sitk.Image, scan_grid: Geometry, side: float, core: Core
) -> list[tuple[float, np.ndarray]]:
    """Sizes and shifts in mm: the same place, middle on middle, brightness on brightness, and the likest places."""
    middles = [g.to_world((np.array(g.size) - 1) / 2) for g in (grid, scan_grid)]
    masses = [_centre_of_mass(image, g) for image, g in ((atlas, grid), (scan, scan_grid))]
    shifts = [np.zeros(3), middles[1] - middles[0], masses[1] - masses[0]]
    found = [(1.0, shift) for shift in shifts]
    for size in _SIZES:
        found += [(size, shift) for shift in _likest(atlas, grid, scan, scan_grid, side, core, size)]
    return found


def _centre_of_mass(image: sitk.Image, grid: Geometry) -> np.ndarray:
    array = array_of(image).astype(float)
    total = max(float(array.sum()), 1e-9)
    place = [
        (array.sum(axis=tuple(b for b in range(3) if b != a)) @ np.arange(array.shape[a])) / total for a in range(3)
    ]
    return grid.to_world(np.array(place[::-1]))


def _likest(
    atlas: sitk.Image, grid: Geometry, scan: sitk.Image, scan_grid: Geometry, side: float, core: Core, size: float
) -> list[np.ndarray]:
    """The shifts of highest normalised correlation at one size of the structure."""
    centre = grid.to_world((np.array(grid.size) - 1) / 2)
    reach = scan_grid.to_world(corners(np.zeros(3), np.array(scan_grid.size) - 1.0))
    along = (reach - np.array(grid.origin)) @ grid.matrix
    first, last = core
    low, high = along.min(axis=0) - _BEYOND * side, along.max(axis=0) + _BEYOND * side
    step = max(side / _SEARCH_SIDE, float((np.prod(np.maximum(high - low, 1.0)) / _LARGEST_SEARCH) ** (1 / 3)))
    cut = grid_over(grid, first, last, step / size)
    template = array_of(sampled(blurred(atlas, step / 2), cut)).astype(float)
    middle = cut.to_world((np.array(cut.size) - 1) / 2)
    field = grid_over(grid, low, high, step)
    array = array_of(sampled(blurred(scan, step / 2), field)).astype(float)
    if min(a - t for a, t in zip(array.shape, template.shape, strict=True)) < 0:
        return []
    places = tuple(slice(0, a - t + 1) for a, t in zip(array.shape, template.shape, strict=True))

    def correlated(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        spectrum = np.fft.rfftn(one) * np.conj(np.fft.rfftn(other, one.shape, axes=(0, 1, 2)))
        return np.fft.irfftn(spectrum, one.shape, axes=(0, 1, 2))[places]

    count = template.size
    centred, ones = template - template.mean(), np.ones_like(template)
    spread = correlated(array**2, ones) - correlated(array, ones) ** 2 / count
    likeness = correlated(array, centred) / np.sqrt(np.maximum(spread, 1e-4 * count) * max((centred**2).sum(), 1e-9))
    shifts = []
    for _ in range(_PEAKS):
        best = np.array(np.unravel_index(int(likeness.argmax()), likeness.shape))
        found = field.to_world((best + (np.array(template.shape) - 1) / 2)[::-1])
        # The affine map turns around the middle of the whole grid.
        shifts.append(found - centre - size * (middle - centre))
        around = tuple(slice(max(0, b - t // 10), b + t // 10 + 1) for b, t in zip(best, template.shape, strict=True))
        likeness[around] = -2.0
    return shifts


class _Level:
    """The points of one level, and what the new scan shows there."""

    def __init__(self, atlas: sitk.Image, grid: Geometry, scan: sitk.Image, scan_grid: Geometry, step: float) -> None:
        self._target = array_of(sampled(blurred(atlas, step / 2), grid)).ravel().astype(float)
        self._points = points_of(grid)
        self._lookup = Lookup(blurred(scan, step / 2), scan_grid)

    def climb(self, start: Affine, steps: int) -> Affine:
        """Raise the similarity; what is returned is never less similar than the start."""
        around = self._points - start.centre
        scale = float(np.sqrt((around**2).mean()))
        basis = np.concatenate([around / scale, np.ones((len(around), 1))], axis=1)
        best, damping = None, _DAMPING
        here, normal, slope = start, np.eye(12), np.zeros(12)
        for left in range(2 * steps, -1, -1):
            look = self._lookup.at(around @ here.matrix.T + here.centre + here.shift).astype(float)
            similarity = self._similarity(look[:, 0], look[:, 4])
            if best is None or similarity > best.similarity + 1e-5:
                best = Affine(here.matrix, here.shift, here.centre, similarity)
                normal, slope = self._normal_equations(look, basis)
                damping = max(damping / 3, 1e-4)
            else:
                damping *= 8
            if damping > _MOST_DAMPING or steps == 0 or not left:
                break
            steps -= best.similarity == similarity
            whole = normal + damping * np.diag(np.diag(normal)) + (1e-9 * np.trace(normal) + 1e-12) * np.eye(12)
            change = np.linalg.solve(whole, slope).reshape(3, 4)
            here = Affine(best.matrix + change[:, :3] / scale, best.shift + change[:, 3], best.centre, -1.0)
        assert best is not None
        return best

    def _similarity(self, values: np.ndarray, seen: np.ndarray) -> float:
        overlap = float(seen.mean())
        if overlap <= 0.05:
            return -1.0
        return correlation(self._target, values, seen) * min(1.0, overlap / _OVERLAP)

    def _normal_equations(self, look: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, seen = look[:, 0], look[:, 4]
        weight = seen / max(float(seen.sum()), 1e-9)
        jacobian = (look[:, 1:4, None] * basis[:, None, :]).reshape(len(look), 12)
        jacobian -= weight @ jacobian
        target, values = self._target - weight @ self._target, values - weight @ values
        gain = float((weight * target) @ values / max((weight * values) @ values, 1e-12))
        weighted = (jacobian * weight[:, None]).T
        return gain**2 * (weighted @ jacobian), gain * (weighted @ (target - gain * values))


def correlation(one: np.ndarray, other: np.ndarray, weight: np.ndarray) -> float:
    """Pearson's correlation of two arrays with weights, any shape; 0 where one of them is constant."""
    total = max(float(weight.sum()), 1e-12)
    one = one - (weight * one).sum() / total
    other = other - (weight * other).sum() / total
    spread = float((weight * one * one).sum() * (weight * other * other).sum())
    return float((weight * one * other).sum()) / np.sqrt(spread) if spread > 1e-16 else 0.0
