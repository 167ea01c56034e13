"""Tuning on the examples themselves: a few gradient steps on a support set, kept only where held-out examples gain.

Importing this package imports no torch; the names below do when they are first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .settings import AUTO_SECONDS, FEWEST_EXAMPLES, TuningReport, TuningSettings

if TYPE_CHECKING:
    from .examples import TuningTask
    from .file import read_tuned, tuned_path, write_tuned
    from .labels import examples_of
    from .tuned import Tuned, tune, tune_on

__all__ = [
    "AUTO_SECONDS",
    "FEWEST_EXAMPLES",
    "Tuned",
    "TuningReport",
    "TuningSettings",
    "TuningTask",
    "examples_of",
    "read_tuned",
    "tune",
    "tune_on",
    "tuned_path",
    "write_tuned",
]

_MODULES = {
    "Tuned": "tuned",
    "TuningTask": "examples",
    "examples_of": "labels",
    "read_tuned": "file",
    "tune": "tuned",
    "tune_on": "tuned",
    "tuned_path": "file",
    "write_tuned": "file",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
