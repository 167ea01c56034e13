"""Grids as files state them: made straight to compute on, kept as they were for the files that are written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..imaging import Geometry

#: Cosine of the angle between two axes from which a grid counts as sheared; below it, it is what somebody's rounding
#: made of a straight one. At 512 voxels this is two voxels at the far corner, which moves no slice out of its plane.
SHEARED = 5e-3
# Below this the columns are orthonormal to the last digits of a float64; turning them would only spoil those.
_EXACT = 1e-9
#: (4, 4): between LPS, which ITK and we use, and RAS, which NIfTI and Slicer's files use. It is its own inverse.
LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class StoredGrid:
    """The grid of a file in the file's own words.

    Attributes:
        affine: (4, 4), from IJK to LPS mm as the file has it, with what rounding or shear it has.
        dimensions: 2 where the file holds a plane, else 3.
        nifti: What a NIfTI header says: its fields about the grid (:mod:`.nifti.forms`); None for other files.
        others: Further grids that the same file lies on for other programs (a qform beside a sform).
        straight: The grid that was made of it.
    """

    affine: np.ndarray
    dimensions: int = 3
    nifti: dict[str, Any] | None = None
    others: tuple[Geometry, ...] = ()
    straight: Geometry | None = None


def straight_grid(
    size: tuple[int, ...],
    affine: np.ndarray,
    *,
    nifti: dict[str, Any] | None = None,
    others: tuple[Geometry, ...] = (),
) -> Geometry:
    """The straight grid that is nearest to an affine matrix, with the same voxel (0, 0, 0) and the same spacing.

    Args:
        size: Voxels along I, J and, where there is one, K; a plane becomes one slice.
        affine: (4, 4), from IJK to LPS mm. For a plane its third column is not looked at.
        nifti, others: Kept in :class:`StoredGrid`.

    Raises:
        InputError: Numbers that are none, a spacing that is not positive, or axes that are really not at right angles.
    """
    affine = np.array(affine, dtype=float)
    if not np.isfinite(affine).all():
        raise InputError("its header places the voxels with numbers that are not finite; correct the header.")
    if len(size) == 2:
        affine[:3, 2] = _across(affine)
    columns = affine[:3, :3]
    spacing = np.linalg.norm(columns, axis=0)
    if not (spacing > 0).all():
        raise InputError(f"it has the spacing {_numbers(spacing)} mm: positive numbers are needed; correct the header.")
    unit = columns / spacing
    shear = np.abs(unit.T @ unit - np.eye(3)).max()
    if shear > SHEARED:
        raise InputError(
            f"it has a sheared grid (two of its axes are {np.degrees(np.arccos(min(1.0, shear))):.1f} degrees apart "
            "instead of 90); resample it to a straight one."
        )
    if shear > _EXACT:
        left, _, right = np.linalg.svd(unit)
        unit = left @ right
    straight = Geometry(
        tuple(size) if len(size) == 3 else (size[0], size[1], 1),  # type: ignore[arg-type]
        tuple(spacing),
        tuple(affine[:3, 3]),
        tuple(unit.ravel()),
    )
    return replace(straight, stored=StoredGrid(affine, len(size), nifti, others, straight))


def stored_grid(geometry: Geometry) -> StoredGrid:
    """What the file of a grid says about it; of a grid from elsewhere, or one that was changed since, what it is."""
    stored = geometry.stored
    if isinstance(stored, StoredGrid) and stored.straight == geometry:
        return stored
    return StoredGrid(affine_of(geometry), straight=geometry)


def affine_of(geometry: Geometry) -> np.ndarray:
    """The matrix (4, 4) of a straight grid, from IJK to LPS mm."""
    affine = np.eye(4)
    affine[:3, :3] = geometry.matrix * geometry.spacing
    affine[:3, 3] = geometry.origin
    return affine


def _across(affine: np.ndarray) -> np.ndarray:
    """The unit vector across a plane; where there is none, the third axis."""
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    length = np.linalg.norm(normal)
    return normal / length if length > 0 else np.array([0.0, 0.0, 1.0])


def _numbers(values: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"
