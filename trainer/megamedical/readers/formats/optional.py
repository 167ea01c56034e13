"""Imports on demand: a data set needs only the packages of its own formats."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from UniverSegSlicerLib.errors import DependencyError


def need(module: str, what_for: str, package: str | None = None) -> ModuleType:
    """Import ``module`` or say in one sentence which package is missing and what for.

    Raises:
        DependencyError: The package is not installed or cannot be imported.
    """
    try:
        return import_module(module)
    except ImportError as error:
        name = package or module.partition(".")[0]
        raise DependencyError(
            f"Reading {what_for} needs the Python package {name}, which cannot be imported here ({error}). "
            f"Install it with: pip install {name}"
        ) from error
