"""What README.md and the documents tell people to type exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from UniverSegSlicerLib.cli.app import app as slicer_app
from UniverSegSlicerLib.files import read_label_map, write_label_map, write_volume
from UniverSegSlicerLib.imaging import Geometry

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs", "CHANGELOG.md", "Testing/Slicer/README.md")


def documents(repository: Path) -> list[Path]:
    """All documents in Markdown."""
    found = [repository / name for name in DOCUMENTS]
    return [path for entry in found for path in (sorted(entry.rglob("*.md")) if entry.is_dir() else [entry])]


def blocks(text: str, language: str) -> list[str]:
    """The fenced code blocks in one language ("" for those without)."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def command_lines(repository: Path, program: str) -> Iterator[tuple[str, str]]:
    """(file name, command line) of every call of ``program`` in a code block."""
    for path in documents(repository):
        text = path.read_text()
        for block in [*blocks(text, ""), *blocks(text, "bash"), *blocks(text, "console")]:
            for line in block.replace("\\\n", " ").splitlines():
                if line.removeprefix("$ ").startswith(f"{program} "):
                    yield path.name, line.removeprefix("$ ")


def trainer_app() -> typer.Typer:
    """The trainer's commands."""
    from trainer.cli.app import app

    return app


@pytest.mark.parametrize("program", ["universeg-slicer", "universeg-trainer"])
def test_every_command_that_is_shown_parses(repository: Path, program: str) -> None:
    root = typer.main.get_command(slicer_app if program == "universeg-slicer" else trainer_app())
    lines = list(command_lines(repository, program))
    assert lines, f"no document shows {program}"
    for document, line in lines:
        words = shlex.split(line, comments=True)[1:]
        command, path = root, []
        while hasattr(command, "commands") and words and not words[0].startswith("-"):
            path.append(words.pop(0))
            assert path[-1] in command.commands, f"{document}: {line}"
            command = command.commands[path[-1]]
        if "--help" in words or hasattr(command, "commands"):
            continue
        # Parsing runs nothing; it refuses options that do not exist and arguments that are missing.
        with command.make_context(" ".join(path), words):
            pass


def test_make_targets_exist(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text()
    for document, line in command_lines(repository, "make"):
        target = line.split()[1]
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document}: {line}"
        for variable in re.findall(r"\b([A-Z_]+)=", line):
            assert re.search(rf"^{variable} \?=", makefile, re.MULTILINE), f"{document}: {line}"


def test_links_lead_somewhere(repository: Path) -> None:
    for path in documents(repository):
        text = path.read_text()
        targets = re.findall(r"\]\(([^)#]+)[^)]*\)", text) + re.findall(r'src="([^"]+)"', text)
        for target in targets:
            if not re.match(r"[a-z]+:", target):
                assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_python_of_the_readme_runs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = Geometry((24, 20, 5))
    marks = np.zeros(geometry.shape, np.uint8)
    marks[[1, 3], 6:14, 6:14] = 1
    write_label_map(tmp_path / "marks.nii.gz", marks, geometry)
    write_volume(tmp_path / "brain.nii.gz", np.random.default_rng(0).normal(size=geometry.shape), geometry)
    monkeypatch.chdir(tmp_path)
    shown = blocks((repository / "README.md").read_text(), "python")
    names: dict[str, Any] = {}
    for block in shown:
        exec(block, names)
    assert read_label_map(tmp_path / "segmentation.nii.gz").array.shape == geometry.shape
    assert names["logits"].shape == (1, 1, 128, 128)


def test_every_command_of_the_command_line_is_in_the_readme(repository: Path) -> None:
    text = (repository / "README.md").read_text()
    for name in typer.main.get_command(slicer_app).commands:  # type: ignore[attr-defined]
        assert f"`universeg-slicer {name}" in text, name
