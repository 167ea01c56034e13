"""The command `cohort`: a new user's path, words and exit codes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from Testing.cli.conftest import Command
from Testing.cohort.conftest import GRID, Made, body, finding_model, made
from UniverSegSlicerLib.files import write_label_map

__all__ = ["finding_model", "made"]

QUICK = ("--draws", "0", "--devices", "cpu", "--jobs", "1")


def arguments(made: Made, *more: object) -> list[object]:
    return ["cohort", made.support, "--volumes", made.volumes, "-o", made.out, "-m", made.model, *QUICK, *more]


def test_a_new_user_segments_a_cohort(made: Made, command: Command) -> None:
    done = command(*arguments(made))
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{made.out}: 3 of 3 cases have label maps.\n"
    assert {path.name for path in made.out.iterdir()} >= {"a.nii.gz", "cohort.csv", "cohort.parquet", "cohort.json"}
    again = command(*arguments(made, "--json"))
    assert again.json == {
        "output": str(made.out), "cases": 3, "done_now": 0, "failed": {}, "warnings": again.json["warnings"]
    }  # fmt: skip


def test_exit_code_three_when_some_failed(made: Made, command: Command) -> None:
    (made.volumes / "b.nii.gz").write_bytes(b"no image")
    done = command(*arguments(made))
    assert done.code == 3 and "2 of 3 cases have label maps" in done.out
    assert "Note: b failed: " in done.err and "b.nii.gz" in done.err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--labels", "4"), "--labels 4: label 4 is absent; the support holds 1."),
        (("--scheduler", "tcp://127.0.0.1:9"), "--scheduler is tcp://127.0.0.1:9, and the backend loky has none"),
        (("--suffix", "T1w"), "is no BIDS data set"),
        (("--devices", ","), "names no device"),
        (("--devices", "cuda:7"), "cuda"),
    ],
)
def test_options_that_cannot_be_used(made: Made, command: Command, more: tuple[str, ...], message: str) -> None:
    done = command(*arguments(made, *more))
    assert done.code in (2, 3) and message in done.err and done.err.count("\n") <= 4


def test_help_of_the_group_and_of_run(command: Command) -> None:
    assert "run" in command("cohort", "--help").out
    assert "--volumes" in command("cohort", "run", "--help").out


def test_ctrl_c_keeps_what_is_done(made: Made) -> None:
    # So many that it is not done before it can be interrupted.
    for number in range(20):
        (made.volumes / f"more-{number:02}.nii.gz").write_bytes((made.volumes / "a.nii.gz").read_bytes())
    # Where the tests themselves were started in the background, Ctrl-C is ignored from the start.
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    process = subprocess.Popen(
        [sys.executable, "-c", heeding + "from UniverSegSlicerLib.cli import main; main()", *map(str, arguments(made))],
        stderr=subprocess.PIPE,
        text=True,
    )
    record = made.out / ".cohort" / "cases"
    deadline = time.monotonic() + 120
    while not any(record.glob("[!.]*.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "cases are done and stay, and the same command goes on from there" in err
    assert Path(made.out / "cohort.csv").read_text().count("\n") >= 2


def test_suggested_marked_added_and_segmented_again(made: Made, command: Command) -> None:
    """The whole way of a person, through the command line alone."""
    command(*arguments(made))
    told = command("cohort", "next", made.out, "--support", made.support)
    assert told.code == 0 and told.out.startswith("Mark the slices k:") and "universeg-slicer support add" in told.out
    (one,) = command("cohort", "next", made.out, "--json").json["next"]
    assert one["marks"] in told.out and one["volume"] in told.out
    add = ("support", "add", made.support, one["volume"], one["marks"], "-m", made.model, "--device", "cpu")
    empty = command(*add)
    assert empty.code == 2 and "is empty: mark slices" in empty.err
    truth = body("abc".index(one["case"]))[1]
    marks = np.zeros_like(truth)
    marks[one["slices"][:2]] = truth[one["slices"][:2]]
    write_label_map(Path(one["marks"]), marks, GRID)
    added = command(*add)
    assert (
        added.code == 0 and added.out == f"{made.support}: {3 + len(one['slices'][:2])} examples and 1 whole scans.\n"
    )
    again = command(*arguments(made, "--json"))
    assert again.json["done_now"] == 3, "three slices and one scan: each case uses all of them"
    assert command(*arguments(made, "--json")).json["done_now"] == 0


@pytest.mark.parametrize("given", ["no folder", "not a cohort"])
def test_next_of_what_is_no_cohort(made: Made, command: Command, given: str) -> None:
    if given == "not a cohort":
        made.out.mkdir()
    done = command("cohort", "next", made.out)
    assert done.code == 2 and "holds no cohort" in done.err
