"""From a run to the bundled model: weights in half precision, the catalogue's entry, and the model card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.network.weights.files import read_network, write_network

from .checkpoints import averaged_network, find_checkpoint
from .report import write_text


def bundle(run: Path, weights: Path, *, name: str = "default", resolution: int | None = None) -> dict[str, Any]:
    """Write a run's averaged weights as a model file.

    Args:
        run: The run or one of its checkpoints.
        weights: The file to write, ending in ``.safetensors``.
        name: The model's name.
        resolution: Side of the images that the model shall be used at (None: that of the configuration).

    Returns:
        Facts of the file: ``file``, ``sha256``, ``bytes``, ``steps``, ``parameters``.

    Raises:
        ModelError: There is no checkpoint.
        OutputError: The file cannot be written.
    """
    checkpoint = find_checkpoint(run)
    network = averaged_network(checkpoint)
    if resolution is not None:
        network.architecture = replace(network.architecture, resolution=resolution)
    record = json.loads((checkpoint / "record.json").read_text(encoding="utf-8"))
    facts = {key: record[key] for key in ("step", "samples", "pairs", "seconds", "device")}
    write_network(weights, network, {"name": name, "training": json.dumps(facts, sort_keys=True)}, half=True)
    content = weights.read_bytes()
    parameters = sum(value.numel() for value in read_network(weights).state_dict().values())
    digest = hashlib.sha256(content).hexdigest()
    return {
        "file": weights.name,
        "sha256": digest,
        "bytes": len(content),
        "steps": record["step"],
        "parameters": parameters,
        "architecture": network.architecture.to_dict(),
    }


def enter_in_catalogue(catalogue: Path, name: str, facts: dict[str, Any]) -> None:
    """Put hash, size and architecture of a model file into its entry of ``models.json``; the rest stays.

    Raises:
        InputError: The catalogue has no such model.
    """
    content = json.loads(catalogue.read_text(encoding="utf-8"))
    entries = content["models"]
    named = list(entries.values()) if isinstance(entries, dict) else entries
    keyed = entries if isinstance(entries, dict) else {entry.get("name"): entry for entry in named}
    if name not in keyed:
        raise InputError(f"{catalogue} has no model {name!r}; it has {', '.join(sorted(keyed))}.")
    entry = keyed[name]
    entry["sha256"] = facts["sha256"]
    for key, fact in (
        ("size", "bytes"),
        ("bytes", "bytes"),
        ("parameters", "parameters"),
        ("architecture", "architecture"),
    ):
        if key in entry:
            entry[key] = facts[fact]
    write_text(catalogue, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
