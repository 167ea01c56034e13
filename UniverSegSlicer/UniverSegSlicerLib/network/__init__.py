"""The in-context network: its model, the exact fast inference and the weights.

Importing this package imports no torch; the names below do when they are first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .architecture import QUERY_PLANES, Architecture

if TYPE_CHECKING:
    from .inference import EncodedSupport, InContextModel
    from .loading import load_model
    from .published.model import UniverSeg

__all__ = ["QUERY_PLANES", "Architecture", "EncodedSupport", "InContextModel", "UniverSeg", "load_model"]

_MODULES = {
    "UniverSeg": "published.model",
    "InContextModel": "inference",
    "EncodedSupport": "inference",
    "load_model": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
