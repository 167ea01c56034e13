"""What a slice looks like to a network, in a few hundred numbers."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from .attentive.model import AttentiveUniverSeg
from .families import AnyNetwork

# Slices at a time.
_TOGETHER = 8
#: Levels of the attentive encoder that tell what is shown rather than where its edges lie: strides 8, 16 and 32.
_TELLING = (2, 3, 4)


def describe(network: AnyNetwork, images: np.ndarray) -> np.ndarray:
    """Features of slices, float32 (N, C), each of length 1; slices that look alike have like ones.

    They are the means over the slice of the encoder's maps, computed in float32 on the CPU, so that they do not hang on
    the device that segments.

    Args:
        network: Of either family, in float32 on the CPU.
        images: (N, side, side) in [0, 1]; the side is a multiple of the architecture's ``size_multiple``.
    """
    channels = network.architecture.query_channels
    parts = []
    with torch.inference_mode():
        for some in torch.as_tensor(np.ascontiguousarray(images, np.float32)).split(_TOGETHER):
            if isinstance(network, AttentiveUniverSeg):
                maps = network.features(some[None, :, None])
                found = [functional.normalize(maps[level][0].mean(dim=(2, 3)), dim=1) for level in _TELLING]
                whole = torch.cat(found, dim=1)
            else:
                query = functional.pad(some[:, None], (0, 0, 0, 0, 0, channels - 1))
                whole = network.features(query).mean(dim=(2, 3))
            parts.append(functional.normalize(whole, dim=1))
    return torch.cat(parts).numpy() if parts else np.zeros((0, 1), np.float32)
