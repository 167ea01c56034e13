"""Inference with a support set that is encoded once and queries that come in any number."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..errors import InputError
from ..progress import CancelToken, ProgressCallback
from .architecture import QUERY_PLANES
from .engines import Engine, engine_for
from .families import AnyArchitecture, AnyNetwork
from .features import describe
from .memory import OutOfMemory, Plan, default_budget, run_within_memory
from .precision import Precision, choose_dtype
from .shapes import check_shapes

ArrayLike: TypeAlias = Tensor | np.ndarray


class EncodedSupport:
    """A support set, ready for any number of queries; :meth:`InContextModel.encode_support` makes it.

    Args:
        planes: Image and label of every element, (S, 2, H, W) float32 on the CPU.
    """

    def __init__(self, planes: Tensor) -> None:
        self._planes = planes
        self._engine: Engine | None = None
        self._encoding: Any = None

    @property
    def size(self) -> int:
        """S, the number of elements."""
        return self._planes.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of its slices."""
        return self._planes.shape[2], self._planes.shape[3]

    def encoding_for(self, engine: Engine, budget: int) -> Any:
        """The encoding for ``engine``, computed when first asked for."""
        if self._engine is not engine:
            # Let go of first: there may be no room for both, and where encoding fails nothing old may pass for it.
            self._engine = self._encoding = None
            self._encoding = engine.encode(self._planes, budget)
            self._engine = engine
        return self._encoding


