"""The lists of files in the CMake files and of packages in pyproject.toml: read, compared with the tree, rewritten.

Slicer installs only what CMake names, and the wheel holds only the packages that pyproject.toml names, so what is
missing there works in the source tree and fails for the user.
``python Testing/repository/cmake_lists.py`` rewrites the lists after files were added or removed.
"""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
#: Folders that hold one Slicer module each (a folder with a CMakeLists.txt that the top-level file adds).
MODULES = ("UniverSegSlicer", "SegmentEditorUniverSeg")

LIBRARY = "UniverSegSlicerLib"
SCRIPTS = "MODULE_PYTHON_SCRIPTS"
RESOURCES = "MODULE_PYTHON_RESOURCES"
EXTENSION_RESOURCES = "EXTENSION_RESOURCES"


def modules() -> list[Path]:
    """The folders of the Slicer modules that exist in this tree."""
    return [REPOSITORY / name for name in MODULES if (REPOSITORY / name / "CMakeLists.txt").is_file()]


def read_list(cmake: Path, variable: str) -> list[str]:
    """The items of ``set(variable ...)`` with ``${MODULE_NAME}`` filled in; ValueError where there is no such list."""
    match = re.search(rf"^set\({variable}\s(.*?)\)", cmake.read_text(), re.DOTALL | re.MULTILINE)
    if match is None:
        raise ValueError(f"{cmake} has no set({variable} ...)")
    items = re.sub(r"#.*", "", match.group(1)).split()
    return [item.replace("${MODULE_NAME}", cmake.parent.name) for item in items]


def files_of_module(module: Path) -> dict[str, list[str]]:
    """What the lists of ``module`` ought to hold: its Python files, and all other files but its tests and CMake's."""
    files = [path.relative_to(module) for path in sorted(module.rglob("*")) if path.is_file()]
    files = [path for path in files if not {"__pycache__", "Testing"} & set(path.parts) and path.name[0] != "."]
    scripts = [path.as_posix() for path in files if path.suffix == ".py"]
    others = [path.as_posix() for path in files if path.suffix not in {".py", ".pyc"} and path.name != "CMakeLists.txt"]
    return {SCRIPTS: scripts, RESOURCES: others}


def files_of_extension() -> list[str]:
    """The extension-level resources that the library reads at run time: the list of models, its schema, the weights."""
    root = REPOSITORY / "Resources"
    weights = [path for path in sorted((root / "Weights").glob("*")) if path.name[0] != "."]
    return [path.relative_to(root).as_posix() for path in [*sorted(root.glob("models*.json")), *weights]]


def write_list(cmake: Path, variable: str, items: list[str]) -> None:
    """Put ``items`` into ``set(variable ...)`` of ``cmake``, one on a line; a file that has them all stays as it is."""
    if sorted(read_list(cmake, variable)) == sorted(items):
        return
    body = "".join(f"  {item}\n" for item in items)
    text = cmake.read_text()
    cmake.write_text(
        re.sub(rf"^set\({variable}\s.*?\)", lambda _: f"set({variable}\n{body}  )", text, flags=re.DOTALL | re.M)
    )


def packages() -> list[str]:
    """The packages of the wheel: folders with an ``__init__.py``, and the one of data (see pyproject.toml)."""
    found = [f"{LIBRARY}.bundled"]
    for root, name in ((REPOSITORY / "UniverSegSlicer", LIBRARY), (REPOSITORY, "trainer")):
        found += [".".join(path.parent.relative_to(root).parts) for path in (root / name).rglob("__init__.py")]
    return sorted(found)


def write_packages() -> None:
    """Put the packages into ``[tool.setuptools]`` of pyproject.toml; a list that has them all stays as it is."""
    file = REPOSITORY / "pyproject.toml"
    listed = re.search(r"^\[tool\.setuptools\]\npackages = \[\n(.*?)^\]", text := file.read_text(), re.DOTALL | re.M)
    if listed is None:
        raise ValueError(f"{file} has no list of packages")
    if sorted(re.findall(r'"(.+?)"', listed.group(1))) != packages():
        body = "".join(f'  "{name}",\n' for name in packages())
        file.write_text(text[: listed.start(1)] + body + text[listed.end(1) :])


def main() -> None:
    """Rewrite every list."""
    write_packages()
    for module in modules():
        for variable, items in files_of_module(module).items():
            write_list(module / "CMakeLists.txt", variable, items)
    write_list(REPOSITORY / "CMakeLists.txt", EXTENSION_RESOURCES, files_of_extension())


if __name__ == "__main__":
    main()
