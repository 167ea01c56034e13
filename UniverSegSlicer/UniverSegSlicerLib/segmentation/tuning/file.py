"""Tuned weights in a file beside their support set: they serve the next volumes, and only with the model they fit."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path

import torch

from ...errors import InputError, ModelError
from ...network.families import AnyNetwork
from ...network.inference import InContextModel
from ...network.weights.safetensors import read_safetensors, write_safetensors
from ..support.set import SupportSet
from .settings import TuningReport
from .steps import tuned_names
from .tuned import Tuned, with_state

_FORMAT = "UniverSegSlicer tuned weights 1"


def tuned_path(support: Path) -> Path:
    """Where the tuned weights of a support-set file are looked for: ``a.npz`` and ``a.tuned.safetensors``."""
    return support.with_suffix(".tuned.safetensors")


def write_tuned(path: Path, tuned: Tuned, model: InContextModel, support: SupportSet) -> None:
    """Write tuned weights, with the hashes of the model and the support set that they belong to.

    Args:
        path: The file, ending in ``.safetensors``.
        tuned: From :func:`~.tuned.tune`, kept.
        model: The model that was tuned.
        support: The support set that it was tuned on.

    Raises:
        InputError: The tuning was not kept.
        OutputError: The file cannot be written.
    """
    if not tuned.report.kept:
        raise InputError(f"there are no tuned weights to keep: {tuned.report.reason}.")
    metadata = {
        "format": _FORMAT,
        "model": model_digest(model.network),
        "support": support_digest(support),
        "report": json.dumps(tuned.report.to_dict(), sort_keys=True),
    }
    write_safetensors(path, {name: tensor.float() for name, tensor in tuned.state.items()}, metadata)


def read_tuned(path: Path, model: InContextModel, support: SupportSet | None) -> Tuned:
    """The model with tuned weights from a file.

    Args:
        path: What :func:`write_tuned` wrote.
        model: The model that was tuned.
        support: The support set that is in use.

    Raises:
        ModelError: The file is missing, damaged or something else, or belongs to another model or support set.
    """
    state, metadata = read_safetensors(path)
    if metadata.get("format") != _FORMAT:
        raise ModelError(f"{path}: these are no tuned weights; `universeg-slicer support tune` writes them.")
    if metadata.get("model") != model_digest(model.network):
        raise ModelError(f"{path}: these weights were tuned from another model than {model.name}; tune again.")
    if support is None or metadata.get("support") != support_digest(support):
        raise ModelError(f"{path}: these weights were tuned on another support set; tune again.")
    network = model.network
    expected = {name: network.get_parameter(name).shape for name in tuned_names(network)}
    if {name: tensor.shape for name, tensor in state.items()} != expected:
        raise ModelError(f"{path}: its tensors are not those that are tuned in {model.name}; tune again.")
    if not all(tensor.is_floating_point() and bool(torch.isfinite(tensor).all()) for tensor in state.values()):
        raise ModelError(f"{path}: it holds values that are not finite numbers; tune again.")
    return Tuned(model.with_network(with_state(network, state), f"{model.name}, tuned"), _report(path, metadata), state)


def model_digest(network: AnyNetwork) -> str:
    """SHA-256 of a network: its architecture and its weights as float32."""
    digest = hashlib.sha256(network.architecture.to_json().encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()


def support_digest(support: SupportSet) -> str:
    """SHA-256 of the examples in use: pictures, label maps and spacing; names and order of words do not count."""
    digest = hashlib.sha256()
    for example in support.examples:
        if example.used:
            digest.update(repr((example.image.shape, example.spacing, example.complete)).encode())
            digest.update(example.image.tobytes())
            digest.update(example.labels.tobytes())
    return digest.hexdigest()


def _report(path: Path, metadata: dict[str, str]) -> TuningReport:
    try:
        values = json.loads(metadata["report"])
        return TuningReport(**{field.name: values[field.name] for field in fields(TuningReport)})
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(f"{path}: damaged: what it says of its tuning cannot be read; tune again.") from error
