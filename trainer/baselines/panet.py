"""PANet: one prototype of the structure, one of the rest, and the nearer one wins.

Wang et al., PANet: Few-Shot Image Semantic Segmentation with Prototype Alignment, ICCV 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .architecture import BaselineArchitecture
from .baseline import Baseline
from .features import Features, enlarged, examine, on_grid

#: Multiplier of the cosine (section 3.3 of the paper).
ALPHA = 20.0


class PANet(Baseline):
    """Masked average pooling, cosine distance, and the alignment regularisation (weight 1, as published)."""

    def __init__(self, architecture: BaselineArchitecture) -> None:
        super().__init__(architecture)
        self.features = Features(architecture.width)

    def episodes(self, queries: Tensor, support_images: Tensor, support_labels: Tensor) -> Tensor:
        """See :meth:`~.baseline.Baseline.episodes`."""
        side = (int(queries.shape[-2]), int(queries.shape[-1]))
        own, others = examine(self.features, queries, support_images)
        logits = self.compared(own, others, on_grid(support_labels, others))
        self.term = None
        if self.training:
            # The way back: the answer as a mask on the queries must give prototypes that segment the support.
            answer = (logits.detach() > 0).float()
            back = enlarged(self.compared(others, own, answer), side)
            self.term = F.binary_cross_entropy_with_logits(back, support_labels)
        return enlarged(logits, side)

    def compared(self, features: Tensor, others: Tensor, masks: Tensor) -> Tensor:
        """Log-odds ``(T, K, h, w)`` of features ``(T, K, C, h, w)`` by examples ``(T, S, C, h, w)`` and masks."""
        return matched(features, *prototypes(others, masks))


def prototypes(features: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """The mean over images of the mean feature inside and outside of a mask, ``(T, C)`` each.

    Args:
        features: ``(T, S, C, h, w)``.
        masks: ``(T, S, h, w)`` in [0, 1]. Images on which one side is empty do not count for its prototype.
    """
    return _pooled(features, masks), _pooled(features, 1 - masks)


def _pooled(features: Tensor, weights: Tensor) -> Tensor:
    area = weights.sum(dim=(2, 3))
    each = torch.einsum("tschw,tshw->tsc", features, weights) / (area[..., None] + 1e-5)
    held = (area > 1e-3).float()[..., None]
    return (each * held).sum(dim=1) / held.sum(dim=1).clamp_min(1)


def matched(features: Tensor, inside: Tensor, outside: Tensor) -> Tensor:
    """Log-odds ``(T, K, h, w)`` of the softmax over both scaled cosines (equations 3 and 4)."""
    unit = F.normalize(features, dim=2)
    both = torch.stack([F.normalize(inside, dim=1), F.normalize(outside, dim=1)])
    near, far = torch.einsum("tkchw,ptc->ptkhw", unit, both)
    return ALPHA * (near - far)
