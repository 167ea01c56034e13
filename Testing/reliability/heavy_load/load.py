"""``python -m Testing.reliability.heavy_load.load``: 1024 x 1024 x 800 voxels, ten labels, in a measured process.

Prints the largest memory that was resident, as the system counts it, and fails above 8 GB. The volume is made in a file
first, so that reading it is part of what is measured; the command line does the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_GB = 8.0
# A process begins with the peak of the one that started it as its ru_maxrss; Linux knows its own.
_RUN = """
import pathlib, re, resource, sys
from UniverSegSlicerLib.cli.running import run
code = run(sys.argv[1:])
status = pathlib.Path("/proc/self/status")
own = re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text()) if status.is_file() else None
print(own[1] if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def make_files(folder: Path, size: tuple[int, int, int], labels: int, marked: int) -> None:
    """A 16-bit volume of I x J x K voxels with bodies in it, and so many marked slices; written slab by slab.

    Args:
        folder: Gets ``volume.nii``, ``marks.nii.gz`` and ``model.safetensors``.
        size: Voxels along I, J, K.
        labels: Number of bodies.
        marked: Number of marked slices.
    """
    import nibabel
    import numpy as np
    import torch

    from UniverSegSlicerLib.network import Architecture, UniverSeg
    from UniverSegSlicerLib.network.weights.files import write_network

    cols, rows, slices = size
    j, i = np.ogrid[:rows, :cols]
    plane = np.zeros((rows, cols), np.uint16)
    for label in range(1, labels + 1):
        centre_j, centre_i = rows * (1 + (label - 1) % 3 * 2) // 6, cols * (1 + (label - 1) // 3 * 2) // 8
        plane[(j - centre_j) ** 2 + (i - centre_i) ** 2 < (min(rows, cols) // 12) ** 2] = label
    noise = np.random.default_rng(0).integers(0, 200, (rows, cols)).astype(np.uint16)
    chosen = set(np.linspace(0, slices - 1, marked).round().astype(int).tolist())
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.uint16)
    header.set_data_shape(size)
    header["pixdim"][1:4] = 0.5
    header["vox_offset"] = 352
    with (folder / "volume.nii").open("wb") as image, (folder / "marks.nii").open("wb") as marks:
        for stream in (image, marks):
            stream.write(header.binaryblock + bytes(4))
        for number in range(slices):
            image.write((noise + 1000 + 300 * plane + number).astype("<u2").tobytes())
            marks.write((plane if number in chosen else 0 * plane).astype("<u2").tobytes())
    torch.manual_seed(0)
    write_network(folder / "model.safetensors", UniverSeg(Architecture(4, (4, 4), resolution=128)))


def measure(folder: Path, model: str, arguments: list[str]) -> dict[str, object]:
    """Run ``universeg-slicer propagate`` in a process of its own: seconds, gigabytes, exit code and its JSON."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _RUN, "propagate", folder / "volume.nii", folder / "marks.nii", "--output",
         folder / "out.nii.gz", "--model", model, "--json", *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, "UNIVERSEG_CACHE": str(folder / "cache")},
    )  # fmt: skip
    lines = done.stderr.splitlines()
    if done.returncode:
        raise RuntimeError(done.stderr)
    result = json.loads(done.stdout)
    return {
        "gb": int(lines[-1]) / 1e6,
        "seconds": time.perf_counter() - begin,
        "labels": len(result["labels"]),
        "marked": len(result["marked"]),
        "slices": result["slices"],
        "model": result["model"],
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="load", description=__doc__)
    parser.add_argument("--size", default="1024,1024,800", help="voxels along I, J, K")
    parser.add_argument("--labels", type=int, default=10)
    parser.add_argument("--marked", type=int, default=64)
    parser.add_argument("--model", default="tiny", help="tiny: an untrained network of the usual resolution")
    parser.add_argument("--range", help="slices to segment, as in propagate; by default all")
    parser.add_argument("--folder", type=Path, help="where the files go; 4 GB are needed")
    given = parser.parse_args(arguments)
    size = tuple(int(n) for n in given.size.split(","))
    with tempfile.TemporaryDirectory(dir=given.folder) as made:
        folder = Path(made)
        make_files(folder, size, given.labels, given.marked)  # type: ignore[arg-type]
        model = str(folder / "model.safetensors") if given.model == "tiny" else given.model
        only = ["--range", given.range] if given.range else []
        found = measure(folder, model, ["--support-size", "64", "--strategy", "independent", *only])
    print(
        f"{' x '.join(map(str, size))} voxels of 16 bits, {found['labels']} labels, {found['marked']} marked slices, "
        f"{given.range or 'all'} slices with {found['model']}: {found['gb']:.2f} GB resident at most, "
        f"{found['seconds']:.0f} s."
    )
    return int(float(str(found["gb"])) > LIMIT_GB)


if __name__ == "__main__":
    sys.exit(main())
