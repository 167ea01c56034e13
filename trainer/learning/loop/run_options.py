"""How a run is carried out, and what it has come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RunOptions:
    """How a run is carried out; nothing here changes what is computed on one device.

    Args:
        folder: Where checkpoints, log, pictures and the record go.
        accelerator: "auto", "cpu", "cuda", "mps".
        devices: Processes on this machine; 0 leaves it to torchrun's environment.
        nodes: Machines.
        minutes: Stop, with a checkpoint, after so many minutes (None: at the end of the configuration).
        resume: Go on from the folder's latest checkpoint.
        changed_config: Allow a resumed run to go on with another configuration of the same network.
        initial: A checkpoint or run whose averaged weights are the start, or a model file.
    """

    folder: Path
    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    minutes: float | None = None
    resume: bool = False
    changed_config: bool = False
    initial: Path | None = None


@dataclass
class RunState:
    """What changes during a run."""

    step: int = 0
    seconds: float = 0.0
    samples: int = 0
    pairs: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    configs: list[dict[str, Any]] = field(default_factory=list)
    before: dict[str, float] = field(default_factory=dict)
