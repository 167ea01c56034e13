"""``universeg-slicer report``: what to paste into a bug report, from this machine and the last runs on it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ..diagnostics import KEPT, RunRecord, environment, report_text, run_log
from ..errors import UniverSegError
from .common.console import print_json, say
from .common.options import JsonOption

_FILE = "runs.json"


def report(*, as_json: JsonOption = False) -> None:
    """Print versions, devices, and sizes and timings of the last runs: no file names, no patients.

    Example: universeg-slicer report --json
    """
    if as_json:
        print_json({"environment": environment(), "runs": read_runs()})
    else:
        say(report_text(read_runs()).rstrip())


def keep_runs() -> None:
    """Add the runs of this process to those that were kept; where they cannot be kept, they are not."""
    from ..network.weights import cache_folder
    from ..writing import replacing_stream

    if not run_log.records:
        return
    runs = [*read_runs(), *(asdict(record) for record in run_log.records)][-KEPT:]
    try:
        with replacing_stream(cache_folder() / _FILE) as stream:
            stream.write(json.dumps(runs, indent=1).encode())
    except (UniverSegError, OSError, ValueError, TypeError):
        return
    run_log.records.clear()


def read_runs() -> list[dict[str, Any]]:
    """The runs that were kept, oldest first; none where there is no such file, or something else in its place."""
    from ..network.weights import cache_folder

    try:
        content = json.loads((cache_folder() / _FILE).read_text(encoding="utf-8"))
        runs = [asdict(RunRecord(**entry)) for entry in content]
        return [run for run in runs if isinstance(run["facts"], dict)][-KEPT:]
    except (UniverSegError, OSError, ValueError, TypeError):
        return []
