"""``python -m Testing.reliability.heavy_load.endurance``: hundreds of runs; memory and threads must not grow."""

from __future__ import annotations

import argparse
import gc
import sys
import threading
from pathlib import Path

import numpy as np

from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.segmentation import PropagationSettings, click_segment, propagate

from ..networks import tiny_network

#: Growth that is left to chance, in MB: the allocator gives memory back in its own time.
SLACK_MB = 30.0


def endure(runs: int, settle: int) -> tuple[float, int, int]:
    """Propagate and click by turns, on volumes of changing size, through the worker thread where there is one.

    Args:
        runs: How often.
        settle: Runs after which growth counts.

    Returns:
        Growth of the resident memory in MB from run ``settle`` on, and the threads then and at the end.
    """
    from UniverSegSlicerLib.scene.running.worker import Job, Worker

    worker, model, before, threads = Worker(), tiny_network(), 0.0, 0
    done: list[object] = []
    for number in range(runs):
        if number == settle:
            gc.collect()
            before, threads = resident_mb(), threading.active_count()
        size = (6 + number % 5, 20 + number % 7, 24)
        volume = Volume(np.random.default_rng(number).random(size, np.float32), Geometry(size[::-1]))
        marks = np.zeros(size, np.uint8)
        marks[2, 5:12, 6:14] = 1

        def work(_token: object, _report: object, n: int = number, v: Volume = volume, m: np.ndarray = marks) -> object:
            if n % 2:
                return click_segment(v.array[1], include=[(4, 4)], model=model).mask.any()
            settings = PropagationSettings(ensemble=1 + n % 3)
            return propagate(v, m, model=model, axis="k", settings=settings).labels.any()

        failed: list[str] = []
        worker.submit_newest(Job("Work", work, done.append, lambda sentence, _e, said=failed: said.append(sentence)))
        while worker.busy:
            worker.wait(0.05)
            worker.poll()
        if failed:
            raise RuntimeError(failed[0])
    gc.collect()
    growth, at_end = resident_mb() - before, threading.active_count()
    worker.shutdown()
    if len(done) != runs:
        raise RuntimeError(f"{runs} runs were asked for, {len(done)} came back")
    return growth, threads, at_end


def resident_mb() -> float:
    """What the process holds in memory now (Linux)."""
    import resource

    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="endurance", description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    given = parser.parse_args(arguments)
    settle = given.runs // 5
    growth, before, after = endure(given.runs, settle)
    print(
        f"{given.runs} runs in one process: {growth:+.1f} MB from run {settle} to the last, "
        f"{before} threads then and {after} at the end."
    )
    return int(growth > SLACK_MB or after > before)


if __name__ == "__main__":
    sys.exit(main())
