"""From a run to the bundled model: weights in half precision, the catalogue's entry, and the model card."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainer.baselines.baseline import Baseline
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.network.attentive.architecture import AttentiveArchitecture
from UniverSegSlicerLib.network.weights.files import read_network, write_network
from UniverSegSlicerLib.segmentation.images import MOST_DETAIL
from UniverSegSlicerLib.writing import write_whole

from ..loop.beginnings import COUNTS, counts_before
from ..loop.checkpoints import averaged_network, find_checkpoint
from .mixing import Mixed, mix


def bundle(
    run: Path, weights: Path, *, name: str = "default", resolution: int | None = None, mixed: Sequence[Mixed] = ()
) -> dict[str, Any]:
    """Write a run's averaged weights as a model file.

    Args:
        run: The run or one of its checkpoints.
        weights: The file to write, ending in ``.safetensors``.
        name: The model's name.
        resolution: Side of the images that the model shall be used at (None: that of the configuration).
        mixed: Other networks of the same descent, whose shares in the weights are taken.

    Returns:
        Facts of the file: ``file``, ``sha256``, ``bytes``, ``steps``, ``parameters``, ``architecture``, ``mixed``.

    Raises:
        InputError: It is a baseline's run, or a share is none.
        ModelError: There is no checkpoint, or what is mixed in is of another architecture.
        OutputError: The file cannot be written.
    """
    checkpoint = find_checkpoint(run)
    network = averaged_network(checkpoint)
    if isinstance(network, Baseline):
        raise InputError(f"{run} is a baseline, {network.architecture.family}; only our own networks are bundled.")
    if mixed:
        mix(network, mixed)
    if resolution is not None:
        network.architecture = replace(network.architecture, resolution=resolution)
    record = json.loads((checkpoint / "record.json").read_text(encoding="utf-8"))
    if isinstance(network.architecture, AttentiveArchitecture):
        trained = network.architecture
        finest = min(max(trained.finest, _finest(record, trained.resolution)), MOST_DETAIL)
        network.architecture = replace(trained, finest=finest)
    told = [each.told(record.get("before") or {}) for each in mixed]
    facts = {key: record[key] for key in (*COUNTS, "device")} | {"before": counts_before(record, told)}
    if told:
        facts["mixed"] = told
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
        "mixed": told,
    }


def _finest(record: dict[str, Any], side: int) -> int:
    """How many times as fine as ``side`` pixels the encoder saw slices in any phase of a run: shown so, or enlarged."""
    phases = [phase for entry in record["configs"] for phase in entry["config"]["phases"]]
    return max(int(phase["resolution"] * max(map(int, phase.get("enlarge") or (1,))) // side) for phase in phases)


def enter_in_catalogue(catalogue: Path, name: str, facts: dict[str, Any]) -> None:
    """Put hash, size and architecture of a model file into its entry of ``models.json``; the rest stays.

    Raises:
        InputError: The catalogue has no such model.
    """
    content = json.loads(catalogue.read_text(encoding="utf-8"))
    entries = {entry["name"]: entry for entry in content["models"]}
    if name not in entries:
        raise InputError(f"{catalogue} has no model {name!r}; it has {', '.join(sorted(entries))}.")
    entries[name].update({key: facts[key] for key in ("sha256", "bytes", "architecture")})
    text = json.dumps(content, indent=2, ensure_ascii=False)
    # Short lists of numbers stay on one line, as people write them.
    text = re.sub(r"\[\s+((?:\d+,\s+)*\d+)\s+\]", lambda found: "[" + ", ".join(found[1].split(",")) + "]", text)
    write_whole(catalogue, re.sub(r"(\d),\s+(?=\d+[,\]])", r"\1, ", text) + "\n")
