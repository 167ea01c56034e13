"""The five generic readers: volume, stack, image, table, json. :func:`read_case` gives the samples of one case."""

from __future__ import annotations

from .dispatch import read_case, split_case

__all__ = ["read_case", "split_case"]
