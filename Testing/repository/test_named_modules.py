"""Every module that an import, a string, a table, an entry point or CMake names is there and can be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from Testing.repository import named_modules

#: Put in where a name is made up, so that it is not taken for one that this file names.
LIBRARY = "UniverSegSlicerLib"


@pytest.mark.mrml
@pytest.mark.qt
def test_everything_that_is_named_can_be_imported(repository: Path) -> None:
    for package in ("slicer", "PySide6"):
        pytest.importorskip(package)
    command = [sys.executable, "-m", "Testing.repository.named_modules"]
    run = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_names_come_from_everywhere(repository: Path) -> None:
    named = {(name.path, name.where.rpartition("/")[2]) for name in named_modules.all_named(repository)}
    for expected in (
        ("UniverSegSlicerLib.panel.self_test.run_story", "UniverSegSlicer.py"),  # inside a function
        ("UniverSegSlicerLib.panel.self_test", "CMakeLists.txt"),
        ("UniverSegSlicer", "CMakeLists.txt"),  # registered as a test
        ("UniverSegSlicerLib.cli.main", "pyproject.toml"),
        ("UniverSegSlicerLib.network.loading.load_model", "__init__.py"),  # a table
        ("UniverSegSlicerLib.files", "__init__.py"),  # a string
        ("Testing.reliability.fuzzing.fuzz", "Makefile"),
    ):
        assert expected in named


def test_what_is_not_there_is_noticed(tmp_path: Path) -> None:
    library = tmp_path / "UniverSegSlicer" / "UniverSegSlicerLib" / "room"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text(
        "from importlib import import_module\n"
        '_WHERE = {"f": ".inner"}\n'
        "def __getattr__(name):\n"
        '    return import_module(f"{__name__}{_WHERE[name]}")\n'
        "def g():\n"
        "    from ..other import h\n"
        f'    return "{LIBRARY}.third.part"\n'
    )
    cmake = tmp_path / "Testing" / "CMakeLists.txt"
    cmake.parent.mkdir()
    cmake.write_text("slicer_add_python_unittest(SCRIPT UniverSegSlicerLib/story.py)\n")
    python = {name.path for name in named_modules.from_python(tmp_path)}
    assert {f"{LIBRARY}.{path}" for path in ("room.inner", "other.h", "third.part")} <= python
    assert [name.path for name in named_modules.from_cmake(tmp_path)] == [f"{LIBRARY}.story"]


@pytest.mark.parametrize(
    ("path", "there"),
    [("errors.InputError", True), ("cli.__main__", True), ("no_such_module", False), ("errors.NoSuchError", False)],
)
def test_paths_are_followed(path: str, there: bool) -> None:
    assert (named_modules.problem(f"{LIBRARY}.{path}") == "") is there