class InContextModel:
    """A trained network on a device, for inference.

    Args:
        network: The network, kept as the attribute ``network``; what computes is a copy of its weights.
        name: What the user calls it.
        device: Where it computes. When its memory does not suffice for the smallest piece of work, the model moves to
            the CPU for good, with a warning.
        precision: ``"fp32"``, ``"bf16"``, or ``"auto"``: bf16 where the device has instructions for it.
    """

    def __init__(self, network: AnyNetwork, *, name: str, device: torch.device, precision: Precision = "auto") -> None:
        self.name = name
        self.network = network
        self._precision: Precision = precision
        with torch.inference_mode():
            self._engine = engine_for(network, device, choose_dtype(precision, device))

    def with_network(self, network: AnyNetwork, name: str) -> InContextModel:
        """Another network on the same device and in the same precision; this model stays as it is."""
        return InContextModel(network, name=name, device=self.device, precision=self._precision)

    @property
    def architecture(self) -> AnyArchitecture:
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

    @property
    def finest(self) -> int:
        """Slices may be shown to the network in so many times as many pixels a side, for so much squared the time."""
        return self.architecture.finest

    @property
    def device(self) -> torch.device:
        """Where the model computes now."""
        return self._engine.device

    @property
    def dtype(self) -> torch.dtype:
        """The type that it computes in, float32 or bfloat16."""
        return self._engine.dtype

    def __call__(self, query: ArrayLike, support_images: ArrayLike, support_labels: ArrayLike) -> Tensor:
        """Logits of queries that come with a support set each.

        Args:
            query: (B, Q, H, W) in [0, 1].
            support_images: (B, S, 1, H, W) in [0, 1]; S may be 0.
            support_labels: (B, S, 1, H, W) in [0, 1].

        Returns:
            (B, 1, H, W) float32 on the CPU; positive inside the structure.

        Raises:
            InputError: The shapes do not fit together.
        """
        queries, images, labels = (_tensor(x) for x in (query, support_images, support_labels))
        check_shapes(self.query_channels, self.architecture.size_multiple, queries, images, labels)
        logits = [
            self.predict(queries[index : index + 1], self.encode_support(images[index], labels[index]))
            for index in range(len(queries))
        ]
        return torch.cat(logits) if logits else torch.empty(0, 1, *queries.shape[2:])

    def describe(self, images: np.ndarray) -> np.ndarray:
        """What slices look like to the network; see :func:`~.features.describe`."""
        return describe(self.network, images)

    def encode_support(self, images: ArrayLike, labels: ArrayLike) -> EncodedSupport:
        """Compute all that depends on the support set alone.

        Args:
            images: (S, 1, H, W) in [0, 1]; S may be 0.
            labels: (S, 1, H, W) in [0, 1].

        Raises:
            InputError: The shapes do not fit together, or H or W is no multiple of ``architecture.size_multiple``.
        """
        pair = _tensor(images), _tensor(labels)
        for name, tensor in zip(("images", "labels"), pair, strict=True):
            if tensor.ndim != 4 or tensor.shape[1] != 1:
                raise InputError(f"{name} of the support have shape {tuple(tensor.shape)}; expected (S, 1, H, W).")
        if pair[0].shape != pair[1].shape:
            raise InputError(
                f"Images and labels of the support have shapes {tuple(pair[0].shape)} and {tuple(pair[1].shape)}; "
                "every image needs its label."
            )
        self._check_size("support", *pair[0].shape[2:])
        support = EncodedSupport(torch.cat(pair, dim=1))
        self._encode(support, default_budget(self.device))
        return support

    def predict(
        self,
        queries: ArrayLike,
        support: EncodedSupport,
        *,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
        memory_budget: int | None = None,
    ) -> Tensor:
        """Logits of any number of queries with one support set.

        Args:
            queries: (N, Q', H, W) in [0, 1], the first Q' of
                :data:`~UniverSegSlicerLib.network.architecture.QUERY_PLANES`. Planes that are missing count as zero;
                planes that the network does not know must be zero.
            support: What :meth:`encode_support` returned.
            progress: Told after every piece of work.
            cancel: Looked at before every piece of work.
            memory_budget: Bytes of working memory; by default a share of what is free. Pieces are made as small as it
                takes, down to one query and one support element.

        Returns:
            (N, 1, H, W) float32 on the CPU; positive inside the structure.

        Raises:
            InputError: The shapes do not fit, or a plane that the network does not know is not empty.
            Cancelled: ``cancel`` was raised.
            OutOfMemory: Not even one query and one support element fit.
        """
        planes = self._checked(_tensor(queries), support)
        logits = torch.empty(len(planes), 1, *support.shape)
        plan: Plan | None = None
        start = 0
        while start < len(planes):
            budget = default_budget(self.device) if memory_budget is None else memory_budget
            encoding = self._encode(support, budget)
            plan = plan or self._engine.plan(len(planes), support.size, *support.shape, budget)
            attempt = partial(self._attempt, planes, start, encoding, progress, cancel)
            try:
                found, plan = run_within_memory(plan, attempt)
            except OutOfMemory:
                if self.device.type == "cpu":
                    raise
                self._move_to_cpu()
                plan = None
                continue
            logits[start : start + len(found)] = found
            start += len(found)
        return logits

    @torch.inference_mode()
    def _attempt(
        self,
        queries: Tensor,
        start: int,
        encoding: Any,
        progress: ProgressCallback | None,
        cancel: CancelToken | None,
        plan: Plan,
    ) -> Tensor:
        """Logits of the next ``plan.queries`` queries from ``start``, on the CPU."""
        group = queries[start : start + plan.queries]
        message = f"{len(queries)} slices" if len(queries) > 1 else "1 slice"

        def checkpoint(fraction: float) -> None:
            if cancel is not None:
                cancel.raise_if_cancelled()
            if progress is not None:
                progress((start + fraction * len(group)) / len(queries), f"Segmenting {message}")

        logits = self._engine.predict(group, encoding, plan, checkpoint)
        checkpoint(1.0)
        return logits

    def _encode(self, support: EncodedSupport, budget: int) -> Any:
        with torch.inference_mode():
            try:
                return support.encoding_for(self._engine, budget)
            except OutOfMemory:
                if self.device.type == "cpu":
                    raise
                self._move_to_cpu()
                return support.encoding_for(self._engine, default_budget(self.device))

    def _move_to_cpu(self) -> None:
        warnings.warn(f"The memory of {self.device} is short; the model {self.name} goes on on the CPU.", stacklevel=3)
        cpu = torch.device("cpu")
        with torch.inference_mode():
            self._engine = engine_for(self.network, cpu, choose_dtype(self._precision, cpu))

    def _checked(self, queries: Tensor, support: EncodedSupport) -> Tensor:
        """The queries with exactly the planes that the network reads."""
        if queries.ndim != 4 or not queries.shape[1] or tuple(queries.shape[2:]) != support.shape:
            rows, columns = support.shape
            raise InputError(
                f"queries have shape {tuple(queries.shape)}; expected (N, 1 to {len(QUERY_PLANES)}, {rows}, {columns}) "
                "as in the support set."
            )
        for plane in range(self.query_channels, queries.shape[1]):
            if queries[:, plane].any():
                name = QUERY_PLANES[plane] if plane < len(QUERY_PLANES) else f"plane {plane}"
                raise InputError(f"The model {self.name} cannot use {name}; choose a model that can, or leave it out.")
        queries = queries[:, : self.query_channels]
        return functional.pad(queries, (0, 0, 0, 0, 0, self.query_channels - queries.shape[1]))

    def _check_size(self, name: str, rows: int, columns: int) -> None:
        multiple = self.architecture.size_multiple
        if not rows or not columns or rows % multiple or columns % multiple:
            raise InputError(f"{name} has {rows} x {columns} pixels; both must be multiples of {multiple}.")


def _tensor(array: ArrayLike) -> Tensor:
    return torch.as_tensor(array).detach().to("cpu", torch.float32)
