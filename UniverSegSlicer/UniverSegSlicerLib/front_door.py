"""What a room offers, imported when it is first asked for: rooms with torch in them cost nothing to look into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def on_demand(package: str, offers: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package.

    Args:
        package: Its ``__name__``.
        offers: From each name that it offers to the module that holds it, relative to the package.

    Example:
        >>> __getattr__ = on_demand(__name__, {"load_model": "loading"})  # doctest: +SKIP
    """

    def find(name: str) -> Any:
        if name not in offers:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{offers[name]}"), name)

    return find
