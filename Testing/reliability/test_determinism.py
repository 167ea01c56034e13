"""The same input, seed and device give the same bytes; processor and GPU agree."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from UniverSegSlicerLib.cli.running import run
from UniverSegSlicerLib.files import write_label_map, write_volume
from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.network import load_model
from UniverSegSlicerLib.network.weights.files import write_network
from UniverSegSlicerLib.segmentation import PropagationSettings, propagate

from .networks import tiny_network

_RUN = """
import sys
from pathlib import Path
from Testing.reliability.test_determinism import commands, run
for arguments in commands(*map(Path, sys.argv[1:])):
    assert run(arguments) == 0
"""


def commands(folder: Path, out: Path, model: Path) -> list[list[str]]:
    """Two commands that write everything that is written, with draws at random in them."""
    given = [f"{folder}/v.nrrd", f"{folder}/m.nii.gz"]
    options = ["--ensemble", "2", "--choice", "random", "--seed", "5", "--model", str(model), "--device", "cpu"]
    written = ["-o", f"{out}/o.nii.gz", "--confidence", f"{out}/c.nrrd", "--preview", f"{out}/p.png"]
    return [
        ["propagate", *given, *written, *options],
        ["support", "create", *given, "-o", f"{out}/s.npz"],
    ]


def _phantom() -> tuple[Volume, np.ndarray]:
    shape = (16, 48, 56)
    k, j, i = np.indices(shape)
    truth = ((k - 8) / 7) ** 2 + ((j - 22) / 13) ** 2 + ((i - 30) / 15) ** 2 < 1
    array = 100.0 * truth + np.random.default_rng(2).normal(0, 10, shape)
    marks = np.zeros(shape, np.uint8)
    marks[[3, 8, 12]] = truth[[3, 8, 12]]
    return Volume(array.astype(np.float32), Geometry(shape[::-1], (1, 1, 2))), marks


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    volume, marks = _phantom()
    write_volume(tmp_path / "v.nrrd", volume.array, volume.geometry)
    write_label_map(tmp_path / "m.nii.gz", marks, volume.geometry)
    write_network(tmp_path / "n.safetensors", tiny_network().network)
    outs = [tmp_path / "other", tmp_path / "own"]
    for out in outs:
        out.mkdir()
    # Hashes of texts, which decide the order of sets, are different in another process.
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(tmp_path), str(outs[0]), str(tmp_path / "n.safetensors")],
        env={**os.environ, "PYTHONHASHSEED": "1", "OMP_NUM_THREADS": str(torch.get_num_threads())},
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for arguments in commands(tmp_path, outs[1], tmp_path / "n.safetensors"):
        assert run(arguments) == 0
    checksums = [{p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(out.iterdir())} for out in outs]
    assert checksums[0] == checksums[1] and len(checksums[0]) == 4


def test_the_run_before_leaves_no_trace_in_the_next() -> None:
    volume, marks = _phantom()
    model = tiny_network()
    settings = PropagationSettings(ensemble=2, choice="random", seed=3)
    first = propagate(volume, marks, model=model, axis="k", settings=settings)
    np.random.seed(1)
    torch.manual_seed(1)
    propagate(volume, marks, model=model, axis="k", settings=PropagationSettings(seed=9, flips=True))
    again = propagate(volume, marks, model=model, axis="k", settings=settings)
    assert first.labels.tobytes() == again.labels.tobytes()
    assert first.confidence is not None and again.confidence is not None
    assert first.confidence.tobytes() == again.confidence.tobytes()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_processor_and_gpu_agree(precision: str) -> None:
    volume, marks = _phantom()
    masks = {
        device: propagate(
            volume, marks, model=load_model("default", device, precision=precision), axis="k"  # type: ignore[arg-type]
        ).labels > 0
        for device in ("cpu", "cuda")
    }  # fmt: skip
    both = 2 * np.count_nonzero(masks["cpu"] & masks["cuda"])
    assert both / (np.count_nonzero(masks["cpu"]) + np.count_nonzero(masks["cuda"])) >= 0.995
