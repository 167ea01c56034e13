"""Files that hold more than one number per voxel: time points, or components of a colour or a vector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError


def choose_component(path: Path, counts: Sequence[tuple[int, str]], component: int | None) -> int:
    """The number of the volume to read of a file that holds several.

    Args:
        path: The file.
        counts: How many there are of what, (number, noun in the plural), the one that changes fastest first.
        component: What the user asked for, counted from 0; None: nothing.

    Raises:
        InputError: There are several and none was asked for, or there is no such one.
    """
    several = [(number, noun) for number, noun in counts if number != 1]
    total = math.prod(number for number, _ in several)
    held = " of ".join(f"{number} {noun}" for number, noun in several)
    if component is None:
        if total > 1:
            raise InputError(
                f"{path} has {held} per voxel, and a volume has one number: choose one with --component N, "
                f"N from 0 to {total - 1} (component=N in Python)."
            )
        return 0
    if not 0 <= component < total:
        has = f"has {held}, numbered 0 to {total - 1}" if total > 1 else "holds one volume, which is number 0"
        raise InputError(f"--component {component}: {path} {has}.")
    return component
