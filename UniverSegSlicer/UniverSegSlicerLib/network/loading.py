"""From a name or a file to a model on a device."""

from __future__ import annotations

from pathlib import Path

from .inference import InContextModel
from .precision import Precision, choose_device
from .weights.files import read_network


def load_model(
    name_or_path: str | Path = "default", device: str = "auto", *, precision: Precision = "auto"
) -> InContextModel:
    """Load a model.

    Args:
        name_or_path: A file ending in ``.safetensors`` or ``.pt``.
        device: ``"auto"`` (CUDA, then MPS, then CPU), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
        precision: ``"fp32"``, ``"bf16"``, or ``"auto"``: bf16 where the device has instructions for it.

    Raises:
        InputError: There is no such device.
        ModelError: The file is not there or is no such model.
    """
    path = Path(name_or_path)
    return InContextModel(read_network(path), name=path.stem, device=choose_device(device), precision=precision)
