"""The files for GitHub: workflows and issue templates are well-formed, and name only what exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from UniverSegSlicerLib.cli.app import app as slicer_app

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
TEMPLATES = [
    path for path in sorted((REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if path.stem != "config"
]
#: Programs that the images of GitHub bring along.
ON_THE_IMAGE = {"sudo", "command", "python", "ls"}


def read(path: Path) -> dict[str, Any]:
    """A file's content; "on" is a word of YAML 1.1 for true."""
    content = yaml.safe_load(path.read_text())
    return {("on" if key is True else key): value for key, value in content.items()}


def steps(path: Path) -> list[dict[str, Any]]:
    """All steps of all jobs of a workflow."""
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_well_formed(path: Path) -> None:
    content = read(path)
    assert {"name", "on", "permissions", "jobs"} <= set(content)
    assert content["permissions"] == {"contents": "read"}
    for job in content["jobs"].values():
        assert {"runs-on", "timeout-minutes", "steps"} <= set(job)
        assert set(job.get("needs", "").split()) <= set(content["jobs"])
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step), step
    used = set(re.findall(r"\$\{\{ matrix\.(\w+)", path.read_text()))
    offered = {name for job in content["jobs"].values() for name in job.get("strategy", {}).get("matrix", {})}
    assert used == offered


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned(path: Path) -> None:
    for step in steps(path):
        assert re.fullmatch(r"[\w-]+/[\w./-]+@[0-9a-f]{40}", step.get("uses", f"a/b@{'0' * 40}")), step


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_commands_exist(path: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    commands = typer.main.get_command(slicer_app).commands  # type: ignore[attr-defined]
    lines = [line for step in steps(path) for line in step.get("run", "").splitlines()]
    assert lines
    for line in lines:
        program, *words = line.split()
        if program == "make":
            assert re.search(rf"^{words[0]}:", makefile, re.MULTILINE), line
            for variable in re.findall(r"\b([A-Z_]+)=", line):
                assert re.search(rf"^{variable} \?=", makefile, re.MULTILINE), line
        elif program == "universeg-slicer":
            assert words[0] == "--help" or words[0] in commands, line
        else:
            assert program in ON_THE_IMAGE, line


def test_the_tests_run_on_three_systems_with_the_oldest_and_the_newest_python() -> None:
    matrix = read(REPOSITORY / ".github" / "workflows" / "tests.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.10", "3.13"]
    runs = " ".join(step.get("run", "") for step in steps(REPOSITORY / ".github" / "workflows" / "tests.yml"))
    assert "make test" in runs and "make audit" in runs


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_an_issue_template_asks_for_the_report(path: Path) -> None:
    content = read(path)
    assert {"name", "description", "body"} <= set(content)
    asked = [part for part in content["body"] if part["type"] != "markdown"]
    assert len({part["id"] for part in asked}) == len(asked)
    for part in content["body"]:
        assert part["type"] in {"markdown", "textarea", "input", "dropdown", "checkboxes"}
        assert part["type"] == "markdown" or part["attributes"]["label"]
    report = next(part for part in asked if part["id"] == "report")
    assert "`universeg-slicer report`" in report["attributes"]["description"]
