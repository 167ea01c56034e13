"""A cohort in a process of its own: what it tells, how it stops with its leash, and how little it needs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import UniverSegSlicerLib
from Testing.cohort.conftest import QUICK, Made
from UniverSegSlicerLib.cohort import open_cohort
from UniverSegSlicerLib.locking import try_lock

ROOT = Path(UniverSegSlicerLib.__file__).resolve().parents[1]
PROPAGATION = QUICK.to_dict()["propagation"]
#: Makes packages impossible to import, and goes on as ``python -m`` does.
WITHOUT = "import sys, runpy; sys.modules |= dict.fromkeys({names}); runpy.run_module({module!r}, run_name='__main__')"
MODULE = "UniverSegSlicerLib.cohort.background"


class Child:
    """The process, with the other end of its leash."""

    def __init__(self, made: Made, command: tuple[str, ...] = ("-m", MODULE), **changes: Any) -> None:
        leash = made.root / "leash"
        self.leash = leash.open("a+")
        assert try_lock(self.leash)
        request = {
            "support": str(made.support), "volumes": str(made.volumes), "output": str(made.out), "leash": str(leash),
            "model": str(made.model), "device": "cpu", "propagation": PROPAGATION, "draws": 0, **changes,
        }  # fmt: skip
        file = made.root / "request.json"
        file.write_text(json.dumps(request))
        self.process = subprocess.Popen(
            [sys.executable, *command, str(file)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._guard = threading.Timer(200, self.process.kill)
        self._guard.start()

    def events(self) -> Iterator[dict[str, Any]]:
        """What it tells, as it comes."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            yield json.loads(line)

    def close(self) -> None:
        """Let go of the leash, and wait for the process."""
        self.leash.close()
        self.process.communicate()
        self._guard.cancel()


@pytest.fixture
def start(made: Made) -> Iterator[Any]:
    children: list[Child] = []

    def begin(**changes: Any) -> Child:
        children.append(Child(made, **changes))
        return children[-1]

    yield begin
    for child in children:
        child.close()


def test_every_case_is_told_and_a_damaged_one_by_its_error(made: Made, start: Any) -> None:
    damaged = made.volumes / "b.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:300])
    told = list(start().events())
    assert [(each["done"], each["cases"], each["case"]) for each in told[:-1]] == [
        (0, 3, ""), (1, 3, "a"), (2, 3, "b"), (3, 3, "c"),
    ]  # fmt: skip
    assert "b.nii.gz" in told[2]["error"] and not told[1]["error"]
    assert told[-1] == {
        "event": "finished", "cases": 3, "failed": 1, "done_now": 3, "report": str(made.out / "report.html")
    }  # fmt: skip
    assert Path(told[-1]["report"]).is_file()


@pytest.mark.parametrize("jobs", [1, 2])
def test_it_stops_with_its_leash_and_goes_on_the_next_time(made: Made, start: Any, jobs: int) -> None:
    # As many as last for longer than it takes to look at the leash.
    for number in range(37):
        (made.volumes / f"more-{number:02}.nii.gz").write_bytes((made.volumes / "a.nii.gz").read_bytes())
    child = start(jobs=jobs)
    told = []
    for event in child.events():
        told.append(event)
        if event.get("done") == 2:
            child.leash.close()
    assert told[-1]["event"] == "stopped", told
    kept = told[-1]["done"]
    assert 2 <= kept < 40
    # A worker may still have ended the case that it was at.
    assert kept <= sum(not record.failed for record in open_cohort(made.out).records) <= kept + jobs
    assert (made.out / "cohort.csv").is_file()
    # What the next run does is seen as well with five more.
    for number in range(kept + jobs + 5, 37):
        (made.volumes / f"more-{number:02}.nii.gz").unlink()
    told = list(start().events())
    before, cases = told[0]["done"], told[0]["cases"]
    assert kept <= before <= kept + jobs < cases
    assert (told[-1]["event"], told[-1]["done_now"], told[-1]["failed"]) == ("finished", cases - before, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"volumes": "/nowhere/at/all"}, "/nowhere/at/all does not exist"),
        ({"support": "/nowhere.npz"}, "nowhere.npz"),
        ({"model": "unheard-of"}, "unheard-of"),
        ({"device": "abacus"}, "device must be auto, cpu, cuda or mps"),
        ({"propagation": {"ensemble": 0}}, "ensemble"),
        ({"propagation": {"unheard_of": 1}}, "Something went wrong (TypeError"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(start: Any, changes: dict[str, Any], said: str) -> None:
    child = start(**changes)
    (told,) = child.events()
    assert told["event"] == "refused" and said in told["error"], told
    assert child.process.wait() == 1


def test_it_needs_no_package_of_the_command_line(made: Made, start: Any) -> None:
    names = ["typer", "rich", "click", "matplotlib", "platformdirs"]
    child = start(command=("-c", WITHOUT.format(names=names, module=MODULE)))
    told = list(child.events())
    assert told[-1]["event"] == "finished" and told[-1]["failed"] == 0, child.process.stderr.read()


def test_a_leash_that_nobody_holds(start: Any) -> None:
    """The program in front was gone before this one looked."""
    child = start()
    child.leash.close()
    *before, last = child.events()
    assert last == {"event": "stopped", "done": 0}
    assert all(event["done"] == 0 for event in before), "it may have said how many there are"
