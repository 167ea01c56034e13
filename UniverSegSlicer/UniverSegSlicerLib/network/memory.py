"""How much work to take on at a time, and what to do when memory runs short all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch

from ..errors import UniverSegError

Result = TypeVar("Result")

#: Working memory on a CPU unless the caller says otherwise, in bytes; never more than a quarter of what is free.
_CPU_BUDGET = 1 << 30


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


def _free_memory() -> int | None:
    """Bytes that programs can still take, where the system says so (Linux)."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return None
    return None
