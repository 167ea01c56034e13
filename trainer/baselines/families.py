"""The network that a baseline's architecture describes."""

from __future__ import annotations

from .alpnet import ALPNet
from .architecture import BaselineArchitecture
from .baseline import Baseline
from .panet import PANet
from .senet import SENet

_NETWORKS: dict[str, type[Baseline]] = {"panet": PANet, "alpnet": ALPNet, "senet": SENet}


def new_baseline(architecture: BaselineArchitecture) -> Baseline:
    """A network of this architecture with random weights."""
    return _NETWORKS[architecture.family](architecture)
