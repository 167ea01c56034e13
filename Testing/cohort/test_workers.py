"""Cases in other processes: killed ones, a Dask scheduler, a Ray cluster, and a scheduler that is not there."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from Testing.cohort.conftest import Made
from UniverSegSlicerLib.cohort import Cohort
from UniverSegSlicerLib.cohort.running import job as job_module
from UniverSegSlicerLib.cohort.running import run as run_module
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.network import InContextModel
from UniverSegSlicerLib.parallel import WorkerLost


def facts(cohort: Cohort) -> list[object]:
    return [(r.case, r.labels, r.distance, r.suggested, r.recipe, r.error) for r in cohort.records]


def test_a_worker_that_is_killed_loses_nothing(made: Made) -> None:
    """Two processes here; the one that begins the first case is killed at it."""
    begun = made.out / ".cohort" / "begun"
    killed = []

    def kill_one() -> None:
        import psutil

        deadline = time.monotonic() + 200
        while not killed and time.monotonic() < deadline:
            if begun.is_dir() and any(begun.iterdir()):
                workers = [
                    p for p in psutil.Process().children(recursive=True) if "resource_tracker" not in str(p.cmdline())
                ]
                if workers:
                    killed.append(workers[0].pid)
                    os.kill(workers[0].pid, signal.SIGKILL)
            time.sleep(0.01)

    pytest.importorskip("psutil")
    killer = threading.Thread(target=kill_one)
    killer.start()
    cohort = made.run(jobs=2)
    killer.join()
    assert killed and not cohort.failed and len(cohort.records) == 3
    alone = made.run(output=made.root / "alone")
    assert facts(cohort) == facts(alone)
    for name in ("a.nii.gz", "b.nii.gz", "c.nii.gz"):
        assert (made.out / name).read_bytes() == (made.root / "alone" / name).read_bytes()


def test_a_case_that_kills_its_worker_twice_is_a_failed_one(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    real = run_module.work

    def deadly(work, arguments, jobs, backend, **options):  # type: ignore[no-untyped-def]
        for job, case, cancel in arguments:
            if case.name == "b":
                job.folder.begun(case).touch()
                raise WorkerLost("a worker process was killed.")
            yield real(job, case, cancel)

    monkeypatch.setattr(run_module, "run_parallel", deadly)
    cohort = made.run()
    assert [record.case for record in cohort.failed] == ["b"]
    assert "its worker was killed 2 times; most probably it needs more memory" in cohort.failed[0].error


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """A Dask scheduler and two workers of one thread, each a process of its own."""
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    processes = [subprocess.Popen([*command, "--no-dashboard", "--scheduler-file", file], stderr=subprocess.DEVNULL)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", file, "--nthreads", "1"]
    quiet = ["--no-dashboard", "--no-nanny", "--local-directory", tmp_path]
    processes += [subprocess.Popen([*worker, *quiet], stderr=subprocess.DEVNULL) for _ in range(2)]
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    import json

    yield json.loads(file.read_text())["address"], processes  # type: ignore[misc]
    for process in processes:
        process.kill()
        process.wait()


def test_a_dask_scheduler_with_two_workers_one_of_which_is_killed(
    made: Made, scheduler: tuple[str, list[subprocess.Popen[str]]]
) -> None:
    address, (_, first, _) = scheduler
    seen: list[str] = []

    def watch(_share: float, message: str) -> None:
        seen.append(message)
        if len(seen) == 1:
            first.kill()

    cohort = made.run(backend="dask", scheduler=address, jobs=2, progress=watch)
    assert not cohort.failed and len(seen) == 3
    assert facts(cohort) == facts(made.run(output=made.root / "alone"))


@pytest.mark.parametrize(
    ("backend", "address", "module"),
    [("dask", "tcp://127.0.0.1:9", "distributed"), ("dask", "nonsense://x", "distributed")],
)
def test_a_scheduler_that_cannot_be_reached(
    made: Made, backend: str, address: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(module)
    monkeypatch.setattr("UniverSegSlicerLib.parallel._PATIENCE", 1)
    with pytest.raises(InputError, match=rf"scheduler {address}: no Dask scheduler answers there"):
        made.run(backend=backend, scheduler=address)


def test_ray(made: Made) -> None:
    pytest.importorskip("ray", exc_type=ImportError)
    cohort = made.run(backend="ray", jobs=2)
    assert facts(cohort) == facts(made.run(output=made.root / "alone"))


def test_a_ray_worker_that_is_killed_loses_nothing(made: Made) -> None:
    pytest.importorskip("ray", exc_type=ImportError)
    psutil = pytest.importorskip("psutil")
    begun, killed = made.out / ".cohort" / "begun", []

    def kill_one() -> None:
        deadline = time.monotonic() + 200
        while not killed and time.monotonic() < deadline:
            if begun.is_dir() and any(begun.iterdir()):
                # Ray names its processes by what they do.
                for process in psutil.Process().children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        if " ".join(process.cmdline()).startswith("ray::PoolActor"):
                            os.kill(process.pid, signal.SIGKILL)
                            killed.append(process.pid)
                            break
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one)
    killer.start()
    cohort = made.run(backend="ray", jobs=2)
    killer.join()
    assert killed and not cohort.failed
    assert facts(cohort) == facts(made.run(output=made.root / "alone"))


def test_a_ray_cluster_that_cannot_be_reached(made: Made) -> None:
    pytest.importorskip("ray", exc_type=ImportError)
    with pytest.raises(InputError, match=r"scheduler nowhere: no Ray cluster answers there"):
        made.run(backend="ray", scheduler="nowhere")


def test_each_worker_has_a_device_of_its_own(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two names of the processor stand in for two GPUs, another open file for another worker."""
    jobs = []
    monkeypatch.setattr(run_module, "work", lambda job, *_: jobs.append(job) or pytest.fail("enough"))
    with pytest.raises(pytest.fail.Exception):
        made.run(devices=("cpu", "cpu:0"), jobs=1)
    (job,) = jobs
    assert job_module._device(job) == job_module._device(job) == "cpu"
    held = dict(job_module._leases)
    job_module._leases.clear()  # as in another process, which has none yet
    assert job_module._device(job) == "cpu:0"
    held |= {Path("second"): job_module._leases.popitem()[1]}
    with pytest.raises(InputError, match="all of cpu, cpu:0 are taken by other workers"):
        job_module._device(job)
    for _, stream in held.values():
        stream.close()
    assert job_module._device(job) == "cpu", "what a worker that is gone had taken is free"
    job_module.forget_kits()


def test_the_support_is_encoded_once_and_not_for_each_case(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = InContextModel.encode_support
    monkeypatch.setattr(InContextModel, "encode_support", lambda self, *a: calls.append(1) or real(self, *a))
    made.run(volumes=made.volumes / "a.nii.gz", output=made.root / "one")
    alone = len(calls)
    made.run()
    assert alone > 0 and len(calls) == 2 * alone, "as often for three cases as for one"
