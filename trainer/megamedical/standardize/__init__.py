"""From samples as published to squares of one size: intensity, spacing, slices, resize, splits, and the run itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from UniverSegSlicerLib.front_door import on_demand

if TYPE_CHECKING:
    from .plan import Settings
    from .run import standardize

__all__ = ["Settings", "standardize"]

__getattr__ = on_demand(
    __name__,
    {
        "Settings": "plan",
        "standardize": "run",
    },
)
