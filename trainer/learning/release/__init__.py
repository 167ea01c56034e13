"""From a run to what is shipped: :func:`.bundled_model.bundle` and :func:`.model_card.write_model_card`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from UniverSegSlicerLib.front_door import on_demand

if TYPE_CHECKING:
    from .bundled_model import bundle, enter_in_catalogue
    from .mixing import Mixed
    from .model_card import write_model_card

__all__ = ["Mixed", "bundle", "enter_in_catalogue", "write_model_card"]

__getattr__ = on_demand(
    __name__,
    {
        "Mixed": "mixing",
        "bundle": "bundled_model",
        "enter_in_catalogue": "bundled_model",
        "write_model_card": "model_card",
    },
)
