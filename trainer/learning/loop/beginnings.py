"""What the weights had seen that a run begins with, so that its record tells of all their training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from UniverSegSlicerLib.network.weights.safetensors import read_safetensors

from .checkpoints import find_checkpoint

#: Counts of a run that add up over the runs of the same weights.
COUNTS = ("step", "samples", "pairs", "seconds")


def training_of(path: Path) -> dict[str, float]:
    """Updates, queries, pairs and seconds behind the weights of a run, a checkpoint or a model file, all runs together.

    Raises:
        ModelError: There is no checkpoint, or the file is damaged.
    """
    path = Path(path)
    if path.is_file():
        told: Any = {}
        if path.suffix == ".safetensors":
            told = json.loads(read_safetensors(path)[1].get("training", "{}"))
    else:
        told = json.loads((find_checkpoint(path) / "record.json").read_text(encoding="utf-8"))
    return in_all(told)


def counts_before(record: dict[str, Any], mixed: Sequence[Mapping[str, Any]] = ()) -> dict[str, float]:
    """The counts of the runs before a record's, and of the runs that were mixed in; empty where there were none."""
    parts = [part for part in (record.get("before") or {}, *mixed) if "step" in part]
    return {name: sum(part.get(name, 0) for part in parts) for name in COUNTS} if parts else {}


def in_all(record: dict[str, Any]) -> dict[str, float]:
    """The counts of a record with those of the runs before it; a count that nobody wrote down is 0."""
    before = record.get("before") or {}
    return {name: record.get(name, 0) + before.get(name, 0) for name in COUNTS}
