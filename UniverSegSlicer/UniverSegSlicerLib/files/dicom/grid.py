"""Frames of one stack, sorted by position, and the grid that they make; or why they make none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ...imaging import Geometry
from .frames import Frame

# Positions are rounded by scanners. A slice may lie so far from its place: a part of a step, or what rounding to tenths
# of a millimetre makes (but never more than a tenth of a step).
_STEP_TOLERANCE, _ROUNDING_MM, _MOST = 0.05, 0.06, 0.1
# Sideways: what the rounding of direction cosines makes of a long stack.
_SHEAR_TOLERANCE = 1e-3
#: Frames whose directions or pixels differ by less belong to one stack.
SAME_AXES, SAME_PIXEL = 1e-3, 1e-3


@dataclass(frozen=True, eq=False)
class DicomGrid:
    """What a grid that was read from DICOM knows of its files.

    Attributes:
        frames: One for each slice, in rising order.
        straight: The grid.
    """

    frames: tuple[Frame, ...]
    straight: Geometry


def offsets(frames: Sequence[Frame]) -> np.ndarray:
    """Where frames lie along the normal of the first, in mm, (N,)."""
    return np.array([f.position for f in frames], float) @ normal(frames[0])


def normal(frame: Frame) -> np.ndarray:
    """The unit vector, LPS, in whose direction slices follow each other."""
    assert frame.axes is not None
    return np.cross(frame.axes[0], frame.axes[1])


def fault(frames: Sequence[Frame]) -> str | None:
    """Why sorted frames of one size and direction make no straight, evenly spaced grid; None where they do."""
    if len(frames) < 2:
        return None
    along = offsets(frames)
    steps = np.diff(along)
    usual = float(np.median(steps))
    if usual <= 0 or steps.min() <= 1e-3 * usual:
        return "several slices lie at the same position"
    places = (along - along[0]) / (along[-1] - along[0]) * (len(frames) - 1)
    step = float(along[-1] - along[0]) / (len(frames) - 1)
    if np.abs(places - np.arange(len(frames))).max() * step > max(
        _STEP_TOLERANCE * step, min(_ROUNDING_MM, _MOST * step)
    ):
        worst = int(np.abs(steps - usual).argmax())
        return (
            f"the slices are not evenly spaced ({steps[worst]:.4g} mm after slice {worst + 1}, {usual:.4g} mm "
            "elsewhere); a slice is missing or double"
        )
    positions = np.array([f.position for f in frames], float)
    moved = positions - positions[0]
    sideways = moved - np.outer(moved @ normal(frames[0]), normal(frames[0]))
    far = float(np.linalg.norm(sideways, axis=1).max())
    pixel = min(frames[0].pixel or (1.0, 1.0))
    extent = float(along[-1] - along[0])
    if far > max(_SHEAR_TOLERANCE * extent, min(_ROUNDING_MM, _MOST * pixel)):
        angle = np.degrees(np.arctan2(np.linalg.norm(sideways[-1]), extent))
        return (
            f"the slices are shifted sideways (gantry tilt of {angle:.2g} degrees); resample the scan to a straight "
            "grid, as Slicer and dcm2niix do when they load it"
        )
    return None


def grid_of(frames: Sequence[Frame], what: str) -> Geometry:
    """The grid of sorted frames.

    Args:
        frames: In rising order along the normal.
        what: What the user gave, for the error.

    Raises:
        InputError: They make none.
    """
    try:
        return _grid(frames, what)
    except InputError as error:
        raise error if what in str(error) else InputError(f"{what} cannot be used: its {error}") from error


def _grid(frames: Sequence[Frame], what: str) -> Geometry:
    first = frames[0]
    size = (first.source.columns, first.source.rows, len(frames))
    if len(frames) == 1 and (first.position is None or first.axes is None):
        pixel = first.pixel or (1.0, 1.0)
        return Geometry(size, (*pixel, first.distance or 1.0))
    reason = fault(frames)
    if reason is not None:
        raise InputError(f"{what}: {reason}.")
    if first.pixel is None and len(frames) > 1:
        raise InputError(f"{what}: the slices do not say how large their pixels are (Pixel Spacing), which is needed.")
    step = first.distance or 1.0
    if len(frames) > 1:
        along = offsets(frames)
        step = float(along[-1] - along[0]) / (len(frames) - 1)
    assert first.axes is not None and first.position is not None
    matrix = np.stack([first.axes[0], first.axes[1], normal(first)], axis=1)
    spacing = (*(first.pixel or (1.0, 1.0)), step)
    x, y, z = (float(value) for value in first.position)
    return Geometry(size, spacing, (x, y, z), tuple(float(value) for value in matrix.ravel()))
