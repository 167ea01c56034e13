"""Every module that something names: imports (also those inside functions), strings, tables, CMake, pyproject.toml.

An import inside a function, a string or a list in CMake fails only when it is reached, often first at a user's. So all
of them are collected from the text and really imported, with stand-ins for Slicer and Qt:
``python -m Testing.repository.named_modules`` prints what is not there.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from Testing.repository import cmake_lists

REPOSITORY = cmake_lists.REPOSITORY
#: Where the packages lie that are ours, by the name that imports them.
ROOTS = {
    "UniverSegSlicerLib": "UniverSegSlicer/UniverSegSlicerLib",
    "SegmentEditorUniverSegLib": "SegmentEditorUniverSeg/SegmentEditorUniverSegLib",
    "trainer": "trainer",
    "Testing": "Testing",
}
OURS = "|".join(ROOTS)
#: A dotted path below one of our packages.
DOTTED = re.compile(rf"(?<![\w./-])(?:{OURS})(?:\.[A-Za-z_]\w*)+")
TEXTS = ("Makefile", ".ci/*", ".github/**/*.yml", ".pre-commit-config.yaml", "README.md", "CONTRIBUTING.md")
TEXTS += ("docs/*.md", "Testing/**/*.md", "pyproject.toml")


class Named(NamedTuple):
    """A dotted path and the file that names it."""

    path: str
    where: str


def python_files(repository: Path) -> list[Path]:
    """The source files of the packages, the Slicer modules and the tests."""
    folders = ("UniverSegSlicer", "SegmentEditorUniverSeg", "trainer", "Testing")
    return [path for folder in folders for path in sorted((repository / folder).rglob("*.py"))]


def package_of(file: Path, repository: Path) -> str:
    """The dotted package that a source file belongs to; "" for the shell of a Slicer module."""
    for name, folder in ROOTS.items():
        if (repository / folder) in file.parents:
            return ".".join([name, *file.relative_to(repository / folder).parts[:-1]])
    return ""


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Absolute paths of ours that the import statements of a module name, wherever they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield from (base if alias.name == "*" else f"{base}.{alias.name}" for alias in node.names)


def tables(tree: ast.Module, package: str) -> Iterator[str]:
    """Paths in the tables by which ``import_module(f"...{TABLE[key]}")`` finds a module of the same package.

    So does a front door: ``on_demand(__name__, {name: module})``.
    """
    used = {
        part.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module")
        for part in ast.walk(node)
        if isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "on_demand" and isinstance(node.args[1], ast.Dict):
            yield from (f"{package}.{module}.{name}" for name, module in ast.literal_eval(node.args[1]).items())
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            (target,) = node.targets if isinstance(node, ast.Assign) else (node.target,)
            if isinstance(target, ast.Name) and target.id in used:
                for value in ast.literal_eval(node.value).values():
                    yield f"{package}.{value.lstrip('.')}"


def from_python(repository: Path) -> Iterator[Named]:
    """What source files name: imports, tables, and dotted paths in strings and docstrings."""
    for file in python_files(repository):
        package, where = package_of(file, repository), str(file.relative_to(repository))
        tree = ast.parse(file.read_text())
        for path in [*imports(tree, package), *tables(tree, package)]:
            yield Named(path, where)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from (Named(path, where) for path in DOTTED.findall(node.value))


def from_cmake(repository: Path) -> Iterator[Named]:
    """Modules in the lists of CMake, and the scripts that are registered as tests."""
    for cmake in sorted(repository.glob("*/**/CMakeLists.txt")):
        text, where = cmake.read_text(), str(cmake.relative_to(repository))
        scripts = re.findall(r"slicer_add_python_unittest\([^)]*SCRIPT\s+(\S+?)[\s)]", text)
        scripts = [script.replace("${MODULE_NAME}", cmake.parent.name) for script in scripts]
        if f"set({cmake_lists.SCRIPTS}" in text:
            scripts += cmake_lists.read_list(cmake, cmake_lists.SCRIPTS)
        for script in scripts:
            yield Named(script.removesuffix(".py").removesuffix("/__init__").replace("/", "."), where)


def from_pyproject(repository: Path) -> Iterator[Named]:
    """Entry points, the attribute with the version, and the packages of the wheel but the one of data."""
    content = tomllib.loads((repository / "pyproject.toml").read_text())
    for target in content["project"]["scripts"].values():
        yield Named(target.replace(":", "."), "pyproject.toml")
    setuptools = content["tool"]["setuptools"]
    yield Named(setuptools["dynamic"]["version"]["attr"], "pyproject.toml")
    for package in setuptools["packages"]:
        if package not in setuptools["package-dir"] or package in ROOTS:
            yield Named(package, "pyproject.toml")


def from_texts(repository: Path) -> Iterator[Named]:
    """Dotted paths in documents, workflows, the Makefile and the contracts of import-linter."""
    for pattern in TEXTS:
        for file in sorted(repository.glob(pattern)):
            if file.is_file():
                text = re.sub(r'"UniverSegSlicerLib\.bundled"', "", file.read_text())
                for path in DOTTED.findall(text):
                    yield Named(path, str(file.relative_to(repository)))


def all_named(repository: Path = REPOSITORY) -> list[Named]:
    """Everything of ours that is named, each once."""
    shells = {module.name for module in cmake_lists.modules()}
    found = {
        named
        for source in (from_python, from_cmake, from_pyproject, from_texts)
        for named in source(repository)
        if named.path.partition(".")[0] in {*ROOTS, *shells}
    }
    return sorted(found)


def stand_in(repository: Path) -> None:
    """Put stand-ins for Slicer and Qt where the panel imports them from, and the module folders on the path."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.path[:0] = [str(repository / "Testing" / "panel"), *(str(module) for module in cmake_lists.modules())]
    import standin
    from standin.scripted_modules import make_module

    standin.install()
    sys.modules["slicer.ScriptedLoadableModule"] = make_module()
    effects = types.ModuleType("SegmentEditorEffects")
    effects.AbstractScriptedSegmentEditorEffect = type("AbstractScriptedSegmentEditorEffect", (), {})  # type: ignore[attr-defined]
    sys.modules["SegmentEditorEffects"] = effects


def problem(path: str) -> str:
    """Why a dotted path leads nowhere: modules as far as they go, attributes from there; "" when it is there."""
    parts = path.split(".")
    if parts[-1] == "__main__":
        # Importing it would run the program.
        return "" if importlib.util.find_spec(path) else "not there"
    try:
        found: Any = importlib.import_module(parts[0])
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    for position, part in enumerate(parts[1:], start=2):
        name = ".".join(parts[:position])
        if isinstance(found, types.ModuleType) and not hasattr(found, part):
            try:
                found = importlib.import_module(name)
                continue
            except Exception as error:
                return f"{type(error).__name__}: {error}"
        if not hasattr(found, part):
            # Fields of dataclasses and attributes of instances are no attributes of their class.
            named = isinstance(found, type) and part in getattr(found, "__annotations__", {})
            return "" if named else f"{name} is not there"
        # A function may hide the module of its name, which a longer path means.
        shadowed = position < len(parts) and name in sys.modules
        found = sys.modules[name] if shadowed else getattr(found, part)
    return ""


def main() -> None:
    """Print what is named and not there; the exit code tells whether anything is."""
    stand_in(REPOSITORY)
    found = all_named()
    broken = [f"{where}: {path}: {told}" for path, where in found if (told := problem(path))]
    print(f"{len(found)} names, {len(broken)} lead nowhere", *broken, sep="\n")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
