"""A training run: settings, optimizers, losses, checkpoints. :func:`.training.train` carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from UniverSegSlicerLib.front_door import on_demand

if TYPE_CHECKING:
    from .checkpoints import averaged_network, find_checkpoint
    from .config import TrainingConfig, from_mapping, load_config
    from .run_options import RunOptions, RunState
    from .training import train

__all__ = [
    "RunOptions",
    "RunState",
    "TrainingConfig",
    "averaged_network",
    "find_checkpoint",
    "from_mapping",
    "load_config",
    "train",
]

__getattr__ = on_demand(
    __name__,
    {
        "RunOptions": "run_options",
        "RunState": "run_options",
        "TrainingConfig": "config",
        "averaged_network": "checkpoints",
        "find_checkpoint": "checkpoints",
        "from_mapping": "config",
        "load_config": "config",
        "train": "training",
    },
)
