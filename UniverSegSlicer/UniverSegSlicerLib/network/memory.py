"""How much work to take on at a time, and what to do when memory runs short all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch

from ..errors import UniverSegError
from .prepared import PreparedNetwork

Result = TypeVar("Result")

#: Working memory on a CPU unless the caller says otherwise, in bytes; never more than a quarter of what is free.
_CPU_BUDGET = 1 << 30

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


class OutOfMemory(UniverSegError):
    """Even the smallest piece of work does not fit into memory."""


@dataclass(frozen=True)
class Plan:
    """The size of the pieces of a computation.

    Args:
        queries: Queries at a time.
        chunk: Elements of the support set at a time.
        keep: Whether features of support elements are kept from block to block or computed again.
    """

    queries: int
    chunk: int
    keep: bool

    def smaller(self) -> Plan | None:
        """A plan that needs less memory, or None."""
        if self.queries > 1:
            return replace(self, queries=self.queries // 2)
        if self.keep:
            return replace(self, keep=False)
        if self.chunk > 1:
            return replace(self, chunk=self.chunk // 2)
        return None


def default_budget(device: torch.device) -> int:
    """Bytes of working memory to use on ``device`` when the caller gives no number."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()) // 2
    free = _free_memory()
    return _CPU_BUDGET if free is None else min(_CPU_BUDGET, free // 4)


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


def run_within_memory(plan: Plan, attempt: Callable[[Plan], Result]) -> tuple[Result, Plan]:
    """The result of ``attempt`` with the first plan, of ever smaller ones, for which memory suffices; and that plan.

    Raises:
        OutOfMemory: Not even the smallest plan fits.
    """
    while True:
        try:
            return attempt(plan), plan
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            smaller = plan.smaller()
            if smaller is None:
                raise OutOfMemory(
                    "There is not enough memory for one slice and one support slice of this size; use a smaller "
                    "resolution."
                ) from error
            plan = smaller
        # Behind the except block, where the error no longer holds the tensors of the failed attempt.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out, on whichever device."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    # CPU and MPS allocators raise plain RuntimeErrors.
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def _item_size(network: PreparedNetwork) -> int:
    return torch.empty(0, dtype=network.dtype).element_size()


def _free_memory() -> int | None:
    """Bytes that programs can still take, where the system says so (Linux)."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return None
    return None
