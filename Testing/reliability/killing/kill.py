"""``python -m Testing.reliability.killing.kill``: kill -9 while writing; a reader finds the old or the new file.

Exit code 0 where no reader ever found anything else.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .kill_scenarios import SCENARIOS, Scenario


def run_scenario(name: str, kills: int, folder: Path, seed: int = 0) -> Counter[str]:
    """Start the writing, kill it, read; so many times, always in the same folder.

    Args:
        name: Of :data:`~Testing.reliability.killing.kill_scenarios.SCENARIOS`.
        kills: How often.
        folder: Empty at first.
        seed: Of the moments.

    Returns:
        "whole": a reader found one version in every file; "of both": whole files, some old, some new, which the kill
        between two renamings gives; "half": anything else; and "in the middle of writing", the kills after which
        something unfinished lay beside, hidden.
    """
    scenario, rng = SCENARIOS[name][0](folder), random.Random(seed)
    begin = time.perf_counter()
    for version in (0, 1, 0, 1):
        scenario.write(version)
    once = (time.perf_counter() - begin) / 4
    counts: Counter[str] = Counter()
    for number in range(kills):
        before = _unfinished(folder)
        _write_until_killed(scenario, number, rng.uniform(0, 3 * once))
        counts["kills"] += 1
        counts["in the middle of writing"] += bool(_unfinished(folder) - before)
        try:
            counts["whole" if len(set(scenario.read())) == 1 else "of both"] += 1
        except Exception as error:
            counts["half"] += 1
            print(f"{name}, kill {number}: {type(error).__name__}: {error}", file=sys.stderr)
    return counts


def _write_until_killed(scenario: Scenario, number: int, seconds: float) -> None:
    ready, said = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(said, b"!")
            version = number
            while True:
                scenario.write(version % 2)
                version += 1
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(said)
    os.read(ready, 1)
    os.close(ready)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise RuntimeError("the writing failed before it could be killed; see above")


def _unfinished(folder: Path) -> set[str]:
    """Hidden files and folders, with the times of their content."""
    return {
        f"{path} {path.stat().st_mtime_ns}"
        for path in folder.rglob("*")
        if any(part.startswith(".") and part != ".lock" for part in path.relative_to(folder).parts)
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--only", choices=SCENARIOS)
    given = parser.parse_args(arguments)
    total: Counter[str] = Counter()
    for name, (_, share) in SCENARIOS.items():
        if given.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                counts = run_scenario(name, round(given.kills * share), Path(folder))
            print(f"{name}: " + ", ".join(f"{number} {what}" for what, number in counts.items()))
            total += counts
    print(f"{total['kills']} kills, {total['in the middle of writing']} of them while something was half written; "
          f"{total['half']} times a reader found half of something.")  # fmt: skip
    return 1 if total["half"] else 0


if __name__ == "__main__":
    sys.exit(main())
