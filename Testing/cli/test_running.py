"""Every way for a command to end becomes an exit code and one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import typer

import UniverSegSlicerLib
from UniverSegSlicerLib.cli import running
from UniverSegSlicerLib.cli.app import app
from UniverSegSlicerLib.errors import Cancelled, GeometryError, InputError, ModelError, OutputError

from .conftest import Command


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (InputError("the label map\nis empty."), 2, "the label map is empty."),
        (GeometryError("the size differs."), 2, "the size differs."),
        (ModelError("no such model."), 2, "no such model."),
        (OutputError("a.png cannot be written."), 2, "a.png cannot be written."),
        (Cancelled(), 130, "interrupted; no output was written."),
        (KeyboardInterrupt(), 130, "interrupted; no output was written."),
        (MemoryError(), 2, "there is not enough memory for this input."),
        (PermissionError(13, "Permission denied", "a.nii"), 2, "a.nii cannot be used: Permission denied."),
    ],
)
def test_errors(
    error: BaseException, code: int, sentence: str, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    def fail(_: list[str]) -> int:
        raise error

    monkeypatch.setattr(running, "_invoke", fail)
    done = command("anything")
    assert (done.code, done.out, done.err) == (code, "", f"universeg-slicer: {sentence}\n")


def test_faults_of_the_program_have_a_traceback_on_request(monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    def fail(_: list[str]) -> int:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(running, "_invoke", fail)
    done = command("anything")
    assert done.code == 1 and done.err.count("\n") == 1 and "unexpected ZeroDivisionError" in done.err
    monkeypatch.setenv(running.TRACEBACK_VARIABLE, "1")
    assert "Traceback" in command("anything").err


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.setitem(__import__("sys").modules, "typer", None)
    done = command("--help")
    assert done.code == 2 and "typer" in done.err and "universegslicer[cli]" in done.err


def test_version(command: Command) -> None:
    assert command("--version").out == f"{UniverSegSlicerLib.__version__}\n"


def commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every command below a group, with its path."""
    for name, entry in group.commands.items():  # type: ignore[attr-defined]
        if hasattr(entry, "commands"):
            yield from commands(entry, (*path, name))
        else:
            yield (*path, name), entry


ALL = dict(commands(typer.main.get_command(app)))


def test_the_commands_are_those_of_the_readme() -> None:
    assert {path[0] for path in ALL} == {
        "propagate",
        "segment",
        "click",
        "support",
        "models",
        "bench",
        "cohort",
        "demo",
        "report",
    }
    assert {path[1] for path in ALL if path[0] == "support"} == {"create", "inspect", "export", "tune", "add"}
    assert {path[1] for path in ALL if path[0] == "cohort"} == {"run", "next"}
    assert {path[1] for path in ALL if path[0] == "models"} == {"list", "download", "verify", "remove"}


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example_that_parses(path: tuple[str, ...], command: Command) -> None:
    shown = command(*path, "--help")
    assert shown.code == 0 and shown.err == ""
    text = " ".join(line.strip(" │") for line in shown.out.splitlines())
    # What is run where nothing else is named is shown as it is typed.
    typed = path[:-1] if path == ("cohort", "run") else path
    assert "Example: universeg-slicer " + " ".join(typed) in re.sub(r"\s+", " ", text)
    entry = ALL[path]
    example = re.search(r"Example: universeg-slicer (.*)", entry.help or "", re.DOTALL)  # type: ignore[attr-defined]
    assert example is not None
    words = re.sub(r"\s+", " ", example.group(1)).split()[len(typed) :]
    # Parsing alone runs nothing, and refuses options that do not exist.
    with entry.make_context(path[-1], words) as context:  # type: ignore[attr-defined]
        assert context.params
