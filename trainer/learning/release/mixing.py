"""The mean of networks of one descent, often better than any of them (Wortsman et al., Model soups, ICML 2022)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from UniverSegSlicerLib.errors import InputError

from ..loop.beginnings import COUNTS
from ..loop.checkpoints import averaged_network, find_checkpoint, require_same_trunk
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

    def told(self, before: Mapping[str, float]) -> dict[str, Any]:
        """The share, with the file's hash or the counts of the run: for records and cards.

        Args:
            before: Counts behind the weights that the bundled run began with. Those of a run that it did not begin as
                well with are left out: it is one of the earlier runs, which ``before`` counts already.
        """
        if self.path.is_file():
            return {"share": self.share, "sha256": hashlib.sha256(self.path.read_bytes()).hexdigest()}
        record = json.loads((find_checkpoint(self.path) / "record.json").read_text(encoding="utf-8"))
        beside = (record.get("before") or {}) == before
        return {"share": self.share, "sha256": None} | ({name: record[name] for name in COUNTS} if beside else {})


def mix(network: TrainedNetwork, others: Sequence[Mixed]) -> None:
    """Replace the weights of a network by the mean with those of others; it keeps what they leave of the whole.

    Raises:
        InputError: The shares are none.
        ModelError: One is no model, or of another architecture.
    """
    for other in others:
        if not 0 <= other.share <= 1:
            raise InputError(f"the share of {other.path} is {other.share:g}; expected a number from 0 to 1.")
    own = 1 - sum(other.share for other in others)
    if own < -1e-6:
        raise InputError(f"the shares add up to {1 - own:g}; together they may be 1 at most.")
    means = {name: own * value for name, value in network.state_dict().items() if value.is_floating_point()}
    for other in others:
        second = averaged_network(other.path)
        require_same_trunk(second.architecture, network.architecture, other.path)
        theirs = second.state_dict()
        means = {name: mean + other.share * theirs[name].to(mean) for name, mean in means.items()}
    network.load_state_dict({**network.state_dict(), **means})
