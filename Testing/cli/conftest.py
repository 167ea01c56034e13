"""A small scan with marked slices in files, and the command line called in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from UniverSegSlicerLib.cli.running import run
from UniverSegSlicerLib.files import write_label_map, write_volume
from UniverSegSlicerLib.imaging import Geometry, Volume

#: Turned by 20 degrees about S, and flipped along J: no special case for anybody.
OBLIQUE = (0.9396926, 0.3420201, 0.0, 0.3420201, -0.9396926, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The object on stdout, which must be all that is there."""
        return json.loads(self.out)


Command = Callable[..., Outcome]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command line with some arguments."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return call


@dataclass(frozen=True)
class Scan:
    """A synthetic scan on disk.

    Attributes:
        folder: Holds the files and nothing else.
        volume: float32 volume of two bright bodies, on an oblique grid.
        labels: Its marked slices k:4, k:8 and k:12, labels 1 and 3.
        image: The volume.
        truth: (K, J, I) uint16, both bodies on all slices.
    """

    folder: Path
    volume: Path
    labels: Path
    image: Volume
    truth: np.ndarray

    marked = (4, 8, 12)

    def files(self) -> set[str]:
        """Everything in the folder."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    """Two bodies, of label 1 and 3, in noise; 16 slices of 40 x 48 voxels."""
    folder = tmp_path / "scan"
    folder.mkdir()
    geometry = Geometry((48, 40, 16), (0.8, 1.1, 2.5), (-12.0, 30.0, 5.0), OBLIQUE)
    k, j, i = np.indices(geometry.shape)
    truth = np.zeros(geometry.shape, np.uint16)
    truth[((k - 8) / 6) ** 2 + ((j - 16) / 9) ** 2 + ((i - 16) / 8) ** 2 < 1] = 1
    truth[((k - 8) / 7) ** 2 + ((j - 26) / 6) ** 2 + ((i - 34) / 7) ** 2 < 1] = 3
    noise = np.random.default_rng(3).normal(0, 8, geometry.shape)
    image = Volume((100 + 60.0 * (truth == 1) + 110.0 * (truth == 3) + noise).astype(np.float32), geometry)
    marks = np.zeros_like(truth)
    marks[list(Scan.marked)] = truth[list(Scan.marked)]
    made = Scan(folder, folder / "scan.nii.gz", folder / "marks.nii.gz", image, truth)
    write_volume(made.volume, image.array, geometry)
    write_label_map(made.labels, marks, geometry)
    return made
