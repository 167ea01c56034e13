"""What CMake names is what Slicer installs: every file of the modules has to stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from Testing.repository import cmake_lists

REWRITE = "run: python Testing/repository/cmake_lists.py"


@pytest.mark.parametrize("module", cmake_lists.modules(), ids=lambda module: module.name)
@pytest.mark.parametrize("variable", [cmake_lists.SCRIPTS, cmake_lists.RESOURCES])
def test_lists_of_a_module_are_its_files(module: Path, variable: str) -> None:
    listed = cmake_lists.read_list(module / "CMakeLists.txt", variable)
    present = cmake_lists.files_of_module(module)[variable]
    assert sorted(listed) == sorted(present), REWRITE


def test_extension_resources_are_listed() -> None:
    listed = cmake_lists.read_list(cmake_lists.REPOSITORY / "CMakeLists.txt", cmake_lists.EXTENSION_RESOURCES)
    assert sorted(listed) == sorted(cmake_lists.files_of_extension()), REWRITE


def test_every_module_is_added(repository: Path) -> None:
    text = (repository / "CMakeLists.txt").read_text()
    assert [module.name for module in cmake_lists.modules()], "no module has a CMakeLists.txt"
    for module in cmake_lists.modules():
        assert f"add_subdirectory({module.name})" in text


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    module = tmp_path / "Some"
    (module / "SomeLib").mkdir(parents=True)
    (module / "Some.py").touch()
    (module / "SomeLib" / "forgotten.py").touch()
    (module / "Resources").mkdir()
    (module / "Resources" / "Some.ui").touch()
    cmake = module / "CMakeLists.txt"
    cmake.write_text(
        "set(MODULE_PYTHON_SCRIPTS\n  ${MODULE_NAME}.py # the shell\n  )\n"
        "set(MODULE_PYTHON_RESOURCES\n  Resources/Some.ui\n  )\n"
    )
    present = cmake_lists.files_of_module(module)
    assert cmake_lists.read_list(cmake, cmake_lists.SCRIPTS) == ["Some.py"]
    assert present[cmake_lists.SCRIPTS] == ["Some.py", "SomeLib/forgotten.py"]
    cmake_lists.write_list(cmake, cmake_lists.SCRIPTS, present[cmake_lists.SCRIPTS])
    assert cmake_lists.read_list(cmake, cmake_lists.SCRIPTS) == present[cmake_lists.SCRIPTS]
    assert cmake_lists.read_list(cmake, cmake_lists.RESOURCES) == present[cmake_lists.RESOURCES]
