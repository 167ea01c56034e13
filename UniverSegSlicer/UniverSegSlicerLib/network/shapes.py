"""Whether the tensors of a forward pass fit a network and each other."""

from __future__ import annotations

from torch import Tensor

from ..errors import InputError


def check_shapes(channels: int, multiple: int, query: Tensor, support_images: Tensor, support_labels: Tensor) -> None:
    """Raise InputError unless the three tensors of a forward pass fit the network and each other.

    Args:
        channels: Planes of a query that the network reads.
        multiple: Rows and columns must be multiples of it.
        query: ``(B, channels, H, W)``; the support ``(B, S, 1, H, W)`` each.
    """
    if query.ndim != 4 or query.shape[1] != channels:
        raise InputError(f"query has shape {tuple(query.shape)}; expected (B, {channels}, H, W).")
    batch, _, rows, columns = query.shape
    if rows % multiple or columns % multiple or not rows or not columns:
        raise InputError(f"query has {rows} x {columns} pixels; both must be multiples of {multiple}.")
    expected = f"({batch}, S, 1, {rows}, {columns})"
    for name, tensor in (("support_images", support_images), ("support_labels", support_labels)):
        if tensor.ndim != 5 or tensor.shape[0] != batch or tuple(tensor.shape[2:]) != (1, rows, columns):
            raise InputError(f"{name} has shape {tuple(tensor.shape)}; expected {expected}.")
    if support_images.shape[1] != support_labels.shape[1]:
        raise InputError(
            f"support_images has {support_images.shape[1]} elements and support_labels {support_labels.shape[1]}; "
            "every image needs its label."
        )
