"""Fixtures that more than one room's tests use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real labelled images ($UNIVERSEG_CORPUS, or ../shared/data); the test is skipped without it."""
    folder = Path(os.environ.get("UNIVERSEG_CORPUS", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "catalogue.json").is_file():
        pytest.skip("no corpus of real images here (set UNIVERSEG_CORPUS)")
    return folder
