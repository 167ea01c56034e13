"""Which optimizer moves which weights of a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..networks.encoder_weights import encoder_of
from .config import OptimizerSettings
from .muon import Muon

# Marks the group of an encoder of photographs. Its rate is not kept there: a resumed run takes groups from its
# checkpoint, and may have been given another rate.
_ENCODER = "encoder"


def make_optimizers(network: nn.Module, settings: OptimizerSettings) -> dict[str, torch.optim.Optimizer]:
    """The optimizers of the trained parameters, by name: "adamw", and with kind "muon" also that.

    Muon moves the kernels; what has fewer than two axes, and the kernel that gives the single output plane, stays with
    Adam, since an orthogonal matrix of one row says nothing. An encoder that is trained stays with Adam too, in a
    group of its own.
    """
    encoder = encoder_of(network)
    pretrained = [] if encoder is None else [one for one in encoder.parameters() if one.requires_grad]
    known = {id(parameter) for parameter in pretrained}
    trained = [one for one in network.parameters() if one.requires_grad and id(one) not in known]
    muon = settings.kind == "muon"
    kernels = [one for one in trained if muon and one.ndim > 1 and len(one) > 1]
    moved = {id(parameter) for parameter in kernels}
    groups: list[dict[str, Any]] = [{"params": [one for one in trained if id(one) not in moved]}]
    if pretrained:
        groups.append({"params": pretrained, _ENCODER: True})
    optimizers: dict[str, torch.optim.Optimizer] = {
        "adamw": torch.optim.AdamW(groups, lr=0.0, weight_decay=settings.weight_decay)
    }
    if muon:
        optimizers["muon"] = Muon(kernels, lr=0.0, weight_decay=settings.weight_decay)
    return optimizers


def set_rate(optimizer: torch.optim.Optimizer, rate: float, encoder_rate: float) -> None:
    """Give every group of an optimizer the schedule's learning rate, an encoder's the part ``encoder_rate`` of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * (encoder_rate if group.get(_ENCODER) else 1.0)
