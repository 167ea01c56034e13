"""Work that writes, over and over, and what a reader finds after it was killed."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from UniverSegSlicerLib.files import read_label_map, read_volume, write_label_map, write_volume
from UniverSegSlicerLib.imaging import Geometry

_SHAPE = (24, 64, 64)


@dataclass(frozen=True)
class Scenario:
    """Something that is written in two versions, turn by turn.

    Attributes:
        write: Writes version 0 or 1.
        read: The versions that a reader finds, one per file ("old" or "new" are the same to it); raises where there is
            something else.
    """

    write: Callable[[int], None]
    read: Callable[[], list[int]]


def label_map(folder: Path) -> Scenario:
    """A label map and its confidence map, as the command line writes them."""
    from UniverSegSlicerLib.writing import all_or_none

    geometry = Geometry(_SHAPE[::-1])
    maps = [np.random.default_rng(n).integers(0, 3, _SHAPE).astype(np.uint16) for n in (0, 1)]
    out, sure = folder / "out.nii.gz", folder / "sure.nrrd"

    def write(version: int) -> None:
        with all_or_none(out, sure, endings=(".nii.gz",)) as (first, second):
            assert first is not None and second is not None
            write_label_map(first, maps[version], geometry)
            write_volume(second, maps[version].astype(np.float32), geometry)

    def read() -> list[int]:
        return [_which(maps, read_label_map(out).array), _which(maps, read_volume(sure).array)]

    return Scenario(write, read)


def export(folder: Path) -> Scenario:
    """Export from a real MRML scene: label map, one file per segment, names."""
    from Testing.scene.conftest import World
    from UniverSegSlicerLib.scene.mrml.export import export_nifti
    from UniverSegSlicerLib.scene.mrml.names import read_names

    world = World()
    maps = [(np.random.default_rng(n).random(_SHAPE) < 0.4).astype(np.uint8) for n in (0, 1)]
    volume = world.volume(np.zeros(_SHAPE, np.int16))
    nodes = [world.segmentation(volume, {"Liver": one, "Spleen": 1 - one}, "case") for one in maps]

    def write(version: int) -> None:
        export_nifti(volume, nodes[version], folder, name="case", single_files=True)

    def read() -> list[int]:
        assert [line.name for line in read_names(folder / "labels.csv").lines] == ["Liver", "Spleen"]
        found = [_which(maps, read_label_map(folder / "case_Liver.nii.gz").array)]
        found.append(_which(maps, read_label_map(folder / "case.nii.gz").array == 1))
        return found

    return Scenario(write, read)


def standardise(folder: Path) -> Scenario:
    """The trainer's store, written anew whenever the pictures have changed."""
    from Testing.trainer.megamedical.made import PICTURES, declare, write_pictures
    from trainer.megamedical.standardize.plan import Settings
    from trainer.megamedical.standardize.run import standardize
    from trainer.megamedical.store import Store

    store = folder / "store"
    roots = [folder / "first", folder / "second"]
    for number, root in enumerate(roots):
        write_pictures(root, [f"p{number}{n:02d}" for n in range(20 + number)])

    def write(version: int) -> None:
        standardize([declare(PICTURES)], roots[version], store, Settings((16, 32)))

    def read() -> list[int]:
        facts = json.loads((store / "made" / "shard.json").read_text(encoding="utf-8"))
        for name, checksum in facts["checksums"].items():
            assert hashlib.sha256((store / "made" / name).read_bytes()).hexdigest() == checksum, name
        opened = Store.open(store)
        return [[20, 21].index(len(opened.read_images(range(facts["images"]), 16)))]

    return Scenario(write, read)


def checkpoint(folder: Path) -> Scenario:
    """Checkpoints of a training run: the same step again, and the next one, with the oldest removed."""
    import torch

    from trainer.learning.loop.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
    from UniverSegSlicerLib.network import Architecture, UniverSeg

    torch.set_num_threads(1)
    networks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        networks.append(UniverSeg(Architecture(4, (16, 16, 16))))
    states = [network.state_dict() for network in networks]
    steps = [0, 0]

    def write(version: int) -> None:
        steps[0] += version  # every second one takes the place of the last
        made = Checkpoint(
            steps[0], networks[0].architecture, states[version], states[version], 1, {"exp": states[version]}, [],
            {"version": version},
        )  # fmt: skip
        save_checkpoint(folder, made, keep=2)

    def read() -> list[int]:
        found = load_checkpoint(folder)
        version = int(found.record["version"])
        for part in (found.network, found.averaged, found.optimizers["exp"]):
            assert all(torch.equal(part[name], states[version][name]) for name in states[version])
        return [version]

    return Scenario(write, read)


def download(folder: Path) -> Scenario:
    """A model that is fetched into the cache and removed again; version 0 is its absence."""
    import os

    import torch

    from UniverSegSlicerLib.network import Architecture, UniverSeg
    from UniverSegSlicerLib.network.weights import CatalogueEntry, Licence, download_model, list_models, locate_model

    os.environ["UNIVERSEG_CACHE"] = str(folder / "cache")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    stream = io.BytesIO()
    architecture = Architecture(1, (16, 16, 16))
    torch.save(UniverSeg(architecture).state_dict(), stream)
    content = stream.getvalue()
    url = "https://models.example/small.pt"
    licence = Licence("MIT", "https://models.example/licence", None)
    models = {
        "small": CatalogueEntry("small", "Small", "", None, url, None, None, architecture, licence, "never"),
    }

    class Response(io.BytesIO):
        headers: dict[str, str] = {}  # noqa: RUF012

        def geturl(self) -> str:
            return url

    def write(version: int) -> None:
        if version:
            download_model("small", catalogue=models, opener=lambda _: Response(content))
        else:
            (folder / "cache" / "small.pt").unlink(missing_ok=True)

    def read() -> list[int]:
        if list_models(models)[0].state == "downloadable":
            return [0]
        assert locate_model("small", models).read_bytes() == content
        return [1]

    return Scenario(write, read)


#: Every scenario with its share of the kills.
SCENARIOS: dict[str, tuple[Callable[[Path], Scenario], float]] = {
    "write": (label_map, 0.25),
    "export": (export, 0.15),
    "standardise": (standardise, 0.2),
    "checkpoint": (checkpoint, 0.2),
    "download": (download, 0.2),
}


def _which(versions: list[np.ndarray], found: Any) -> int:
    for number, version in enumerate(versions):
        if np.array_equal(version, found):
            return number
    raise AssertionError("neither the old nor the new one")
