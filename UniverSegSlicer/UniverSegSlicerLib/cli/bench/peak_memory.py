"""The most memory that a piece of work takes beyond what the process had before."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


class PeakMemory:
    """Peak of memory since its making: of the GPU where one computes, else of the process.

    Args:
        device: Where the work is done.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._before: int | None = torch.cuda.memory_allocated(device)
        else:
            self._before = _reset_process_peak() if device.type == "cpu" else None

    def extra_bytes(self) -> int | None:
        """Bytes at the peak beyond those at the start; None where this cannot be measured."""
        if self._before is None:
            return None
        if self._device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self._device)) - self._before
        return max(0, _process_peak() - self._before)


def _reset_process_peak() -> int | None:
    """Bytes that the process has now; its peak counts anew from here where the system can do that."""
    try:
        _RESET.write_text("5")  # see proc(5)
        return _status_bytes("VmRSS")
    except OSError:
        return None if sys.platform == "win32" else _process_peak()


def _process_peak() -> int:
    try:
        return _status_bytes("VmHWM")
    except OSError:
        import resource

        kilobytes = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilobytes


def _status_bytes(field: str) -> int:
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{_STATUS} has no {field}")
