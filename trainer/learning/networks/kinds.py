"""All networks that the loop trains: our two families, and the baselines that they are compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from torch import Tensor

from trainer.baselines.architecture import FAMILIES, BaselineArchitecture
from trainer.baselines.baseline import Baseline
from trainer.baselines.families import new_baseline
from UniverSegSlicerLib.network.families import AnyArchitecture, AnyNetwork, architecture_from_dict, new_network
from UniverSegSlicerLib.network.weights.files import build_network

TrainedArchitecture: TypeAlias = AnyArchitecture | BaselineArchitecture
TrainedNetwork: TypeAlias = AnyNetwork | Baseline


def trained_architecture(values: Any) -> TrainedArchitecture:
    """The architecture that ``to_dict`` wrote.

    Raises:
        ModelError: Its family is not known, or a field is unknown or out of range.
    """
    if isinstance(values, Mapping) and values.get("family") in FAMILIES:
        return BaselineArchitecture.from_dict(values)
    return architecture_from_dict(values)


def trained_architecture_from_json(text: str) -> TrainedArchitecture:
    """The architecture in the metadata of a checkpoint.

    Raises:
        ModelError: ``text`` is no architecture.
    """
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    return trained_architecture(values)


def new_trained(architecture: TrainedArchitecture) -> TrainedNetwork:
    """A network of this architecture with random weights."""
    if isinstance(architecture, BaselineArchitecture):
        return new_baseline(architecture)
    return new_network(architecture)


def trained_of(state: Mapping[str, Tensor], architecture: TrainedArchitecture, source: object) -> TrainedNetwork:
    """The network of ``architecture`` with the tensors of ``state``.

    Raises:
        ModelError: A tensor is missing, left over, of another shape or not finite.
    """
    return build_network(state, architecture, source, make=new_trained)


def term_of(network: TrainedNetwork) -> Tensor | None:
    """What a baseline's method adds to the loss of its last forward pass in training; None where it adds nothing."""
    return network.term if isinstance(network, Baseline) else None
