"""What README.md and the documents tell people to type exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from UniverSegSlicerLib.cli import demo
from UniverSegSlicerLib.cli.app import app as slicer_app
from UniverSegSlicerLib.cli.demo_data import DemoData, load_demo_data
from UniverSegSlicerLib.cli.running import run
from UniverSegSlicerLib.files import read_label_map
from UniverSegSlicerLib.imaging import Volume

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs", "CHANGELOG.md", "Testing/Slicer/README.md")


def documents(repository: Path) -> list[Path]:
    """All documents in Markdown."""
    found = [repository / name for name in DOCUMENTS]
    return [path for entry in found for path in (sorted(entry.rglob("*.md")) if entry.is_dir() else [entry])]


def blocks(text: str, language: str) -> list[str]:
    """The fenced code blocks in one language ("" for those without)."""
    found: list[str] = []
    inside: str | None = None
    for line in text.splitlines(keepends=True):
        if line.startswith("```"):
            inside = line[3:].strip() if inside is None else None
            found += [""] if inside == language else []
        elif inside == language:
            found[-1] += line
    return found


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


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``make demo`` leaves, made of every second voxel of its brain: an eighth of the work."""
    data = load_demo_data()
    array = np.ascontiguousarray(data.volume.array[::2, ::2, ::2])
    geometry = replace(data.volume.geometry, size=array.shape[::-1], spacing=(2.0, 2.0, 2.0))
    small = DemoData(Volume(array, geometry), np.ascontiguousarray(data.truth[::2, ::2, ::2]))
    folder = tmp_path_factory.mktemp("clone") / "demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "load_demo_data", lambda: small)
        assert run(["demo", "--output", str(folder)]) == 0
    return folder


@pytest.mark.timeout(600)
def test_every_command_of_the_readme_runs_after_the_demo(
    repository: Path, demo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demo_folder)
    text = (repository / "README.md").read_text()
    lines = [line for block in blocks(text, "") for line in block.replace("\\\n", " ").splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("universeg-slicer ")]
    assert {words[0] for words in commands} >= {"propagate", "support", "click", "segment"}
    for words in commands:
        assert run(words) == 0, words
        for place in (words[words.index(option) + 1] for option in ("-o", "--preview") if option in words):
            written = demo_folder / place
            assert any(written.iterdir()) if written.is_dir() else written.stat().st_size > 0, words
    # What is not pasted into the demo's folder.
    others = {line.split()[0] for line in lines if line.strip() and not line.startswith("universeg-slicer ")}
    assert others == {"make", "pip", "universeg-trainer"}


def test_the_python_of_the_readme_runs(repository: Path, demo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo_folder)
    before = read_label_map("marks.nii.gz")
    names: dict[str, Any] = {}
    for block in blocks((repository / "README.md").read_text(), "python"):
        exec(block, names)
    result = read_label_map("segmentation.nii.gz")
    marked = before.array.any(axis=(0, 2))
    assert np.array_equal(result.array[:, marked], before.array[:, marked])
    assert names["logits"].shape == (1, 1, 128, 128)


def test_every_command_of_the_command_line_is_in_the_readme(repository: Path) -> None:
    text = (repository / "README.md").read_text()
    for name in typer.main.get_command(slicer_app).commands:  # type: ignore[attr-defined]
        assert f"`universeg-slicer {name}" in text, name
