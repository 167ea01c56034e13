"""The wheel: every package, the list of models, and nothing that belongs to the source tree only."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in the wheel, built from a copy so that no build folder appears in the tree."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in ("UniverSegSlicer", "trainer", "Resources"):
        shutil.copytree(repository / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repository / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    run = subprocess.run([*command, "--wheel-dir", str(dist), str(source)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    (built,) = dist.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize(("root", "package"), [("UniverSegSlicer", "UniverSegSlicerLib"), (".", "trainer")])
def test_every_python_file_is_in_the_wheel(repository: Path, wheel: set[str], root: str, package: str) -> None:
    base = repository / root
    files = [path.relative_to(base).as_posix() for path in (base / package).rglob("*.py")]
    assert len(files) > 5
    assert set(files) - wheel == set(), "run: python Testing/repository/cmake_lists.py"


def test_every_data_file_of_the_trainer_is_in_the_wheel(repository: Path, wheel: set[str]) -> None:
    data = [path for ending in ("*.yaml", "*.json") for path in (repository / "trainer").rglob(ending)]
    files = {path.relative_to(repository).as_posix() for path in data}
    assert files - wheel == set(), "add it to [tool.setuptools.package-data] in pyproject.toml"


def test_models_travel_with_the_wheel(repository: Path, wheel: set[str]) -> None:
    assert "UniverSegSlicerLib/bundled/models.json" in wheel
    for weights in (repository / "Resources" / "Weights").glob("[!.]*"):
        assert f"UniverSegSlicerLib/bundled/Weights/{weights.name}" in wheel


def test_the_wheel_holds_no_tests_and_no_pictures(wheel: set[str]) -> None:
    assert not [name for name in wheel if name.startswith("Testing/") or "Screenshots" in name]
