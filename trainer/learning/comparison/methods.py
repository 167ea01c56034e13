"""What is compared: named networks, and what their making cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from UniverSegSlicerLib.errors import InputError

from ..loop.checkpoints import averaged_network, find_checkpoint
from ..networks.kinds import TrainedNetwork


@dataclass(frozen=True, eq=False)
class Method:
    """A network with a name.

    Attributes:
        name: As it is called in tables.
        network: In evaluation mode.
        parameters: Their number, the encoder's included.
        queries: Queries seen in training; None where no run tells.
        seconds: Of training, on the clock; None where no run tells.
        design: Name of its configuration, which runs on other data sets share; None where no run tells.
        datasets: Data sets that its configuration names; None where it takes all of its role, or no run tells.
        folder: Of the run; None for a model file.
    """

    name: str
    network: TrainedNetwork
    parameters: int
    queries: int | None = None
    seconds: float | None = None
    design: str | None = None
    datasets: tuple[str, ...] | None = None
    folder: Path | None = None


def open_methods(named: Sequence[str], device: torch.device) -> list[Method]:
    """The networks of ``NAME=PATH``; a path is a run, a checkpoint or a model file.

    Raises:
        InputError: No name, or one twice.
        ModelError: There is no network at the path.
    """
    methods: list[Method] = []
    for text in named:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise InputError(f"{text!r} is not NAME=PATH, such as panet=runs/panet.")
        if name in {method.name for method in methods}:
            raise InputError(f"the name {name!r} is given twice.")
        methods.append(_open(name, Path(path), device))
    return methods


def _open(name: str, path: Path, device: torch.device) -> Method:
    network = averaged_network(path).eval().to(device)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    if path.is_file():
        return Method(name, network, parameters)
    record = read_record(path)
    config = record["configs"][-1]["config"]
    named = config["data"].get("datasets")
    return Method(
        name,
        network,
        parameters,
        int(record["samples"]),
        float(record["seconds"]),
        str(config["name"]),
        None if named is None else tuple(named),
        path,
    )


def read_record(path: Path) -> dict[str, Any]:
    """What a checkpoint, or the latest of a run, tells of its training."""
    record: dict[str, Any] = json.loads((find_checkpoint(path) / "record.json").read_text(encoding="utf-8"))
    return record
