"""``python -m Testing.reliability.damage.mutate``: damage real files thousands of times, read them, count what comes.

Exit code 0 where every file was read or refused in one sentence: no other exception, no crash, no time-out, no memory
beyond the limit, nothing written, run or connected to.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

#: Kinds with their shares of the mutations.
SHARES = {
    "NIfTI": 0.25, "NRRD": 0.15, "DICOM": 0.12, "support set": 0.13, "models.json": 0.08, "YAML": 0.1, "weights": 0.12,
    "checkpoint": 0.05,
}  # fmt: skip
#: Of one file.
SECONDS = 20.0
GOOD = ("read", "refused")


@dataclass
class Tally:
    """What came out, by kind, and the files that should not have come out so."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    bad: list[dict[str, object]] = field(default_factory=list)
    memory: tuple[int, str] = (0, "")

    def add(self, kind: str, number: int, answer: dict[str, object]) -> None:
        """Count one file."""
        outcome = str(answer["outcome"])
        if answer.get("watched"):
            outcome = "forbidden"
        self.counts[kind][outcome] += 1
        memory = int(str(answer.get("memory", 0)))
        if memory > self.memory[0]:
            self.memory = memory, f"{kind} {number}, {answer['file']}"
        if outcome not in GOOD:
            self.bad.append({"kind": kind, "number": number, **answer, "outcome": outcome})


class _Worker:
    """One process; a new one takes its place when it dies or does not answer."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def read(self, kind: str, number: int, seed: int) -> dict[str, object]:
        """Have one file read."""
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([kind, number, seed]) + "\n")
        process.stdin.flush()
        late = threading.Timer(SECONDS, process.kill)
        late.start()
        line = process.stdout.readline()
        in_time = late.is_alive()
        late.cancel()
        if line:
            return dict(json.loads(line))
        process.wait()
        self._process = None
        return {"outcome": f"died of signal {-process.returncode}" if in_time else "time-out", "detail": ""}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.mutation_worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, cwd=Path(__file__).resolve().parents[3],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError(
                "the reading process does not start; run python -m Testing.reliability.damage.mutation_worker"
            )
        return self._process


def run(total: int, seed: int = 0, say: Callable[[str], None] | None = None) -> Tally:
    """Read ``total`` damaged files; the same numbers give the same files."""
    tally, worker = Tally(), _Worker()
    try:
        for kind, share in SHARES.items():
            for number in range(round(total * share)):
                tally.add(kind, number, worker.read(kind, number, seed))
            if say is not None:
                counts = ", ".join(f"{n} {what}" for what, n in tally.counts[kind].most_common())
                say(f"{kind}: {tally.counts[kind].total()} files: {counts}")
    finally:
        worker.close()
    return tally


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="mutate", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    tally = run(given.files, given.seed, print)
    for bad in tally.bad[:20]:
        print(json.dumps(bad)[:2500], file=sys.stderr)
    total = sum(counts.total() for counts in tally.counts.values())
    print(
        f"{total} damaged files; {len(tally.bad)} neither read nor refused; "
        f"the largest growth of memory by one file was {tally.memory[0]} MB ({tally.memory[1]})."
    )
    return 1 if tally.bad else 0


if __name__ == "__main__":
    sys.exit(main())
