"""Small data sets of real files for these tests, and their declarations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from Testing.trainer.declarations.builders import write_picture, write_volume
from trainer.megamedical.declaration import Declaration, parse_declaration

PICTURES: dict[str, Any] = {
    "name": "all",
    "reader": "image",
    "image": {"pattern": r"^images/(?P<subject>\w+)\.png$"},
    "label": {
        "pattern": r"^labels/(?P<subject>\w+)\.png$",
        "encoding": "values",
        "names": {1: "disc", 2: "square"},
    },
    "modality": "ultrasound",
    "intensity": {"rule": "none"},
    "example_image": "images/a1.png",
    "example_label": "labels/a1.png",
}

VOLUMES: dict[str, Any] = {
    "name": "all",
    "reader": "volume",
    "image": {"pattern": r"^(?P<subject>[^/]+)/image\.nii\.gz$"},
    "label": {
        "pattern": r"^(?P<subject>[^/]+)/label\.nii\.gz$",
        "encoding": "values",
        "names": {1: "ball", 2: "rod"},
    },
    "modality": "CT",
    "intensity": {"rule": "ct"},
    "example_image": "a/image.nii.gz",
    "example_label": "a/label.nii.gz",
}


def declared(group: dict[str, Any], name: str = "made", **changes: Any) -> dict[str, Any]:
    """The content of a declaration with one group; ``changes`` replace top-level entries."""
    data: dict[str, Any] = {
        "id": name,
        "title": f"Made set {name}",
        "citation": "",
        "source": "this test",
        "licence": {"name": "CC0", "commercial_use": "yes", "registration": "none"},
        "role": "train",
        "domain": "discs",
        "groups": [group],
        "confidence": {"layout": "seen_in_data", "labels": "seen_in_data", "licence": "seen_in_data"},
    }
    return {**data, **changes}


def declare(group: dict[str, Any], name: str = "made", **changes: Any) -> Declaration:
    """A declaration with one group; ``changes`` replace top-level entries."""
    return parse_declaration(declared(group, name, **changes), name)


def picture(seed: int, shape: tuple[int, int] = (40, 52)) -> tuple[np.ndarray, np.ndarray]:
    """A noisy grey picture and its label map: a disc (1) and a square (2), uint8."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    label = np.zeros(shape, np.uint8)
    label[(rows - shape[0] * 0.5) ** 2 + (cols - rng.uniform(12, 18)) ** 2 < 60] = 1
    label[-10:-4, -12:-5] = 2
    image = np.clip(50 + 70 * label + rng.normal(0, 6, shape), 0, 255).astype(np.uint8)
    return image, label


def write_pictures(folder: Path, names: list[str]) -> None:
    """Write one picture and label map per name."""
    for seed, name in enumerate(names):
        image, label = picture(seed)
        write_picture(folder / "images" / f"{name}.png", image)
        write_picture(folder / "labels" / f"{name}.png", label)


def volume(shape: tuple[int, int, int] = (12, 20, 16)) -> tuple[np.ndarray, np.ndarray]:
    """A CT-like volume (K, J, I) int16 and its label map uint8: a ball (1) off the centre and a rod (2) along K."""
    k, j, i = np.mgrid[: shape[0], : shape[1], : shape[2]]
    label = np.zeros(shape, np.uint8)
    label[(k - 3) ** 2 + (j - 8) ** 2 + (i - 6) ** 2 < 9] = 1
    label[:, 14:17, 11:14] = 2
    return (-800 + 900 * (label > 0) + 10 * k).astype(np.int16), label


def write_volumes(folder: Path, names: list[str], spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> None:
    """Write one volume and label map per name."""
    for name in names:
        image, label = volume()
        write_volume(folder / name / "image.nii.gz", image, spacing)
        write_volume(folder / name / "label.nii.gz", label, spacing)
