"""The house: no circle of imports, no crowded folder, and no room that the rules about imports leave out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from importlinter import api

from Testing.repository.import_graph import circles, import_graph, modules_of

#: Packages by the folder that holds them.
PACKAGES = {"UniverSegSlicerLib": "UniverSegSlicer", "trainer": "."}
#: Python files in one folder, beside its __init__.py; a room that grows past that is divided along its subjects.
MOST = 12
# README's names of version 0.1: ``imaging`` still hands out the readers that live in ``files`` now, when asked for one.
KEPT_FOR_OLD_SCRIPTS = ("UniverSegSlicerLib.imaging", "UniverSegSlicerLib.files")


@pytest.fixture(scope="module")
def modules(repository: Path) -> dict[str, Path]:
    return {
        name: path
        for package, root in PACKAGES.items()
        for name, path in modules_of(repository / root, package).items()
    }


def test_no_circle_of_imports(modules: dict[str, Path]) -> None:
    graph = import_graph(modules)
    older, newer = KEPT_FOR_OLD_SCRIPTS
    graph[older].remove(newer)
    assert circles(graph) == []


def test_a_circle_is_noticed_wherever_the_import_stands(tmp_path: Path) -> None:
    room = tmp_path / "house" / "room"
    room.mkdir(parents=True)
    (room.parent / "__init__.py").touch()
    (room / "__init__.py").write_text("from .door import enter\n")
    (room / "door.py").write_text("def enter():\n    from . import hall\n    return hall\n")
    (room / "hall.py").write_text("if TYPE_CHECKING:\n    from .stairs import Step\n")
    (room / "stairs.py").write_text("import_module('house.room.door')\n")
    (room / "roof.py").write_text("from .door import enter\n")
    found = circles(import_graph(modules_of(tmp_path, "house")))
    assert found == [["house.room.door", "house.room.hall", "house.room.stairs"]]


@pytest.mark.parametrize("root", ["UniverSegSlicer", "SegmentEditorUniverSeg", "trainer", "Testing"])
def test_no_folder_is_crowded(repository: Path, root: str) -> None:
    files = [path for path in (repository / root).rglob("*.py") if path.name != "__init__.py"]
    assert files
    count = Counter(path.parent for path in files)
    assert {str(folder.relative_to(repository)): n for folder, n in count.items() if n > MOST} == {}


def test_every_room_says_what_it_offers(modules: dict[str, Path]) -> None:
    silent = [name for name, path in modules.items() if path.name == "__init__.py" and '"""' not in path.read_text()]
    assert silent == []


def test_the_rules_about_imports_name_every_room(modules: dict[str, Path], repository: Path) -> None:
    """Every room lies in another one whose contract lists all that it holds, or is listed by itself."""
    options = api.read_configuration(str(repository / "pyproject.toml"))["contracts_options"]
    complete = {room for contract in options if contract.get("exhaustive") for room in contract["containers"]}
    rooms = {name for name, path in modules.items() if path.name == "__init__.py" and "." in name}
    assert {room for room in rooms if room.rpartition(".")[0] not in complete} == set()
