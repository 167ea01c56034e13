"""What all baselines have in common."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.network.shapes import check_shapes

from .architecture import BaselineArchitecture


class Baseline(nn.Module):
    """A few-shot network that takes episodes as ours do.

    Attributes:
        architecture: What it is.
        term: What its method adds to the loss of the last training step, a scalar; None where it adds nothing.
    """

    architecture: BaselineArchitecture
    term: Tensor | None = None

    def __init__(self, architecture: BaselineArchitecture) -> None:
        super().__init__()
        self.architecture = architecture

    def forward(self, query: Tensor, support_images: Tensor, support_labels: Tensor) -> Tensor:
        """Logits ``(B, 1, H, W)`` of queries that come with a support set each.

        Args:
            query: ``(B, 1, H, W)``, images in [0, 1]; H and W are multiples of 32.
            support_images: ``(B, S, 1, H, W)`` in [0, 1], S at least 1.
            support_labels: ``(B, S, 1, H, W)`` in [0, 1].

        Raises:
            InputError: The tensors do not fit one another, or S is 0.
        """
        check_shapes(1, self.architecture.size_multiple, query, support_images, support_labels)
        if support_images.shape[1] == 0:
            raise InputError(f"{self.architecture.family} needs at least one example.")
        return self.episodes(query[:, None], support_images, support_labels)[:, 0]

    @abstractmethod
    def episodes(self, queries: Tensor, support_images: Tensor, support_labels: Tensor) -> Tensor:
        """Logits ``(T, K, 1, H, W)`` of K queries a task, ``(T, K, 1, H, W)``, with its support ``(T, S, 1, H, W)``."""
