"""A cohort in a process of its own: given a request, heard through lines of JSON, stopped by letting go of it."""

from __future__ import annotations

import collections
import json
import logging
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from slicer.i18n import tr as _

from ...errors import DependencyError
from ...locking import try_lock

#: What the process runs. It is named and not imported: its packages are none of Slicer's concern.
MODULE = "UniverSegSlicerLib.cohort.background"
_ROOT = Path(__file__).resolve().parents[3]
# Seconds that a process has to end by itself after it was asked to, and what it wrote has to arrive after its end.
_PATIENCE, _ARRIVAL = 15.0, 2.0
# Lines that are kept for the log of its errors, and of what else it wrote.
_KEPT = 60


@dataclass(frozen=True)
class Interpreter:
    """A Python with the library's packages, and the environment to start it in (None for the present one)."""

    python: str
    environment: Mapping[str, str] | None = None


class CohortProcess:
    """Starts at once; :meth:`poll` from a timer gives what it tells.

    Args:
        interpreter: What to run it with.
        scratch: A folder of its own, with what the request names; it is removed at the end.
        request: As :class:`UniverSegSlicerLib.cohort.background.Request` has it, without the leash.

    Raises:
        DependencyError: The interpreter cannot be started.
    """

    def __init__(self, interpreter: Interpreter, scratch: Path, request: Mapping[str, Any]) -> None:
        self._scratch = scratch
        leash = scratch / "leash"
        self._leash: IO[str] | None = leash.open("a+")
        try_lock(self._leash)
        file = scratch / "request.json"
        file.write_text(json.dumps({**request, "leash": str(leash)}), encoding="utf-8")
        try:
            self._process = subprocess.Popen(
                [interpreter.python, "-m", MODULE, str(file)],
                cwd=_ROOT,
                env=None if interpreter.environment is None else dict(interpreter.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                # No console window on Windows.
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            self.close()
            raise DependencyError(
                _("Slicer's Python ({python}) cannot be started: {error}. Reinstall Slicer.").format(
                    python=interpreter.python, error=error.strerror or error
                )
            ) from error
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._errors: collections.deque[str] = collections.deque(maxlen=_KEPT)
        self._chatter: collections.deque[str] = collections.deque(maxlen=_KEPT)
        self._listening = [
            threading.Thread(target=listen, name="UniverSeg cohort", daemon=True)
            for listen in (self._listen, self._listen_to_errors)
        ]
        for thread in self._listening:
            thread.start()
        self._last: dict[str, Any] | None = None
        self._stopped_at: float | None = None
        self._ended_at: float | None = None

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopped_at is not None

    def stop(self) -> None:
        """Ask it to stop; it does within moments, and what is done stays."""
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            self._let_go()

    def poll(self) -> list[dict[str, Any]]:
        """What it told since the last time; never waits.

        The last event is one of ``finished``, ``stopped`` and ``refused``, and comes once the process is gone. Where it
        ended without a word, that is a ``refused`` that says so.
        """
        told = []
        while not self._events.empty():
            event = self._events.get()
            if event.get("event") == "progress":
                told.append(event)
            else:
                self._last = event
        if self._is_over():
            told.append(self._last or self._without_a_word())
        return told

    def close(self) -> None:
        """Let go of the process, which stops where it has not ended, and of its folder."""
        self._let_go()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _is_over(self) -> bool:
        now = time.monotonic()
        if self._process.poll() is None:
            if self._stopped_at is not None and now - self._stopped_at > _PATIENCE:
                self._process.kill()
            return False
        if self._ended_at is None:
            self._ended_at = now
        # Its own workers can hold its output open for a while after it was killed.
        arrived = not any(thread.is_alive() for thread in self._listening) or now - self._ended_at > _ARRIVAL
        return arrived and self._events.empty()

    def _without_a_word(self) -> dict[str, Any]:
        code = self._process.returncode
        logging.error(
            "The process of the cohort ended with %s:\n%s%s", code, "".join(self._chatter), "".join(self._errors)
        )
        if self.stopping:
            return {"event": "stopped"}
        # Its errors first: what a library prints arrives when it likes, often after the error that ended the process.
        lines = [*self._chatter, *self._errors]
        last = next((line.strip() for line in reversed(lines) if line.strip()), _("no reason was given"))
        said = _(
            "The work on the folder ended unexpectedly (exit code {code}: {last}). What is done stays; start again."
        )
        return {"event": "refused", "error": said.format(code=code, last=last)}

    def _let_go(self) -> None:
        if self._leash is not None:
            self._leash.close()
            self._leash = None

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                # Some library's own words.
                self._chatter.append(line)
                continue
            if isinstance(event, dict) and "event" in event:
                self._events.put(event)

    def _listen_to_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors.append(line)


def scratch_folder() -> Path:
    """A new folder for what a process is given."""
    return Path(tempfile.mkdtemp(prefix="universeg-"))
