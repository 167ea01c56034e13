"""The in-context network: its model, the exact fast inference and the weights.

Importing this package imports no torch; the names below do when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..front_door import on_demand
from .architecture import QUERY_PLANES, Architecture

if TYPE_CHECKING:
    from .inference import EncodedSupport, InContextModel
    from .loading import load_model
    from .published.model import UniverSeg

__all__ = ["QUERY_PLANES", "Architecture", "EncodedSupport", "InContextModel", "UniverSeg", "load_model"]

__getattr__ = on_demand(
    __name__,
    {
        "UniverSeg": "published.model",
        "InContextModel": "inference",
        "EncodedSupport": "inference",
        "load_model": "loading",
    },
)
