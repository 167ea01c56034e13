"""*Reload and Test*: the module's shell and its self test, as far as they go without Slicer's own windows."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SHELL = Path(__file__).resolve().parents[2] / "UniverSegSlicer" / "UniverSegSlicer.py"
#: Needs the module Segment Editor, whose effects are objects of PythonQt.
BEYOND = {"test_8_segment_editor_effect"}


@pytest.fixture
def modules(application: Any) -> Iterator[Any]:
    """An application that has loaded the module."""
    from standin.application import running

    with running(application, [SHELL]) as manager:
        yield manager


@pytest.mark.timeout(900)  # several runs with the bundled network
def test_reload_and_test_runs_the_story(
    modules: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    if os.name == "nt":
        pytest.skip("a launcher in the place of PythonSlicer is a shell script here")
    python = tmp_path / "PythonSlicer"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    from UniverSegSlicerLib.panel.self_test import Story

    slicer.util.selectModule("UniverSegSlicer")
    widget = slicer.util.getModuleWidget("UniverSegSlicer")
    widget.reloadTestAction.trigger()
    printed = capsys.readouterr().out
    assert widget.failure is None, f"{widget.failure}\n{printed}"
    assert slicer.util.getModuleWidget("UniverSegSlicer") is not widget, "reloaded"
    steps = {name for name in vars(Story) if name.startswith("test_")}
    skipped = {
        name for name in steps if f"{name} (" in printed and "skipped" in printed.split(f"{name} (")[1].split("\n")[0]
    }
    passed = {
        name for name in steps if f"{name} (" in printed and printed.split(f"{name} (")[1].split("\n")[0].endswith("ok")
    }
    assert (passed, skipped) == (steps - BEYOND, BEYOND), printed


def test_a_step_that_fails_is_told(modules: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer

    from UniverSegSlicerLib.panel import self_test

    class Failing(self_test.Story):
        def runTest(self) -> None:
            self.fail("the reason")

    monkeypatch.setattr(self_test, "Story", Failing)
    monkeypatch.setattr(self_test.unittest.defaultTestLoader, "testMethodPrefix", "runTest")
    widget = slicer.util.getModuleWidget("UniverSegSlicer")
    widget.testAction.trigger()
    assert isinstance(widget.failure, AssertionError) and "runTest" in str(widget.failure)
