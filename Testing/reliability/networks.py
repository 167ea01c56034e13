"""Tiny networks of the real kind for tests that run thousands of times: untrained, all yes, all no."""

from __future__ import annotations

from functools import lru_cache

import torch

from UniverSegSlicerLib.network import Architecture, InContextModel, UniverSeg

#: What the network answers: noise, or one logit everywhere, whatever it is shown.
ANSWERS = ("noise", "yes", "no")
# "hardly" is for one test: its logit is positive, its probability in single precision one half.
_LOGITS = {"yes": 6.0, "no": -6.0, "hardly": 1e-9}


@lru_cache
def tiny_network(answer: str = "noise", query_channels: int = 4, resolution: int = 16) -> InContextModel:
    """A seeded network of two blocks on the CPU.

    Args:
        answer: One of :data:`ANSWERS`, or "hardly".
        query_channels: 1 (image only, as the published network) to 4.
        resolution: Side of its squares in pixels, a multiple of 2.
    """
    with torch.random.fork_rng():
        torch.manual_seed(11)
        network = UniverSeg(Architecture(query_channels, (4, 4), resolution=resolution))
    if answer in _LOGITS:
        with torch.no_grad():
            for name, parameter in list(network.named_parameters())[-2:]:
                parameter.fill_(_LOGITS[answer] if name.endswith("bias") else 0.0)
    return InContextModel(network, name=f"tiny-{answer}", device=torch.device("cpu"), precision="fp32")
