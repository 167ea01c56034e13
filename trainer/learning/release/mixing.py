"""The mean of two networks of one descent, often better than either (Wortsman et al., Model soups, ICML 2022)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch

from UniverSegSlicerLib.errors import InputError

from ..loop.checkpoints import averaged_network, require_same_trunk
from ..networks.kinds import TrainedNetwork


@dataclass(frozen=True)
class Mixed:
    """What is mixed into a network.

    Attributes:
        path: A model file, run or checkpoint; the network began with its weights, or both with the same.
        share: Its share in the mean, 0 to 1.
    """

    path: Path
    share: float

    def told(self) -> dict[str, object]:
        """The share, with the file's hash where it is a file: for records and cards."""
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest() if self.path.is_file() else None
        return {"share": self.share, "sha256": digest}


def mix(network: TrainedNetwork, other: Mixed) -> None:
    """Replace the weights of a network by the mean with another's.

    Raises:
        InputError: The share is none.
        ModelError: The other is no model, or of another architecture.
    """
    if not 0 <= other.share <= 1:
        raise InputError(f"the share of {other.path} is {other.share:g}; expected a number from 0 to 1.")
    second = averaged_network(other.path)
    require_same_trunk(second.architecture, network.architecture, other.path)
    theirs = second.state_dict()
    with torch.no_grad():
        for name, mine in network.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name].to(mine), other.share)
