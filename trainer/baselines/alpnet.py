"""ALPNet: many local prototypes beside the global one.

Ouyang et al., Self-Supervision with Superpixels: Training Few-shot Medical Image Segmentation without Annotation, ECCV
2020. Its self-supervision by super-pixels is part of our tasks anyway.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .panet import ALPHA, PANet, prototypes

# Rows and columns of a pooling window on the feature map (section 3.3; 4 x 4 in training there).
_WINDOW = 4
# Share of a window that must be of the class for it to make a local prototype (T there).
_SHARE = 0.95


class ALPNet(PANet):
    """Adaptive local prototype pooling; every class answers with its nearest prototypes. The way back is PANet's."""

    def compared(self, features: Tensor, others: Tensor, masks: Tensor) -> Tensor:
        """See :meth:`~.panet.PANet.compared`."""
        inside, outside = prototypes(others, masks)
        return _likeness(features, others, masks, inside) - _likeness(features, others, 1 - masks, outside)


def _likeness(features: Tensor, others: Tensor, masks: Tensor, whole: Tensor) -> Tensor:
    """How like a class features are, ``(T, K, h, w)``: the mean of the scaled cosines, weighed by their own softmax.

    Args:
        features: ``(T, K, C, h, w)``.
        others: The support's, ``(T, S, C, h, w)``.
        masks: The class on the support, ``(T, S, h, w)`` in [0, 1].
        whole: The class's global prototype, ``(T, C)``, which always counts.
    """
    tasks = len(others)
    local = F.avg_pool2d(others.flatten(0, 1), _WINDOW).unflatten(0, others.shape[:2])
    share = F.avg_pool2d(masks, _WINDOW)
    local = local.permute(0, 1, 3, 4, 2).flatten(1, 3)
    held = share.flatten(1) > _SHARE
    every = torch.cat([whole[:, None], local], dim=1)
    counts = torch.cat([held.new_ones(tasks, 1), held], dim=1)
    cosine = torch.einsum("tkchw,tpc->tkphw", F.normalize(features, dim=2), F.normalize(every, dim=2)) * ALPHA
    weights = cosine.masked_fill(~counts[:, None, :, None, None], float("-inf")).softmax(dim=2)
    return (weights * cosine).sum(dim=2)
