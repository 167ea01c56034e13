"""Fixtures that more than one room's tests use."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from Testing.reliability.silence import forbid_network

# Nothing that a test does may leave this machine, nor write into the cache of whoever runs the tests.
forbid_network()
os.environ["UNIVERSEG_CACHE"] = tempfile.mkdtemp(prefix="universeg-tests-")
atexit.register(shutil.rmtree, os.environ["UNIVERSEG_CACHE"], ignore_errors=True)

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


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file of a seeded network with 4 query channels and 8 features; it was never trained."""
    import torch

    from UniverSegSlicerLib.network import Architecture, UniverSeg
    from UniverSegSlicerLib.network.weights.files import write_network

    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(7)
        network = UniverSeg(Architecture(query_channels=4, encoder=(8, 8, 8, 8), resolution=64))
    write_network(path, network)
    return path


@pytest.fixture
def worker() -> Iterator[Any]:
    """A worker thread of the scene's, ended after the test; skipped without slicer-core."""
    pytest.importorskip("slicer")
    from UniverSegSlicerLib.scene.running.worker import Worker

    worker = Worker()
    yield worker
    worker.shutdown()
