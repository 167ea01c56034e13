"""Where a run takes place: processes, devices and their random states."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers import TensorBoardLogger
from lightning.fabric.strategies import DDPStrategy

from .allocator import keep_freed_memory
from .config import TrainingConfig
from .run_options import RunOptions


def launch(config: TrainingConfig, options: RunOptions, logger: TensorBoardLogger) -> Fabric:
    """Start the processes of a run: on this machine by itself, or within those of torchrun."""
    keep_freed_memory()
    torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    processes = int(os.environ.get("WORLD_SIZE", "1")) if torchrun else options.devices * options.nodes
    strategy: Any = "auto"
    if processes > 1:
        # Steps without support leave the support's convolutions without a gradient.
        strategy = DDPStrategy(find_unused_parameters=True)
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if torchrun else options.devices
    fabric = Fabric(
        accelerator=options.accelerator,
        devices=local,
        num_nodes=max(1, processes // local),
        strategy=strategy,
        precision=config.precision,
        loggers=[logger],
    )
    fabric.launch()
    if processes > 1:
        # Lightning does so for NCCL only; gloo's threads end a process that exits under them ("terminate called").
        atexit.register(_leave_processes)
    return fabric


def _leave_processes() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Leave PyTorch's random state as it was, whatever the block draws."""
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)


def describe_device(device: torch.device) -> str:
    """A device in words, for records."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"
