"""What somebody can paste into a report: versions, device, sizes, timings. Never a name of a file, node or person.

Nothing is sent anywhere; the text is shown to the user, who passes it on or does not.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import __version__

#: Runs that are remembered.
KEPT = 20
_PACKAGES = ("torch", "numpy", "SimpleITK", "slicer-core")
_LIBRARY = Path(__file__).resolve().parent

Fact = str | int | float | bool | None | Sequence[int] | Sequence[float]


@dataclass
class RunRecord:
    """One piece of work.

    Attributes:
        what: The command, or what the panel did.
        seconds: How long it took.
        outcome: "done", or the kind of the error and where in this package it was raised. The error's own sentence
            names files, so it stays out.
        facts: Sizes, counts and settings; no free texts.
    """

    what: str
    seconds: float = 0.0
    outcome: str = "done"
    facts: dict[str, Fact] = field(default_factory=dict)


class RunLog:
    """The last runs of this process."""

    def __init__(self) -> None:
        self.records: deque[RunRecord] = deque(maxlen=KEPT)
        self._current: RunRecord | None = None

    def note(self, **facts: Fact) -> None:
        """Add facts to the run in progress; without one, nothing happens."""
        if self._current is not None:
            self._current.facts.update(facts)

    @contextmanager
    def run(self, what: str) -> Iterator[RunRecord]:
        """Time a run; it is remembered when it has noted any facts, or has failed."""
        record, begin = RunRecord(what), time.perf_counter()
        self._current = record
        try:
            yield record
        except BaseException as error:
            record.outcome = where_raised(error)
            raise
        finally:
            record.seconds = round(time.perf_counter() - begin, 3)
            self._current = None
            if record.facts or record.outcome != "done":
                self.records.append(record)

    def add(self, record: RunRecord) -> None:
        """Remember a run that was timed elsewhere."""
        self.records.append(record)


#: The log of this process.
run_log = RunLog()


def volume_facts(shape: Sequence[int], spacing: Sequence[float], dtype: object) -> dict[str, Fact]:
    """The facts of a volume: voxels (K, J, I), spacing along I, J, K in mm, and the type of a voxel."""
    return {"voxels": list(shape), "spacing_mm": [round(float(s), 6) for s in spacing], "type": str(dtype)}


def model_fact(name: str, known: Iterable[str]) -> str:
    """The name of a model of the catalogue; a file of the user's has a name of its own, which stays out."""
    return name if name in known else "a file"


def where_raised(error: BaseException) -> str:
    """The kind of an error and the last line of this package that it went through, without its sentence."""
    places = [
        f"{Path(frame.filename).resolve().relative_to(_LIBRARY).as_posix()}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).resolve().is_relative_to(_LIBRARY)
    ]
    return f"{type(error).__name__} at {places[-1]}" if places else type(error).__name__


def environment() -> dict[str, Fact]:
    """Versions, processor, memory and, where torch can be imported, the devices that it sees."""
    facts: dict[str, Fact] = {
        "universegslicer": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": os.cpu_count(),
        "memory_gb": _memory_gb(),
    }
    for package in _PACKAGES:
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {**facts, **_devices()}


def report_text(records: Iterable[RunRecord | Mapping[str, Any]], more: Mapping[str, Fact] | None = None) -> str:
    """The report as plain text, one fact per line.

    Args:
        records: Runs, oldest first.
        more: Further facts of the environment, such as the version of Slicer.
    """
    lines = ["UniverSegSlicer report"]
    lines += [f"{name}: {value}" for name, value in {**environment(), **(more or {})}.items() if value is not None]
    for record in records:
        entry = asdict(record) if isinstance(record, RunRecord) else dict(record)
        facts = ", ".join(f"{name} {value}" for name, value in entry["facts"].items())
        lines.append(f"- {entry['what']}: {entry['outcome']} after {entry['seconds']} s; {facts}".rstrip("; "))
    return "\n".join(lines) + "\n"


def _devices() -> dict[str, Fact]:
    try:
        import torch
    except Exception as error:  # a broken installation is what the report may be about
        return {"torch cannot be imported": type(error).__name__}
    facts: dict[str, Fact] = {"threads": torch.get_num_threads(), "cuda": torch.version.cuda}
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        facts[f"cuda:{number}"] = torch.cuda.get_device_name(number)
    return facts


def _memory_gb() -> float | None:
    if sys.platform == "win32" or "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)
