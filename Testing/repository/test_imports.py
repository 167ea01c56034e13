"""What Slicer loads at start-up imports nothing heavy, nor anything that Slicer does not bring along."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = "UniverSegSlicerLib"
#: What Slicer brings along; everything else has to wait until it is asked for.
BUNDLED_WITH_SLICER = {"numpy", "SimpleITK", "vtk", "slicer", "qt", "ctk", "mrml"}
BUNDLED_WITH_SLICER |= {"vtkSegmentationCorePython", "SegmentEditorEffects", "SampleData"}


def imported_when_loading(modules: str) -> set[str]:
    """Top-level packages in memory after a fresh interpreter imported ``modules`` (separated by commas)."""
    code = f"import sys, {modules}; print(' '.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize("room", ["imaging", "network", "segmentation"])
def test_importing_a_room_imports_no_torch(room: str) -> None:
    loaded = imported_when_loading(f"{LIBRARY}.{room}")
    assert not loaded & {"torch", "scipy", "pandas", "matplotlib", "typer", "rich", "PIL", "tifffile", "safetensors"}


def test_help_of_the_command_line_imports_no_torch() -> None:
    code = f"import sys; from {LIBRARY}.cli.running import run; run(['--help']); print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "False"


def file_scope_imports(path: Path, package: str) -> list[str]:
    """Absolute names of the modules that ``path``, a module in ``package``, imports when it is loaded."""
    names: list[str] = []
    pending: list[ast.AST] = [ast.parse(path.read_text())]
    while pending:
        for node in ast.iter_child_nodes(pending.pop()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                base = ".".join([*parents, *([node.module] if node.module else [])])
                names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
            else:
                pending.append(node)
    return names


def reached_from(shell: Path, library: Path) -> dict[str, str]:
    """Packages outside the library that loading ``shell`` imports, each with the file that does it."""
    outside: dict[str, str] = {}
    seen: set[Path] = set()
    pending = [(shell, "")]
    while pending:
        path, package = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in file_scope_imports(path, package):
            if name.partition(".")[0] != LIBRARY:
                outside.setdefault(name.partition(".")[0], str(path))
                continue
            target = library.parent.joinpath(*name.split("."))
            if target.is_dir():
                pending.append((target / "__init__.py", name))
            elif target.with_suffix(".py").is_file():
                pending.append((target.with_suffix(".py"), name.rpartition(".")[0]))
    return outside


def slicer_shells(repository: Path) -> list[Path]:
    """The files that Slicer loads at start-up: <Module>/<Module>.py of every module."""
    return [path for path in sorted(repository.glob("*/*.py")) if path.stem == path.parent.name]


def test_slicer_starts_without_anything_that_it_does_not_bring(repository: Path) -> None:
    shells = slicer_shells(repository)
    assert [shell.stem for shell in shells if shell.stem == "UniverSegSlicer"], "the module's file is missing"
    for shell in shells:
        outside = reached_from(shell, repository / "UniverSegSlicer" / LIBRARY)
        foreign = {
            name: path for name, path in outside.items() if name not in sys.stdlib_module_names | BUNDLED_WITH_SLICER
        }
        assert foreign == {}, f"{shell.name} reaches packages that Slicer does not bring"


def test_the_reach_of_imports_is_followed(tmp_path: Path) -> None:
    library = tmp_path / LIBRARY
    (library / "room").mkdir(parents=True)
    (library / "__init__.py").touch()
    (library / "room" / "__init__.py").write_text("from .inner import f\n")
    (library / "room" / "inner.py").write_text("import torch\ndef f():\n    import scipy\n")
    shell = tmp_path / "Shell.py"
    shell.write_text(f"import numpy\ntry:\n    from {LIBRARY}.room import f\nexcept ImportError:\n    raise\n")
    assert reached_from(shell, library) == {"numpy": str(shell), "torch": str(library / "room" / "inner.py")}
