"""Which device and which precision to compute in."""

from __future__ import annotations

from typing import Literal

import torch

from ..errors import InputError

Precision = Literal["auto", "fp32", "bf16"]


def choose_device(device: str) -> torch.device:
    """The device that ``device`` names.

    Args:
        device: ``"auto"`` (CUDA, then MPS, then CPU), or a name that torch knows: ``"cpu"``, ``"cuda"``, ``"cuda:1"``,
            ``"mps"``.

    Raises:
        InputError: There is no such device, or not on this machine.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        chosen = None
    if chosen is None or chosen.type not in ("cpu", "cuda", "mps"):
        raise InputError(f"device must be auto, cpu, cuda or mps, not {device!r}.")
    missing_cuda = chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count()
    if missing_cuda or (chosen.type == "mps" and not torch.backends.mps.is_available()):
        raise InputError(f"device {device!r} is not available on this machine; use auto or cpu.")
    return chosen


def choose_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The type to compute in.

    Args:
        precision: ``"fp32"``, ``"bf16"``, or ``"auto"``: bf16 where the device has instructions for it.
        device: Where.

    Raises:
        InputError: ``precision`` is none of these.
    """
    if precision not in ("auto", "fp32", "bf16"):
        raise InputError(f"precision must be auto, fp32 or bf16, not {precision!r}.")
    if precision == "auto":
        return torch.bfloat16 if has_fast_bf16(device) else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 is faster than float32 on ``device``: elsewhere it is emulated, many times slower."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        # Absent from some versions of torch, hence asked for by name.
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(bool(getattr(torch.cpu, probe, bool)()) for probe in probes)
    return False
