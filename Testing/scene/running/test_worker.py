"""The worker thread: real threads, nothing handed over but by poll, nothing after a cancellation."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.progress import CancelToken


class Log:
    """Collects what a job hands over, and on which thread."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.threads: set[int] = set()

    def job(self, work: Callable[..., Any], name: str = "Job") -> Any:
        from UniverSegSlicerLib.scene.running.worker import Job

        def note(kind: str, payload: Any) -> None:
            self.events.append((kind, payload))
            self.threads.add(threading.get_ident())

        return Job(
            name,
            work,
            done=lambda result: note("done", result),
            failed=lambda sentence, error: note("failed", (sentence, type(error))),
            cancelled=lambda: note("cancelled", None),
            progress=lambda fraction, message: note("progress", (fraction, message)),
        )

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]


def finish(worker: Any, timeout: float = 60.0) -> None:
    """Poll until the worker has nothing open."""
    end = time.monotonic() + timeout
    while worker.busy:
        worker.wait(0.02)
        worker.poll()
        assert time.monotonic() < end, "the worker did not finish"


def test_results_and_progress_come_on_the_polling_thread(worker):
    log = Log()
    seen = []

    def work(token: CancelToken, report: Any) -> int:
        seen.append(threading.get_ident())
        report(0.5, "half")
        return 42

    worker.submit(log.job(work))
    assert log.events == []
    finish(worker)
    assert log.events == [("progress", (0.5, "half")), ("done", 42)]
    assert log.threads == {threading.get_ident()}
    assert seen[0] != threading.get_ident()


def test_one_thread_does_all_jobs_in_turn(worker):
    log, threads = Log(), []
    for number in range(5):
        worker.submit(log.job(lambda token, report, n=number: (threads.append(threading.get_ident()), n)[1]))
    finish(worker)
    assert [payload for _, payload in log.events] == list(range(5))
    assert len(set(threads)) == 1


def test_a_job_begins_when_the_polling_thread_is_done_with_what_it_was_asked_for(worker, monkeypatch):
    """A button is drawn as pressed before anything else may hold the interpreter lock."""
    from UniverSegSlicerLib.scene.running import worker as module

    monkeypatch.setattr(module, "GRACE_S", 30.0)
    begun = threading.Event()
    worker.submit(Log().job(lambda token, report: begun.set()))
    assert not begun.wait(0.2)
    worker.poll()
    assert begun.wait(10)
    finish(worker)
    monkeypatch.setattr(module, "GRACE_S", 0.01)
    begun.clear()
    worker.submit(Log().job(lambda token, report: begun.set()))
    assert begun.wait(10), "and without a poll a moment later"
    finish(worker)


def test_failures_become_sentences_and_do_not_end_the_thread(worker):
    log = Log()

    def bad_input(token: CancelToken, report: Any) -> None:
        raise InputError("The volume is empty.")

    def bug(token: CancelToken, report: Any) -> None:
        raise ZeroDivisionError("oops")

    def memory(token: CancelToken, report: Any) -> None:
        raise RuntimeError("CUDA error: out of memory")

    for work in (bad_input, bug, memory):
        worker.submit(log.job(work, "Segmentation"))
    worker.submit(log.job(lambda token, report: "fine"))
    finish(worker)
    assert log.kinds == ["failed", "failed", "failed", "done"]
    sentences = [payload[0] for kind, payload in log.events if kind == "failed"]
    assert sentences[0] == "The volume is empty."
    assert sentences[1].startswith("Segmentation failed unexpectedly (ZeroDivisionError: oops)")
    assert sentences[2].startswith("Segmentation ran out of memory")


def test_cancelled_work_hands_nothing_over(worker):
    log, started = Log(), threading.Event()

    def work(token: CancelToken, report: Any) -> str:
        started.set()
        while True:
            token.raise_if_cancelled()
            report(0.1, "going on")
            time.sleep(0.005)

    worker.submit(log.job(work))
    assert started.wait(60)
    worker.poll()
    worker.cancel()
    before = len(log.events)
    finish(worker)
    assert log.kinds[before:] == ["cancelled"]


def test_a_result_that_comes_after_the_cancellation_is_thrown_away(worker):
    """The work did not look at its token again; its result must not land all the same."""
    log, go = Log(), threading.Event()
    worker.submit(log.job(lambda token, report: go.wait(60)))
    worker.cancel()
    go.set()
    finish(worker)
    assert log.kinds == ["cancelled"]


def test_the_newest_click_wins(worker):
    log, go = Log(), threading.Event()
    worker.submit(log.job(lambda token, report: go.wait(60), "Other"))
    ran = []
    for number in range(4):
        worker.submit_newest(log.job(lambda token, report, n=number: (ran.append(n), n)[1], "Click"))
    go.set()
    finish(worker)
    assert ran == [3]
    assert [event for event in log.events if event[0] == "done"] == [("done", True), ("done", 3)]


def test_shutdown_ends_the_thread_and_hands_nothing_over(worker):
    log, started = Log(), threading.Event()

    def work(token: CancelToken, report: Any) -> None:
        started.set()
        while not token.cancelled:
            time.sleep(0.005)
        token.raise_if_cancelled()

    worker.submit(log.job(work))
    assert started.wait(60)
    worker.shutdown()
    assert not any(thread.name == "UniverSeg worker" for thread in threading.enumerate())
    worker.poll()
    assert log.events == []
    assert not worker.busy
    worker.submit(log.job(lambda token, report: "again"))
    finish(worker)
    assert log.events == [("done", "again")]


def test_shutdown_does_not_wait_for_work_that_hangs(worker):
    log, go = Log(), threading.Event()
    worker.submit(log.job(lambda token, report: go.wait(20)))
    begin = time.monotonic()
    worker.shutdown(timeout=0.1)
    assert time.monotonic() - begin < 2
    # Its successor gets none of the old thread's messages.
    worker.submit(log.job(lambda token, report: "new"))
    go.set()
    finish(worker)
    assert log.events == [("done", "new")]


@pytest.mark.skipif(sys.platform == "win32", reason="no usleep there")
def test_the_worker_gets_on_while_the_application_waits_in_c(worker):
    """As Slicer's main thread, which keeps the interpreter lock while it waits for events."""
    # A call through PyDLL keeps the lock, as code of the application's own does.
    wait_in_c = ctypes.PyDLL(None).usleep
    wait_in_c.argtypes = (ctypes.c_uint,)

    def work(_token: CancelToken, _report: Any) -> None:
        for _ in range(2000):
            # As each operation of torch and of most of numpy: gives the lock away and wants it back.
            time.sleep(0)

    log = Log()
    worker.submit(log.job(work))
    polls = 0
    while worker.busy and polls < 500:
        wait_in_c(5000)
        worker.lend_interpreter()
        worker.poll()
        polls += 1
    assert log.kinds == ["done"] and polls < 100, polls
