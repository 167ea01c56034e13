"""The measurement of speed: both forms in processes of their own, and ratios that follow from the numbers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from UniverSegSlicerLib.cli.bench import measurement
from UniverSegSlicerLib.cli.bench.measurement import Task, Timing, measure, measure_apart
from UniverSegSlicerLib.cli.bench.speed import SpeedRow, measure_speed
from UniverSegSlicerLib.errors import InputError, UniverSegError

from ..conftest import Command

TINY = {"support": 2, "queries": 2, "side": 32, "device": "cpu", "precision": "fp32", "threads": 1}


@pytest.fixture(autouse=True)
def no_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "_ENOUGH_SECONDS", 0.0)


@pytest.mark.parametrize("form", ["direct", "published", "default"])
def test_one_measurement(form: str) -> None:
    timing = measure(Task(form=form, **TINY))  # type: ignore[arg-type]
    assert timing.runs >= 1 and timing.first_seconds > 0 and timing.query_seconds > 0
    assert (timing.encode_seconds > 0) == (form != "direct")


def test_a_measurement_in_a_process_of_its_own() -> None:
    assert measure_apart(Task(form="published", **TINY)).first_seconds > 0  # type: ignore[arg-type]


def test_a_measurement_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    # Such a process, without what it takes to start a real one: it fails on its argument.
    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        assert json.loads(command[-1])["device"] == "nonesuch"
        return subprocess.CompletedProcess(command, 1, stdout="", stderr="Traceback:\nRuntimeError: no nonesuch\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(UniverSegError, match=r"The measurement of published with S = 2 failed: .*nonesuch"):
        measure_apart(Task(form="published", **{**TINY, "device": "nonesuch"}))  # type: ignore[arg-type]


def test_peak_memory_sees_what_is_freed_again() -> None:
    # In a process of its own: the C library keeps up to 64 MiB of what was freed before, which would not count.
    text = (
        "import torch; from UniverSegSlicerLib.cli.bench.peak_memory import PeakMemory; "
        "peak = PeakMemory(torch.device('cpu')); block = torch.ones(50 << 20, dtype=torch.uint8); "
        "del block; print(peak.extra_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    if done.stdout.strip() == "None":
        pytest.skip("this system does not tell the memory of a process")
    assert 45 << 20 < int(done.stdout) < 200 << 20


def test_ratios_follow_from_the_numbers() -> None:
    row = SpeedRow(
        16, 8, "cpu", "default", "fp32", direct=Timing(0.0, 4.0, 4.0, 800, 1), fast=Timing(0.2, 0.6, 0.5, 100, 3)
    )
    assert row.cold_ratio == pytest.approx(4 / 0.8)
    assert row.query_ratio == pytest.approx(8)
    assert row.batch_ratio == pytest.approx(8 * 4 / (0.2 + 8 * 0.5))
    assert row.memory_ratio == pytest.approx(1 / 8)
    unknown = Timing(0, 1, 1, None, 1)
    assert SpeedRow(16, 8, "mps", "default", "fp32", unknown, unknown).memory_ratio is None
    assert row.to_dict()["fast"]["query_seconds"] == 0.5


def test_every_support_size_is_measured_in_every_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[Task] = []

    def record(task: Task) -> Timing:
        tasks.append(task)
        return Timing(0.0, 1.0, 1.0, 1, 1)

    monkeypatch.setattr("UniverSegSlicerLib.cli.bench.speed.measure_apart", record)
    monkeypatch.setattr("UniverSegSlicerLib.network.precision.has_fast_bf16", lambda device: True)
    fractions: list[float] = []
    rows = measure_speed([1, 4], device="cpu", report=lambda fraction, message: fractions.append(fraction))
    every = [(network, precision) for network in ("published", "default") for precision in ("fp32", "bf16")]
    assert [(row.network, row.precision) for row in rows] == every * 2
    assert [row.support for row in rows] == [1] * 4 + [4] * 4
    assert [task.form for task in tasks] == ["direct", "published", "published", "default", "default"] * 2
    assert fractions == sorted(fractions) and fractions[-1] < 1


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="multiple of 32"):
        measure_speed([1], side=100)
    with pytest.raises(InputError, match="device"):
        measure_speed([1], side=32, device="gpu")


def test_the_command_prints_ratios(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    # In this process, which has torch already.
    monkeypatch.setattr("UniverSegSlicerLib.cli.bench.speed.measure_apart", measure)
    arguments = ("bench", "speed", "--support", "2", "--queries", "2", "--size", "32", "--threads", "1")
    done = command(*arguments, "--device", "cpu", "--json")
    assert done.code == 0, done.err
    rows = done.json["rows"]
    assert {row["network"] for row in rows} == {"published", "default"}
    assert {row["support"] for row in rows} == {2} and all(row["query_ratio"] > 0 for row in rows)
    bad = command("bench", "speed", "--support", "x")
    assert bad.code == 2 and "--support" in bad.err


def test_the_table_names_its_ratios(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "UniverSegSlicerLib.cli.bench.speed.measure_apart", lambda task: Timing(0.5, 4.0, 0.25, 300 << 20, 1)
    )
    done = command("bench", "speed", "--support", "16", "--device", "cpu")
    assert done.code == 0
    assert "16.0 x" in done.out and "300 of 300 MB" in done.out and "next query" in done.out
