"""Seeded networks and inputs for the tests of this folder."""

from __future__ import annotations

import torch

from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.network.published.model import UniverSeg


def build(architecture: Architecture, seed: int = 0) -> UniverSeg:
    """A network whose biases are not zero, so that a forgotten or doubled one shows."""
    torch.manual_seed(seed)
    network = UniverSeg(architecture)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    return network


def example(channels: int, support: int, batch: int = 2, rows: int = 32, columns: int = 24) -> tuple[torch.Tensor, ...]:
    """Queries (batch, channels, rows, columns), support images and labels (batch, support, 1, rows, columns)."""
    generator = torch.Generator().manual_seed(support)
    images = torch.rand(batch, support, 1, rows, columns, generator=generator)
    labels = (torch.rand(batch, support, 1, rows, columns, generator=generator) > 0.5).float()
    return torch.rand(batch, channels, rows, columns, generator=generator), images, labels
