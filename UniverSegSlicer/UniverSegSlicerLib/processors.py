"""How the threads of the numeric libraries share the processors with other programs.

A parallel loop ends when its last thread does. OpenMP's threads wait for it in a busy loop, by default: where another
program keeps a processor busy, they burn the time that the last thread needs, at the end of each of the thousands of
small loops of a segmentation. So they are told to sleep instead, which has to happen before the runtime is loaded, that
is, before torch. The threads of ITK sleep while they wait. Those of numpy's linear algebra (OpenBLAS) give their turn
away again and again, which costs as much; its products here are too small for two threads to gain anything, so they are
made by one.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

# GNU's runtime (Linux) reads the first, LLVM's and Intel's (macOS, Windows) both.
_QUIET = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
# Somebody who has set one of these knows what they want.
_CHOSEN = (*_QUIET, "GOMP_SPINCOUNT")
# How long to look at what the processors do, in seconds; their clocks tick every 0.01.
_LOOK = 0.15
_STATISTICS = Path("/proc/stat")

# Where the wheels of numpy keep their OpenBLAS, from its folder, and the ends of its names (64-bit integers or not).
_BLAS_FOLDERS, _BLAS_FILES = ("../numpy.libs", ".dylibs", ".libs"), "*openblas*"
_BLAS_NAMES = [f"{front}openblas_{{}}_num_threads{end}" for front in ("scipy_", "") for end in ("64_", "")]
_blas_lock = threading.Lock()
# How many are inside one_blas_thread(), and the number of threads before the first came in.
_blas = {"inside": 0, "before": 1}

# Set once torch was found to be loaded before the environment could be: the number of its threads, None until known.
_spinning: dict[str, int | None] = {}


def wait_quietly() -> None:
    """Let OpenMP's threads sleep while they wait, unless the environment says how they wait.

    Child processes inherit it. Where torch is loaded already, it is too late, and :func:`leave_busy_processors` makes
    up for it.
    """
    if any(name in os.environ for name in _CHOSEN):
        return
    if "torch" in sys.modules:
        _spinning["threads"] = None
    os.environ.update(_QUIET)


def leave_busy_processors() -> int | None:
    """Where waiting threads spin, let torch use only as many threads as processors are free now, at least one.

    Returns:
        The number of threads, or None where nothing had to be done or nothing is known about the processors.
    """
    if not _spinning:
        return None
    free = free_processors()
    if free is None:
        return None
    import torch

    most = _spinning["threads"] or torch.get_num_threads()
    _spinning["threads"] = most
    count = max(1, min(most, free))
    if count != torch.get_num_threads():
        torch.set_num_threads(count)
    return count


def free_processors() -> int | None:
    """How many processors are more idle than busy; None where the system does not say."""
    before = _ticks()
    if before is None:
        load = getattr(os, "getloadavg", lambda: None)()
        return None if load is None else max(0, (os.cpu_count() or 1) - round(load[0]))
    time.sleep(_LOOK)
    after = _ticks() or before
    free = 0
    for processor, (idle, total) in after.items():
        idle_before, total_before = before.get(processor, (0, 0))
        free += 2 * (idle - idle_before) > total - total_before
    return free


def _ticks() -> dict[int, tuple[int, int]] | None:
    """Idle and all ticks of each processor that this process may use."""
    try:
        lines = _STATISTICS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    ticks = {}
    for line in lines:
        name, *numbers = line.split()
        if name[:3] == "cpu" and name[3:].isdigit() and (allowed is None or int(name[3:]) in allowed):
            counts = [int(number) for number in numbers[:8]]
            # Idle, and waiting for a disk.
            ticks[int(name[3:])] = (counts[3] + counts[4], sum(counts))
    return ticks or None


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Numpy's products of matrices take one thread within; what was set before holds again behind the last one."""
    blas = _find_blas()
    if blas is None:
        yield
        return
    get, put = blas
    with _blas_lock:
        if not _blas["inside"]:
            _blas["before"] = get()
            put(1)
        _blas["inside"] += 1
    try:
        yield
    finally:
        with _blas_lock:
            _blas["inside"] -= 1
            if not _blas["inside"]:
                put(_blas["before"])


@functools.cache
def _find_blas() -> tuple[ctypes._NamedFuncPointer, ctypes._NamedFuncPointer] | None:
    """How OpenBLAS tells and takes its number of threads; None where numpy came with another library."""
    import numpy

    here = Path(numpy.__file__).parent
    for file in (file for folder in _BLAS_FOLDERS for file in sorted((here / folder).glob(_BLAS_FILES))):
        try:
            library = ctypes.CDLL(str(file))
        except OSError:
            continue
        for name in _BLAS_NAMES:
            if hasattr(library, name.format("set")):
                return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return None
