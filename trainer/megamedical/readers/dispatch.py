"""Which reader reads a case."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from ..index import Case
from ..sample import Sample

_MODULES = {"volume": "volume", "stack": "stack", "image": "image", "table": "table", "json": "json_masks"}


def read_case(case: Case) -> Iterator[Sample]:
    """Yield every sample of a case: one per channel with a modality, or one per row or page.

    Raises:
        InputError: A file is missing, corrupt, of another format or another size than its partner.
        DependencyError: The package that reads this format is not installed.
    """
    yield from _reader(case).read(case)


def split_case(case: Case, rows: int) -> list[Case]:
    """Split a case with many samples (a table) into cases of at most ``rows``; other cases come back as they are."""
    reader = _reader(case)
    parts: list[Case] = reader.split(case, rows) if hasattr(reader, "split") else [case]
    return parts


def _reader(case: Case) -> Any:
    return import_module(f".{_MODULES[case.group.reader]}", __package__)
