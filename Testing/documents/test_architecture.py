"""docs/architecture.md shows the house as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from Testing.repository import named_modules

FOLDERS = ("SegmentEditorUniverSeg", "UniverSegSlicer", "trainer")
INDENT = 2


def drawn_tree(text: str) -> set[str]:
    """Paths of the folders in the code block of the section "Folders": one a line, indented, with a remark."""
    block = re.search(r"^## Folders\n+```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert block is not None
    path: list[str] = []
    found = set()
    for line in block.group(1).splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // INDENT
        assert depth <= len(path), line
        path = [*path[:depth], name]
        found.add("/".join(path))
    return found


def code_folders(repository: Path) -> set[str]:
    """Folders with code in them, tests aside."""
    files = [path for folder in FOLDERS for path in (repository / folder).rglob("*.py")]
    return {path.parent.relative_to(repository).as_posix() for path in files}


@pytest.fixture
def text(repository: Path) -> str:
    return (repository / "docs" / "architecture.md").read_text()


def test_the_tree_is_the_real_one(repository: Path, text: str) -> None:
    assert drawn_tree(text) == code_folders(repository)


def test_a_tree_is_read_by_its_indents() -> None:
    drawn = "## Folders\n\n```\na   remark\n  b\n    c  remark\n  d\ne\n```\n"
    assert drawn_tree(drawn) == {"a", "a/b", "a/b/c", "a/d", "e"}


def test_the_diagram_shows_every_room_and_only_them(repository: Path, text: str) -> None:
    diagram = re.search(r"^```mermaid\n(flowchart TD\n.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert diagram is not None
    drawn = set(re.findall(r"^  (\w+)\[", diagram.group(1), re.MULTILINE))
    drawn |= set(re.findall(r"--> (\w+)", diagram.group(1)))
    library = repository / "UniverSegSlicer" / "UniverSegSlicerLib"
    rooms = {path.parent.name for path in library.glob("*/__init__.py")}
    assert drawn == rooms | {"trainer", "shells"}
    for room in rooms | {"trainer"}:
        assert f"* **{room}**" in text, f"no paragraph for {room}"


def test_the_ways_name_real_functions(text: str) -> None:
    for way in ("A marked slice", "A click", "A picture"):
        section = text.split(f"## {way}", 1)[1].split("\n## ", 1)[0]
        named = named_modules.DOTTED.findall(section)
        assert len(named) >= 8, way
        for path in named:
            # Slicer and Qt are needed to import the panel; test_named_modules.py does it with stand-ins.
            if ".panel." not in path and ".scene." not in path:
                assert named_modules.problem(path) == "", path


def test_paths_in_the_documents_exist(repository: Path) -> None:
    for document in ("docs/architecture.md", "CONTRIBUTING.md"):
        for path in re.findall(r"`([\w.]+/[\w./-]*)`", (repository / document).read_text()):
            made = path.startswith("dist/")
            assert made or (repository / path).exists(), f"{document}: {path}"


def test_every_python_command_of_contributing_is_there(repository: Path) -> None:
    text = (repository / "CONTRIBUTING.md").read_text()
    lines = re.findall(r"python (?:-m pytest )?([\w/.]+/[\w/.]+)", text)
    assert len(lines) >= 3
    for path in lines:
        assert (repository / path).exists(), path
