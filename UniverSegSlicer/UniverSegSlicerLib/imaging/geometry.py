"""Where a voxel lies: grids of volumes, their axes and slices. Lengths in mm, world axes LPS (ITK's)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError

#: The volume's own axes, in the order of :attr:`Geometry.size`. Slices are taken along one of them.
AXES = ("i", "j", "k")

#: Shortest and longest side of a voxel in mm. Nothing that is scanned comes near them; beyond, float32 headers and the
#: arithmetic of grids break down.
SHORTEST_MM, LONGEST_MM = 1e-9, 1e9

# Two files of one grid differ by what their formats round away (NIfTI keeps float32). These limits keep the far corner
# of a 500-voxel axis within a twentieth of a voxel, far above that rounding and far below anything that matters.
_SPACING_TOLERANCE = 1e-4  # relative
_ORIGIN_TOLERANCE = 1e-2  # in voxels
_DIRECTION_TOLERANCE = 1e-4  # of a direction cosine


@dataclass(frozen=True)
class Geometry:
    """A voxel grid in space.

    Attributes:
        size: Number of voxels along I, J, K. The array of such a volume has the shape ``size[::-1]`` (KJI).
        spacing: Distance between voxel centres along I, J, K in mm, from ``SHORTEST_MM`` to ``LONGEST_MM``.
        origin: Centre of voxel (0, 0, 0) in LPS mm.
        direction: 3×3, row by row; its columns are the unit vectors of the I, J and K axes in LPS.
        stored: What the file that the grid was read from says about it besides (a ``StoredGrid`` of files/), for
            whoever writes a file on the same grid. Two grids are compared without it.

    Raises:
        InputError: A size below 1, a spacing that is not a positive number, or a direction that is not orthonormal.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    stored: object | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(int(n) for n in self.size))
        object.__setattr__(self, "spacing", tuple(float(s) for s in self.spacing))
        object.__setattr__(self, "origin", tuple(float(o) for o in self.origin))
        object.__setattr__(self, "direction", tuple(float(d) for d in np.asarray(self.direction).ravel()))
        if len(self.size) != 3 or min(self.size) < 1:
            raise InputError(f"size {self.size} is not three numbers of at least 1 voxel.")
        if len(self.spacing) != 3 or not are_lengths(self.spacing):
            raise InputError(
                f"spacing {_numbers(self.spacing)} mm is not three positive numbers from {SHORTEST_MM:g} to "
                f"{LONGEST_MM:g}; correct the header."
            )
        if len(self.origin) != 3 or not np.isfinite(self.origin).all():
            raise InputError(f"origin {_numbers(self.origin)} is not three finite numbers.")
        matrix = self.matrix
        # Columns of length 1 hold no larger numbers, whose squares could overflow; NaN is larger than nothing.
        if not (np.abs(matrix) <= 1.1).all() or not np.allclose(matrix.T @ matrix, np.eye(3), atol=1e-3):
            raise InputError(f"direction {_numbers(self.direction)} is not orthonormal: sheared grids cannot be used.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """The array shape (K, J, I)."""
        return self.size[::-1]

    @property
    def matrix(self) -> np.ndarray:
        """The direction as a (3, 3) array whose columns are the I, J, K axes in LPS."""
        if len(self.direction) != 9:
            raise InputError(f"direction has {len(self.direction)} numbers, nine are needed.")
        return np.array(self.direction, dtype=float).reshape(3, 3)

    def to_world(self, ijk: np.ndarray) -> np.ndarray:
        """Map continuous voxel indices (..., 3) in I, J, K to LPS mm (..., 3)."""
        return (np.asarray(ijk, dtype=float) * self.spacing) @ self.matrix.T + self.origin

    def difference(self, other: Geometry) -> str | None:
        """Say in one sentence in which field two grids differ, or None where they are one grid.

        Size is compared exactly, the rest within what file formats round away.
        """
        if self.size != other.size:
            return f"the size differs: {_numbers(self.size)} and {_numbers(other.size)} voxels"
        spacing = np.array(self.spacing)
        if np.any(np.abs(spacing - other.spacing) > _SPACING_TOLERANCE * spacing):
            return f"the spacing differs: {_numbers(self.spacing)} and {_numbers(other.spacing)} mm"
        if np.any(np.abs(self.matrix - other.matrix) > _DIRECTION_TOLERANCE):
            return f"the direction differs: {_numbers(self.direction)} and {_numbers(other.direction)}"
        shift = self.matrix.T @ (np.array(self.origin) - other.origin)
        if np.any(np.abs(shift) > _ORIGIN_TOLERANCE * spacing):
            return f"the origin differs: {_numbers(self.origin)} and {_numbers(other.origin)} mm"
        return None


@dataclass(frozen=True)
class Volume:
    """A scalar image on a grid.

    Attributes:
        array: Voxels, (K, J, I), any real dtype.
        geometry: The grid; ``geometry.shape == array.shape``.

    Raises:
        InputError: The array is not 3D, is not made of real numbers, or has another shape than the grid.
    """

    array: np.ndarray
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.array.ndim != 3:
            raise InputError(f"array has {self.array.ndim} dimensions, a volume has three (K, J, I).")
        if self.array.dtype.kind not in "biuf":
            raise InputError(f"array holds {self.array.dtype} values, a volume holds real numbers.")
        if self.array.shape != self.geometry.shape:
            raise InputError(f"array shape {self.array.shape} (K, J, I) does not fit the size {self.geometry.size}.")


def are_lengths(values: Sequence[float]) -> bool:
    """Whether all of these can be the side of a voxel in mm."""
    # float32 headers round the limits themselves a little.
    return all(0.999 * SHORTEST_MM <= value <= 1.001 * LONGEST_MM for value in values)


def array_axis(axis: str) -> int:
    """The position of a volume axis ("i", "j" or "k") in a (K, J, I) array: 2, 1 or 0."""
    if axis not in AXES:
        raise InputError(f"axis {axis!r} is not one of i, j, k.")
    return 2 - AXES.index(axis)


def slice_stack(array: np.ndarray, axis: str) -> np.ndarray:
    """View a (K, J, I) array as a stack of slices (N, rows, cols) along an axis.

    Rows and columns keep the array's order: (J, I) along k, (K, I) along j, (K, J) along i.
    """
    return np.moveaxis(array, array_axis(axis), 0)


def take_slice(array: np.ndarray, axis: str, index: int) -> np.ndarray:
    """View one slice (rows, cols) of a (K, J, I) array; writing to it writes to the volume.

    Raises:
        InputError: No such axis, or the index is outside the volume.
    """
    stack = slice_stack(array, axis)
    if not 0 <= index < len(stack):
        raise InputError(
            f"slice {axis}:{index} is outside the volume, which has {axis}:0 to {axis}:{len(stack) - 1}.",
            argument="index",
        )
    return stack[index]


def slice_spacing(geometry: Geometry, axis: str) -> tuple[float, float]:
    """Pixel spacing (row_mm, col_mm) of the slices along an axis, in the order of :func:`slice_stack`."""
    spacing = geometry.spacing[::-1]
    row_mm, col_mm = (spacing[a] for a in range(3) if a != array_axis(axis))
    return row_mm, col_mm


def slice_distance(geometry: Geometry, axis: str) -> float:
    """Distance in mm between the centres of two neighbouring slices along an axis."""
    return geometry.spacing[2 - array_axis(axis)]


def _numbers(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"
