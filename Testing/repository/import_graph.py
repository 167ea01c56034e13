"""Which module imports which, read off the source: at file scope, inside functions, and for type checkers alike."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

Graph = dict[str, set[str]]


def modules_of(root: Path, package: str) -> dict[str, Path]:
    """The modules of a package in the folder ``root`` by their full names; a package is the module of its __init__."""
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def import_graph(modules: Mapping[str, Path]) -> Graph:
    """From each module to those of ``modules`` that it imports; ``import_module`` of a plain text counts."""
    return {
        name: {target for target in _named(name, path, modules) if target != name} for name, path in modules.items()
    }


def circles(graph: Graph) -> list[list[str]]:
    """The groups of modules that import one another in a circle, each sorted (the strongly connected components)."""
    reach = {start: _reachable(graph, start) for start in graph}
    groups = {
        tuple(sorted({start} | {other for other in reach[start] if start in reach[other]}))
        for start in graph
        if start in reach[start]
    }
    return [list(group) for group in sorted(groups)]


def _reachable(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    pending = [*graph[start]]
    while pending:
        module = pending.pop()
        if module not in seen:
            seen.add(module)
            pending += graph[module]
    return seen


def _named(name: str, path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                # "from package import module" names the module; "from package import function" the package.
                full = f"{base}.{alias.name}"
                yield from (target for target in (full if full in modules else base,) if target in modules)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and argument.value in modules:
                yield str(argument.value)
