"""Networks in files: ours in safetensors with their architecture, published ones as PyTorch state dicts."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import ModelError
from ..architecture import Architecture
from ..families import AnyNetwork, architecture_from_json, new_network
from .safetensors import read_safetensors, write_safetensors

_BLOCK = re.compile(r"enc_blocks\.(\d+)\.cross\.cross_conv\.weight")


def read_network(path: Path) -> AnyNetwork:
    """The network in a weight file, in float32 on the CPU.

    Args:
        path: ``.safetensors`` with the metadata entry ``architecture``, or ``.pt``: a state dict, whose architecture
            follows from its shapes. No code in a ``.pt`` file is ever run.

    Raises:
        ModelError: The file is missing, corrupt, contains code, or its tensors do not make a network.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such model file.")
    if path.suffix == ".safetensors":
        state, metadata = read_safetensors(path)
        if "architecture" not in metadata:
            raise ModelError(f"{path}: no architecture in its metadata; this is not a model of this program.")
        return build_network(state, architecture_from_json(metadata["architecture"]), path)
    if path.suffix in (".pt", ".pth"):
        state = _read_state_dict(path)
        return build_network(state, infer_architecture(state, path), path)
    raise ModelError(f"{path}: a model file ends in .safetensors or .pt.")


def write_network(
    path: Path, network: AnyNetwork, metadata: Mapping[str, str] | None = None, *, half: bool = True
) -> None:
    """Write a network as safetensors, with its architecture.

    Args:
        path: The file, ending in ``.safetensors``.
        network: The network.
        metadata: Further texts to keep with it, such as the provenance of its training.
        half: Whether to store float16 (2 bytes a parameter) or float32.

    Raises:
        OutputError: The file cannot be written.
    """
    dtype = torch.float16 if half else torch.float32
    state = {name: tensor.to(dtype) for name, tensor in network.state_dict().items()}
    write_safetensors(path, state, {**(metadata or {}), "architecture": network.architecture.to_json()})


def build_network(
    state: Mapping[str, Tensor], architecture: Any, source: object, make: Callable[[Any], Any] = new_network
) -> Any:
    """The network of ``architecture`` with the tensors of ``state`` as float32; ``make`` gives it with any weights.

    Raises:
        ModelError: A tensor is missing, left over, of another shape or not finite; the message names it.
    """
    with torch.device("meta"):
        network = make(architecture)
    expected = network.state_dict()
    for name, tensor in expected.items():
        if name not in state:
            raise ModelError(f"{source}: tensor {name} is missing.")
        found = state[name]
        if found.shape != tensor.shape:
            raise ModelError(f"{source}: tensor {name} has shape {tuple(found.shape)}, expected {tuple(tensor.shape)}.")
        if not found.is_floating_point() or not torch.isfinite(found).all():
            raise ModelError(f"{source}: tensor {name} has values that are not finite numbers.")
    unknown = sorted(set(state) - set(expected))
    if unknown:
        raise ModelError(f"{source}: tensor {unknown[0]} belongs to no part of the network.")
    network.load_state_dict({name: state[name].to("cpu", torch.float32) for name in expected}, assign=True)
    return network.requires_grad_(True)


def infer_architecture(state: Mapping[str, Tensor], source: object) -> Architecture:
    """The architecture that follows from the shapes of a published state dict (no cross activation, no normalisation).

    Raises:
        ModelError: There is no encoder in ``state``.
    """
    widths: dict[int, Tensor] = {}
    for name, tensor in state.items():
        match = _BLOCK.fullmatch(name)
        if match and tensor.ndim == 4:
            widths[int(match[1])] = tensor
    if not widths or sorted(widths) != list(range(len(widths))):
        raise ModelError(f"{source}: its tensors are not those of a UniverSeg network.")
    encoder = tuple(widths[index].shape[0] for index in range(len(widths)))
    return Architecture(query_channels=widths[0].shape[1] - 2, encoder=encoder)


def load_tensors(path: Path) -> Any:
    """What ``torch.save`` wrote, as far as it is tensors in lists and mappings. No code in the file is ever run.

    Raises:
        ModelError: It cannot be read, is corrupt, or holds anything else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path}: not a plain file of weights: it is corrupt or contains code, which is never run."
        ) from error
    except MemoryError as error:
        raise ModelError(f"{path}: corrupt, or larger than the memory of this computer.") from error
    except Exception as error:
        # A damaged file makes torch raise nearly anything; its sentences name its own insides, not the file.
        raise ModelError(f"{path}: corrupt, or no PyTorch weight file.") from error


def _read_state_dict(path: Path) -> dict[str, Tensor]:
    content = load_tensors(path)
    if isinstance(content, Mapping) and set(content) == {"state_dict"}:
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in content.items()
    ):
        raise ModelError(f"{path}: expected a state dict, tensors by name.")
    return dict(content)
