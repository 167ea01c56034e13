"""One long-lived worker thread with numpy and torch in it; MRML and Qt stay on the thread that polls.

One thread and not one per run: torch caches its plans per thread, and a new thread pays for them again.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ...errors import Cancelled, UniverSegError
from ...progress import CancelToken, ProgressCallback

#: So long the polling thread lends the interpreter at each poll, in seconds: too short to be seen in the views.
LENT_S = 0.015

#: So long a job waits at most for the polling thread to be done with what it submitted the job from, in seconds.
GRACE_S = 0.1

#: A piece of work: gets a token to look at between chunks and a callback for its progress; returns its result.
Work = Callable[[CancelToken, ProgressCallback], Any]


@dataclass
class Job:
    """A piece of work and what to do with its outcome; the callbacks run in :meth:`Worker.poll`.

    Attributes:
        name: For messages and the log.
        work: Runs on the worker thread. Touches no node.
        done: Gets the result.
        failed: Gets one sentence and the exception.
        cancelled: Called when the work stopped on request (or its result came too late).
        progress: Gets (fraction in [0, 1], message).
    """

    name: str
    work: Work
    done: Callable[[Any], None]
    failed: Callable[[str, BaseException], None]
    cancelled: Callable[[], None] = lambda: None
    progress: Callable[[float, str], None] = lambda _fraction, _message: None
    token: CancelToken = field(default_factory=CancelToken)


class Worker:
    """Runs jobs one after another on its own thread; results wait in a queue for :meth:`poll`."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[tuple[Job, str, Any]] = queue.SimpleQueue()
        self._arrived = threading.Event()
        self._at_rest = threading.Event()
        self._open: list[Job] = []
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a job waits, runs, or has an outcome that was not polled yet."""
        return bool(self._open)

    def submit(self, job: Job) -> None:
        """Queue a job. Call on the polling thread.

        The job begins when that thread polls again, at the latest after :data:`GRACE_S`: a button is shown as pressed,
        and a preview is drawn, before something else may hold Python's interpreter lock.
        """
        if self._thread is None or not self._thread.is_alive():
            # A daemon: if the application dies without shutdown, this thread does not keep its process alive.
            self._thread = threading.Thread(target=self._run, name="UniverSeg worker", daemon=True)
            self._thread.start()
        self._open.append(job)
        self._at_rest.clear()
        self._jobs.put(job)

    def submit_newest(self, job: Job) -> None:
        """Queue a job and drop the open ones of the same name: the newest click wins."""
        for other in self._open:
            if other.name == job.name:
                other.token.cancel()
        self.submit(job)

    def cancel(self) -> None:
        """Ask every open job to stop; their outcome, if it still comes, is thrown away."""
        for job in self._open:
            job.token.cancel()

    def poll(self) -> None:
        """Hand over what arrived since the last call: progress, results, failures. Call from a timer."""
        self._at_rest.set()
        self._arrived.clear()
        while True:
            try:
                job, kind, payload = self._messages.get_nowait()
            except queue.Empty:
                self._give_up_orphans()
                return
            if kind == "progress":
                if not job.token.cancelled:
                    job.progress(*payload)
                continue
            self._open.remove(job)
            if job.token.cancelled or kind == "cancelled":
                job.cancelled()
            elif kind == "done":
                job.done(payload)
            else:
                job.failed(_sentence(job, payload), payload)

    def _give_up_orphans(self) -> None:
        """Fail the open jobs of a thread that is gone; nobody would ever answer them."""
        if not self._open or (self._thread is not None and self._thread.is_alive()):
            return
        if not self._messages.empty():  # its last words came in the meantime
            return
        orphans, self._open = self._open, []
        self._jobs = queue.SimpleQueue()
        for job in orphans:
            error = RuntimeError("its thread has died")
            job.failed(_sentence(job, error), error)

    def wait(self, timeout: float) -> None:
        """Sleep until something arrives for :meth:`poll`, at most ``timeout`` seconds."""
        self._arrived.wait(timeout)

    def lend_interpreter(self) -> None:
        """Sleep for a moment while there is work, so that the worker gets on. Call on the polling thread.

        Slicer's main thread holds Python's interpreter lock also while it waits for events in C++. A thread gets the
        lock only while Python code on the main thread waits, whatever else the processors could do.
        """
        self._at_rest.set()
        if self._open:
            self._arrived.wait(LENT_S)

    def shutdown(self, timeout: float = 2.0) -> None:
        """Cancel everything and end the thread; waits up to ``timeout`` seconds. Nothing is handed over any more."""
        self.cancel()
        if self._thread is not None and self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join(timeout)
        self._thread = None
        self._open.clear()
        self._jobs, self._messages = queue.SimpleQueue(), queue.SimpleQueue()

    def _run(self) -> None:
        # Locals: after a shutdown that timed out, this thread must not feed the queues of its successor.
        jobs, messages = self._jobs, self._messages
        while (job := jobs.get()) is not None:
            self._at_rest.wait(GRACE_S)
            messages.put(_outcome(job, messages))
            self._arrived.set()


def _outcome(job: Job, messages: queue.SimpleQueue[tuple[Job, str, Any]]) -> tuple[Job, str, Any]:
    def report(fraction: float, message: str) -> None:
        messages.put((job, "progress", (fraction, message)))

    try:
        job.token.raise_if_cancelled()
        return job, "done", job.work(job.token, report)
    except Cancelled:
        return job, "cancelled", None
    except BaseException as error:
        # Whatever goes wrong in there, a SystemExit included, must reach the panel as words and not end the thread.
        if not isinstance(error, UniverSegError):
            logging.exception("%s failed", job.name)
        return job, "failed", error


def _sentence(job: Job, error: BaseException) -> str:
    if isinstance(error, UniverSegError):
        return str(error)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return f"{job.name} ran out of memory: choose a smaller range, fewer examples, or the CPU, then try again."
    return (
        f"{job.name} failed unexpectedly ({type(error).__name__}: {error}). The segmentation is unchanged; see the log."
    )
