"""What is compared: named networks, and what their making cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
    """

    name: str
    network: TrainedNetwork
    parameters: int
    queries: int | None
    seconds: float | None


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
        return Method(name, network, parameters, None, None)
    record = json.loads((find_checkpoint(path) / "record.json").read_text(encoding="utf-8"))
    return Method(name, network, parameters, int(record["samples"]), float(record["seconds"]))
