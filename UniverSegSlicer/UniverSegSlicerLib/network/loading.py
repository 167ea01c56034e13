"""From a name or a file to a model on a device."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from ..errors import ModelError
from .inference import InContextModel
from .weights.files import read_network


def load_model(
    name_or_path: str | Path = "default",
    device: str = "auto",
    *,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
) -> InContextModel:
    """Load a model.

    Args:
        name_or_path: A file ending in ``.safetensors`` or ``.pt``.
        device: ``"auto"`` (CUDA, then MPS, then CPU), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
        precision: ``"fp32"``, ``"bf16"``, or ``"auto"``: bf16 where the processor computes it natively.

    Raises:
        ModelError: The file is not there or is no such model.
    """
    path = Path(name_or_path)
    return InContextModel(read_network(path), name=path.stem, device=choose_device(device))


def choose_device(device: str) -> torch.device:
    """The device that ``device`` names; ``"auto"`` takes the best one there is."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"device must be auto, cpu, cuda or mps, not {device!r}.") from error
