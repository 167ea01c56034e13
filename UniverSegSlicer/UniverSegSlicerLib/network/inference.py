"""Inference with a support set that is encoded once and queries that come in any number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..progress import CancelToken, ProgressCallback
from .architecture import Architecture
from .model import UniverSeg

ArrayLike = Tensor | np.ndarray


@dataclass(frozen=True)
class EncodedSupport:
    """A support set, ready for any number of queries.

    Args:
        planes: (S, 2, H, W), image and label.
        size: S.
        shape: (H, W).
    """

    planes: Tensor
    size: int
    shape: tuple[int, int]


class InContextModel:
    """A trained network on a device.

    Args:
        network: The network; it is moved to ``device`` and put into evaluation mode.
        name: What the user calls it.
        device: Where it computes.
    """

    def __init__(self, network: UniverSeg, *, name: str, device: torch.device) -> None:
        self.name = name
        self.device = device
        self.network = network.to(device).eval()

    @property
    def architecture(self) -> Architecture:
        """The shape of the network."""
        return self.network.architecture

    @property
    def query_channels(self) -> int:
        """Planes of a query that the network reads."""
        return self.architecture.query_channels

    @property
    def resolution(self) -> int:
        """Side in pixels of the square slices that the network was trained on."""
        return self.architecture.resolution

    @torch.inference_mode()
    def __call__(self, query: ArrayLike, support_images: ArrayLike, support_labels: ArrayLike) -> Tensor:
        """Logits (B, 1, H, W) of queries (B, Q, H, W) with supports (B, S, 1, H, W) each."""
        tensors = (_tensor(x).to(self.device) for x in (query, support_images, support_labels))
        return self.network(*tensors).float().cpu()

    @torch.inference_mode()
    def encode_support(self, images: ArrayLike, labels: ArrayLike) -> EncodedSupport:
        """Encode a support set of images and labels, (S, 1, H, W) each in [0, 1]; S may be 0."""
        images, labels = _tensor(images), _tensor(labels)
        planes = torch.cat([images, labels], dim=1).to(self.device)
        return EncodedSupport(planes, planes.shape[0], (planes.shape[2], planes.shape[3]))

    @torch.inference_mode()
    def predict(
        self,
        queries: ArrayLike,
        support: EncodedSupport,
        *,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
        memory_budget: int | None = None,
    ) -> Tensor:
        """Logits (N, 1, H, W) of queries (N, Q', H, W), float32 on the CPU."""
        queries = self._padded(_tensor(queries))
        images, labels = support.planes[None, :, :1], support.planes[None, :, 1:]
        results = []
        for index in range(len(queries)):
            if cancel is not None:
                cancel.raise_if_cancelled()
            results.append(self.network(queries[index : index + 1].to(self.device), images, labels).float().cpu())
            if progress is not None:
                progress((index + 1) / len(queries), f"{index + 1} of {len(queries)} slices")
        return torch.cat(results) if results else torch.empty(0, 1, *support.shape)

    def _padded(self, queries: Tensor) -> Tensor:
        extra = queries[:, self.query_channels :]
        if extra.numel() and extra.any():
            raise InputError(
                f"The model {self.name} reads {self.query_channels} query planes; plane {self.query_channels + 1} is "
                "not empty."
            )
        queries = queries[:, : self.query_channels]
        missing = self.query_channels - queries.shape[1]
        return torch.nn.functional.pad(queries, (0, 0, 0, 0, 0, missing))


def _tensor(array: ArrayLike) -> Tensor:
    return torch.as_tensor(array, dtype=torch.float32)
