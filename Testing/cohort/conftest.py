"""A small cohort: scans with one body each, a support of marked slices, and a network that was never trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from UniverSegSlicerLib.cohort import Cohort, CohortSettings, segment_cohort
from UniverSegSlicerLib.files import write_volume
from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.segmentation import PropagationSettings, SupportSet

GRID = Geometry((20, 18, 6), (1.0, 1.0, 2.0), (3.0, -4.0, 5.0))
#: As little as a segmentation can be.
QUICK = CohortSettings(PropagationSettings(strategy="independent", support_size=4), draws=0)


def body(seed: int = 0) -> tuple[Volume, np.ndarray]:
    """A bright body in noise, and its label map."""
    k, j, i = np.indices(GRID.shape)
    truth = (((k - 2.5) / 3) ** 2 + ((j - 9) / 5) ** 2 + ((i - 9 - seed % 3) / 5) ** 2 < 1).astype(np.uint16)
    noise = np.random.default_rng(seed).normal(0, 5, GRID.shape)
    return Volume((80 * truth + 50 + noise).astype(np.float32), GRID), truth


@dataclass(frozen=True)
class Made:
    """What a cohort is made of, on disk.

    Attributes:
        root: Holds everything.
        volumes: Folder of ``a.nii.gz``, ``b.nii.gz`` and ``c.nii.gz``.
        support: A support-set file of three slices of another scan; label 1 is "body".
        model: A weight file.
        out: Where the cohort goes.
    """

    root: Path
    volumes: Path
    support: Path
    model: Path
    out: Path

    def run(self, **options: object) -> Cohort:
        """Segment it."""
        given = {"model": self.model, "devices": ("cpu",), "settings": QUICK, "jobs": 1, **options}
        support, volumes = given.pop("support", self.support), given.pop("volumes", self.volumes)
        return segment_cohort(support, volumes, given.pop("output", self.out), **given)  # type: ignore[arg-type]


def write_support(path: Path, slices: tuple[int, ...] = (1, 2, 4), name: str = "body") -> Path:
    """A support-set file of slices of one scan."""
    volume, truth = body(9)
    marks = np.zeros_like(truth)
    marks[list(slices)] = truth[list(slices)]
    SupportSet.from_volume(volume, marks, "k", slices, label_names={1: name}, source="other").save(path)
    return path


@pytest.fixture(scope="session")
def finding_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that was never trained, and whose last bias was set so that it takes half of a slice for structure."""
    import torch

    from UniverSegSlicerLib.network import Architecture, UniverSeg
    from UniverSegSlicerLib.network.weights.files import write_network

    path = tmp_path_factory.mktemp("model") / "finding.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(7)
        network = UniverSeg(Architecture(query_channels=4, encoder=(8, 8), resolution=32))
        volume, truth = body(9)
        images = torch.as_tensor(volume.array[2:4, :16, :16] / 200)[:, None]
        labels = torch.as_tensor(truth[2:4, :16, :16].astype(np.float32))[:, None]
        query = torch.cat([images[:1], torch.zeros(1, 3, 16, 16)], dim=1)
        with torch.no_grad():
            network.out_conv["conv"].bias -= network(query, images[None], labels[None]).median()
    write_network(path, network)
    return path


@pytest.fixture
def made(tmp_path: Path, finding_model: Path) -> Made:
    volumes = tmp_path / "scans"
    volumes.mkdir()
    for seed, name in enumerate("abc"):
        write_volume(volumes / f"{name}.nii.gz", body(seed)[0].array, GRID)
    return Made(tmp_path, volumes, write_support(tmp_path / "body.npz"), finding_model, tmp_path / "out")
