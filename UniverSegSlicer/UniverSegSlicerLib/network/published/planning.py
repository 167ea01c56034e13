"""Into which pieces a forward pass of the published network is cut so that it fits into memory."""

from __future__ import annotations

import torch

from ..memory import Plan
from .prepared import PreparedNetwork

# Tensors of full resolution that are alive at once, counted with some to spare: in a query's path, in a pair's work in
# one block (a quarter of the pixels, but for cross activation), and kept for a pair from block to block.
_QUERY_TENSORS = 16
_PAIR_TENSORS = 5
_KEPT_TENSORS = 0.6
_CROSS_ACTIVATION_TENSORS = 16

# Values of full-resolution features in one chunk on a CPU, whose cache holds them: four pairs of 64 x 128 x 128.
_CPU_CHUNK = 4 * 64 * 128 * 128
# Enough to keep a GPU busy.
_GPU_CHUNK = 512 * 64 * 128 * 128


def plan_passes(network: PreparedNetwork, queries: int, size: int, rows: int, columns: int, budget: int) -> Plan:
    """Pieces of a forward pass that fit into ``budget`` bytes as far as pieces can be made.

    Args:
        network: The prepared weights.
        queries: Queries to come.
        size: Elements of the support set.
        rows: Rows of a slice.
        columns: Columns of a slice.
        budget: Bytes.
    """
    unit = feature_bytes(network, rows, columns)
    keeps, works = _KEPT_TENSORS, _PAIR_TENSORS
    if network.first is None:
        keeps, works = 2 * keeps + 1, _CROSS_ACTIVATION_TENSORS
    values = max(1, unit // _item_size(network))
    pairs = max(1, (_CPU_CHUNK if network.device.type == "cpu" else _GPU_CHUNK) // values)
    budget_in_units = budget / unit

    def needed(count: int, chunk: int, keep: bool) -> float:
        return count * (_QUERY_TENSORS + chunk * works + (size * keeps if keep else 0))

    keep = needed(1, 1, True) <= budget_in_units
    count = max(1, min(queries, pairs // max(size, 1)))
    while count > 1 and needed(count, max(size, 1), keep) > budget_in_units:
        count //= 2
    chunk = max(1, min(size, pairs // count))
    while chunk > 1 and needed(count, chunk, keep) > budget_in_units:
        chunk //= 2
    return Plan(count, chunk, keep)


def feature_bytes(network: PreparedNetwork, rows: int, columns: int) -> int:
    """Bytes of the widest features of one slice at full resolution."""
    return max(block.features for block in network.blocks) * rows * columns * _item_size(network)


def _item_size(network: PreparedNetwork) -> int:
    return torch.empty(0, dtype=network.dtype).element_size()
