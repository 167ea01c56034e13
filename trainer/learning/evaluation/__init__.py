"""How good a network is: in context, with clicks, slice to volume. :func:`.whole.evaluate` measures it all.

:mod:`.setting` makes the pool and the validation of a run out of its configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from UniverSegSlicerLib.front_door import on_demand

if TYPE_CHECKING:
    from .setting import pool_maker, validation_of
    from .whole import EvaluationSettings, evaluate

__all__ = ["EvaluationSettings", "evaluate", "pool_maker", "validation_of"]

__getattr__ = on_demand(
    __name__,
    {
        "EvaluationSettings": "whole",
        "evaluate": "whole",
        "pool_maker": "setting",
        "validation_of": "setting",
    },
)
