"""A cohort in a process of its own, for a program that has to stay usable meanwhile, such as Slicer.

``python -m UniverSegSlicerLib.cohort.background REQUEST.json`` does what a file asks for and tells how it goes in lines
of JSON on standard output:

* ``{"event": "progress", "done": 2, "cases": 7, "case": "a", "error": "", "warnings": 0}``, first without a case;
* at last one of ``finished`` (``cases``, ``failed``, ``done_now``, ``report``), ``stopped`` (``done``) and ``refused``
  (``error``, one sentence).

The program that started it holds the lock of a file, the leash. Once that is let go of, on purpose or because the
program is no more, this process stops as after Ctrl-C: what is done stays.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Cancelled, InputError, UniverSegError
from ..locking import try_lock
from ..progress import CancelToken
from ..segmentation import PropagationSettings
from .folder import REPORT
from .record import CaseRecord
from .segmenting import open_cohort, segment_cohort
from .settings import CohortSettings

# How often the leash is looked at, in seconds.
_LOOK = 0.2
# The program in front has the processor first.
_NICENESS = 5
# Each worker holds the network and a volume of its own, and the program in front needs memory too.
_MOST_WORKERS = 4


@dataclass(frozen=True)
class Request:
    """What to do, as the file says it.

    Attributes:
        support: A support-set file.
        volumes: A folder, pattern, table or BIDS data set.
        output: The folder to fill.
        leash: The file whose lock the other program holds.
        model, device: Of the network.
        propagation: Fields of :class:`~UniverSegSlicerLib.segmentation.PropagationSettings`.
        draws: As in :class:`.settings.CohortSettings`.
        suffix: Of BIDS images, None for the only kind.
        jobs: Workers; None for what suits the device.
    """

    support: str
    volumes: str
    output: str
    leash: str
    model: str
    device: str
    propagation: dict[str, Any]
    draws: int = 1
    suffix: str | None = None
    jobs: int | None = None


def main(arguments: list[str]) -> int:
    """Do what the request in the file asks for; 0 when it went to its end, cases that failed or not."""
    request = Request(**json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    try:
        with _leashed(Path(request.leash)) as cancel:
            _tell("finished", **_segment(request, cancel))
    except (Cancelled, KeyboardInterrupt):
        _tell("stopped", done=_done(Path(request.output)))
        return 1
    except UniverSegError as error:
        _tell("refused", error=str(error))
        return 1
    except Exception as error:
        logging.exception("cohort")
        _tell("refused", error=f"Something went wrong ({type(error).__name__}: {error}). The log says more.")
        return 1
    return 0


def _segment(request: Request, cancel: CancelToken) -> dict[str, Any]:
    def watch(done: int, cases: int, record: CaseRecord | None) -> None:
        case, error, warnings = ("", "", 0) if record is None else (record.case, record.error, len(record.warnings))
        _tell("progress", done=done, cases=cases, case=case, error=error, warnings=warnings)

    cohort = segment_cohort(
        request.support,
        request.volumes,
        request.output,
        model=request.model,
        devices=(request.device,),
        settings=CohortSettings(PropagationSettings(**request.propagation), draws=request.draws),
        suffix=request.suffix,
        jobs=request.jobs or _jobs(request.device),
        watch=watch,
        cancel=cancel,
    )
    return {
        "cases": len(cohort.records),
        "failed": len(cohort.failed),
        "done_now": cohort.redone,
        "report": str(cohort.folder / REPORT),
    }


def _jobs(device: str) -> int:
    """One worker for a graphics card; else a few, and a processor is left for the program in front."""
    from ..network.precision import choose_device

    if choose_device(device).type != "cpu":
        return 1
    return max(1, min(_MOST_WORKERS, (os.cpu_count() or 1) - 1))


def _done(output: Path) -> int:
    try:
        return sum(not record.failed for record in open_cohort(output).records)
    except InputError:
        return 0


@contextlib.contextmanager
def _leashed(leash: Path) -> Iterator[CancelToken]:
    """A token that is raised, with an interrupt for work that cannot look at it, when the leash is let go of."""
    cancel, over = CancelToken(), threading.Event()

    def look() -> None:
        with contextlib.suppress(OSError), leash.open("a+") as stream:
            while not over.is_set() and not try_lock(stream):
                time.sleep(_LOOK)
        if not over.is_set():
            cancel.cancel()
            _thread.interrupt_main()

    threading.Thread(target=look, name="leash", daemon=True).start()
    try:
        yield cancel
    finally:
        over.set()


def _tell(event: str, **facts: Any) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
