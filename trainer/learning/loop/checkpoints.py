"""Checkpoints: a folder of small files that appears whole or not at all, and continues a run bit for bit."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer.folders import remove_folder, replace_folder
from UniverSegSlicerLib.errors import ModelError, OutputError
from UniverSegSlicerLib.network.weights.files import load_tensors, read_network
from UniverSegSlicerLib.network.weights.safetensors import read_safetensors, write_safetensors

from ..networks.kinds import TrainedArchitecture, TrainedNetwork, trained_architecture_from_json, trained_of

_NAME = re.compile(r"step_(\d+)")


@dataclass
class Checkpoint:
    """All that a run needs to go on.

    ``network`` and ``averaged`` are state dicts; ``optimizers`` are the optimizers' state dicts by name; ``ranks``
    holds the sampler and generator states of every process; ``record`` is plain data (config, history, seconds).
    """

    step: int
    architecture: TrainedArchitecture
    network: Mapping[str, Tensor]
    averaged: Mapping[str, Tensor]
    averaged_updates: int
    optimizers: Mapping[str, Any]
    ranks: list[Any]
    record: dict[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint, keep: int = 3) -> Path:
    """Write ``folder/step_NNNNNNN`` and remove the oldest beyond ``keep``.

    The files are written into a hidden folder first, which then takes its name in one step: a full disk or a killed
    process leaves the earlier checkpoints as they were. No file holds more than the optimizer's two moments, so a
    network of 64 features stays under 16 MB a file.

    Raises:
        OutputError: It cannot be written; nothing half-written is left.
    """
    target = folder / f"step_{checkpoint.step:07d}"
    partial = folder / f".{target.name}.partial"
    try:
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        metadata = {"architecture": checkpoint.architecture.to_json(), "step": str(checkpoint.step)}
        write_safetensors(partial / "model.safetensors", checkpoint.network, metadata)
        write_safetensors(partial / "averaged.safetensors", checkpoint.averaged, metadata)
        torch.save(dict(checkpoint.optimizers), partial / "optimizer.pt")
        torch.save(checkpoint.ranks, partial / "states.pt")
        record = {**checkpoint.record, "step": checkpoint.step, "averaged_updates": checkpoint.averaged_updates}
        (partial / "record.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
        replace_folder(partial, target)
    except (OSError, RuntimeError, OutputError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise OutputError(
            f"{target}: the checkpoint cannot be written ({error}); the earlier ones are untouched."
        ) from error
    for old in list_checkpoints(folder)[:-keep] if keep else []:
        remove_folder(old)
    return target


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    found = [path for path in folder.glob("step_*") if _NAME.fullmatch(path.name) and (path / "record.json").is_file()]
    return sorted(found, key=lambda path: path.name)


def find_checkpoint(path: Path) -> Path:
    """The checkpoint that ``path`` means: itself, or the latest of a run.

    Raises:
        ModelError: There is none.
    """
    if (path / "record.json").is_file() and (path / "model.safetensors").is_file():
        return path
    found = list_checkpoints(path / "checkpoints") or list_checkpoints(path)
    if not found:
        raise ModelError(f"{path}: no checkpoint there; expected a folder step_* of a run, or the run itself.")
    return found[-1]


def load_checkpoint(path: Path, architecture: TrainedArchitecture | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: Its folder, or its run's.
        architecture: What the network must be; None accepts any.

    Raises:
        ModelError: It is missing or damaged, or of another architecture (which field differs is said).
    """
    path = find_checkpoint(Path(path))
    network, metadata = read_safetensors(path / "model.safetensors")
    averaged, _ = read_safetensors(path / "averaged.safetensors")
    found = trained_architecture_from_json(metadata.get("architecture", "null"))
    if architecture is not None:
        require_same_trunk(found, architecture, path)
    optimizers, ranks = load_tensors(path / "optimizer.pt"), load_tensors(path / "states.pt")
    try:
        record = dict(json.loads((path / "record.json").read_text(encoding="utf-8")))
        step, updates = int(record["step"]), int(record.get("averaged_updates", 0))
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ModelError(f"{path}: the checkpoint is damaged ({error}).") from error
    return Checkpoint(step, found, network, averaged, updates, optimizers, ranks, record)


def require_same_trunk(found: TrainedArchitecture, wanted: TrainedArchitecture, source: object) -> None:
    """Raise ModelError where two architectures differ in anything but the sides of slices that they are for."""
    ours, theirs = wanted.to_dict(), found.to_dict()
    for name in {**theirs, **ours}:
        if name not in ("resolution", "finest") and ours.get(name) != theirs.get(name):
            raise ModelError(
                f"{source}: {name} is {theirs.get(name)} in the checkpoint and {ours.get(name)} in the configuration."
            )


def averaged_network(path: Path) -> TrainedNetwork:
    """The network with the averaged weights of a checkpoint or run, for evaluation and release; or of a model file.

    Raises:
        ModelError: There is no checkpoint, or the file is damaged.
    """
    if Path(path).is_file():
        return read_network(Path(path))
    path = find_checkpoint(Path(path))
    state, metadata = read_safetensors(path / "averaged.safetensors")
    return trained_of(state, trained_architecture_from_json(metadata.get("architecture", "null")), path)
