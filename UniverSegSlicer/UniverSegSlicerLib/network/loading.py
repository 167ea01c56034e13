"""From a name or a file to a model on a device."""

from __future__ import annotations

from pathlib import Path

from ..processors import leave_busy_processors
from .inference import InContextModel
from .precision import Precision, choose_device
from .weights.files import read_network
from .weights.store import locate_model


def load_model(
    name_or_path: str | Path = "default", device: str = "auto", *, precision: Precision = "auto"
) -> InContextModel:
    """Load a model.

    Args:
        name_or_path: A model of the catalogue, or a file ending in ``.safetensors`` or ``.pt``.
        device: ``"auto"`` (CUDA, then MPS, then CPU), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
        precision: ``"fp32"``, ``"bf16"``, or ``"auto"``: bf16 where the device has instructions for it.

    Raises:
        InputError: There is no such device.
        ModelError: There is no such model or file, it was not downloaded yet, or it is damaged.
    """
    chosen = choose_device(device)
    if chosen.type == "cpu":
        leave_busy_processors()
    path = locate_model(name_or_path)
    name = path.stem if Path(name_or_path).suffix == path.suffix else str(name_or_path)
    return InContextModel(read_network(path), name=name, device=chosen, precision=precision)
