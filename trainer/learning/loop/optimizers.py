"""Which optimizer moves which weights of a network."""

from __future__ import annotations

import torch
from torch import nn

from .config import OptimizerSettings
from .muon import Muon


def make_optimizers(network: nn.Module, settings: OptimizerSettings) -> dict[str, torch.optim.Optimizer]:
    """The optimizers of the trained parameters, by name: "adamw", and with kind "muon" also that.

    Muon moves the kernels; what has fewer than two axes, and the kernel that gives the single output plane, stays with
    Adam, since an orthogonal matrix of one row says nothing.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if settings.kind == "adamw":
        return {"adamw": torch.optim.AdamW(trained, lr=0.0, weight_decay=settings.weight_decay)}
    kernels = [parameter for parameter in trained if parameter.ndim > 1 and len(parameter) > 1]
    rest = [parameter for parameter in trained if parameter.ndim < 2 or len(parameter) == 1]
    return {
        "adamw": torch.optim.AdamW(rest, lr=0.0, weight_decay=settings.weight_decay),
        "muon": Muon(kernels, lr=0.0, weight_decay=settings.weight_decay),
    }
