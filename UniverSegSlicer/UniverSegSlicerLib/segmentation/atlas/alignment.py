"""One labelled scan laid over a new one: registration, and what it says for itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...imaging import Geometry
from ..support.scan import LabelledScan
from .affine import Affine, correlation
from .affine import register as register_affinely
from .deformation import deformation
from .sampling import array_of, blurred, corners, even_contrast, extent, grid_over, image_of, sampled

# Margin around the labels on the grid that they are brought to, as a share of the longest side of their box.
_MARGIN = 0.15
# Voxels of that grid; a structure that has more of them is worked on in larger ones.
_LARGEST_GRID = 500_000
# Labelled voxels that are followed to see what lies within the new scan.
_MOST_POINTS = 5000
# Voxels around the labels that count for the likeness.
_AROUND = 2.0


@dataclass(frozen=True, eq=False)
class NewScan:
    """The scan that is to be segmented.

    Attributes:
        image: float32 in [0, 1].
        grid: Its grid.
    """

    image: sitk.Image
    grid: Geometry


@dataclass(frozen=True, eq=False)
class Placed:
    """A labelled scan with the place of its surroundings in the new one.

    Attributes:
        scan: The labelled scan.
        image: Its voxels in [0, 1].
        affine: From it to the new scan.
        inside: Share of its labelled voxels that fall within the new scan, 0 to 1.
        coarser: How many times as long as its longest voxel side the new scan's is.
    """

    scan: LabelledScan
    image: sitk.Image
    affine: Affine
    inside: float
    coarser: float


@dataclass(frozen=True, eq=False)
class Aligned:
    """A labelled scan on the new scan's grid of cubes.

    Attributes:
        scan: The labelled scan.
        image: (K, J, I) float32, its voxels brought over.
        chances: Label value to (K, J, I) float32 in [0, 1], its labels brought over.
        likeness: Mean local correlation of the two scans in and around the structure, -1 to 1.
        folded: Share of the structure's voxels where the deformation folds or swells beyond reason.
    """

    scan: LabelledScan
    image: np.ndarray
    chances: dict[int, np.ndarray]
    likeness: float
    folded: float


def places(scan: LabelledScan, new: NewScan, check: Callable[[], None] = lambda: None) -> list[Placed]:
    """Find where a labelled scan's surroundings may lie in a new scan, the likeliest place first."""
    image = image_of(scan.image.array / np.float32(np.iinfo(np.uint16).max), scan.image.geometry)
    filled = np.argwhere(scan.labels)[:, ::-1]
    world = scan.image.geometry.to_world(filled[:: max(1, len(filled) // _MOST_POINTS)])
    spacing = np.array(scan.image.geometry.spacing)
    core = filled.min(axis=0) * spacing, filled.max(axis=0) * spacing
    coarser = max(new.grid.spacing) / max(scan.image.geometry.spacing)
    found = []
    for affine in register_affinely(image, scan.image.geometry, core, new.image, new.grid, check):
        moved = (world - affine.centre) @ affine.matrix.T + affine.centre + affine.shift
        index = (moved - np.array(new.grid.origin)) @ new.grid.matrix / new.grid.spacing
        inside = ((index > -0.5) & (index < np.array(new.grid.size) - 0.5)).all(axis=1)
        found.append(Placed(scan, image, affine, float(inside.mean()), coarser))
    return found


def common_grid(placed: Sequence[Placed], new: NewScan, voxels: int = _LARGEST_GRID) -> Geometry:
    """At most so many cubes along the new scan's axes, over all that the scans' labels were brought to."""
    lows, highs = [], []
    for one in placed:
        filled = np.argwhere(one.scan.labels)[:, ::-1]
        geometry = one.scan.image.geometry
        spacing = np.array(geometry.spacing)
        low, high = (filled.min(axis=0) - 0.5) * spacing, (filled.max(axis=0) + 0.5) * spacing
        margin = _MARGIN * float((high - low).max())
        world = corners(low - margin, high + margin) @ geometry.matrix.T + geometry.origin
        moved = (world - one.affine.centre) @ one.affine.matrix.T + one.affine.centre + one.affine.shift
        along = (moved - np.array(new.grid.origin)) @ new.grid.matrix
        lows.append(along.min(axis=0))
        highs.append(along.max(axis=0))
    most = extent(new.grid)
    low, high = np.clip(np.min(lows, axis=0), 0, most), np.clip(np.max(highs, axis=0), 0, most)
    smallest = min(*new.grid.spacing, *(min(one.scan.image.geometry.spacing) for one in placed))
    step = max(smallest, float((np.prod(np.maximum(high - low, smallest)) / voxels) ** (1 / 3)))
    return grid_over(new.grid, low, high, step)


def align(
    placed: Placed, new: NewScan, grid: Geometry, values: Sequence[int], check: Callable[[], None] = lambda: None
) -> Aligned:
    """Bring a placed scan and its labels onto a grid of the new scan.

    Args:
        placed: The labelled scan with its place.
        new: The new scan.
        grid: From :func:`common_grid`.
        values: The labels to bring over.
        check: Called between the parts of the work; it may raise to stop.
    """
    step = grid.spacing[0]
    fixed = sampled(blurred(new.image, step / 2), grid)
    back = placed.affine.transform.GetInverse()
    moving = sampled(blurred(placed.image, step / 2), grid, back)
    field = deformation(fixed, moving, check)
    folded = array_of(sitk.DisplacementFieldJacobianDeterminant(field))
    whole = sitk.CompositeTransform([back, sitk.DisplacementFieldTransform(field)])
    brought = sampled(placed.image, grid, whole)
    chances = {}
    for value in values:
        check()
        mask = image_of(placed.scan.labels == value, placed.scan.image.geometry)
        chances[value] = array_of(sampled(mask, grid, whole))
    structure = np.sum(list(chances.values()), axis=0) > 0.5
    likeness = _likeness(fixed, brought, structure)
    strange = (folded < 0.2) | (folded > 5)
    share = float(strange[structure].mean()) if structure.any() else 1.0
    return Aligned(placed.scan, array_of(brought), chances, likeness, share)


def _likeness(one: sitk.Image, other: sitk.Image, structure: np.ndarray) -> float:
    """The correlation of two images of even contrast in and around a structure."""
    if not structure.any():
        return 0.0
    mask = sitk.GetImageFromArray(structure.astype(np.uint8))
    near = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(mask, insideIsPositive=False, squaredDistance=False))
    weight = (near <= _AROUND).astype(float)
    return correlation(array_of(even_contrast(one)).astype(float), array_of(even_contrast(other)).astype(float), weight)
