"""What only ITK reads (GIPL, VTK, MRC, HDF5, MINC, NRRD in pieces): read by a process of its own.

Some of ITK's readers write beyond their memory on damaged files, which ends their process. It is not ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..imaging import Volume
from .components import choose_component
from .grids import straight_grid

#: Endings of files that are handed to ITK unseen.
ENDINGS = (".gipl", ".gipl.gz", ".vtk", ".mrc", ".hdf", ".hdf5", ".h5", ".he5", ".mnc", ".lsm", ".stk", ".pic")

# Runs in the other process: the voxels to a file, the grid to stdout.
_CODE = """
import json, sys
import numpy, SimpleITK
image = SimpleITK.ReadImage(sys.argv[1])
numpy.save(sys.argv[2], SimpleITK.GetArrayViewFromImage(image))
print(json.dumps([image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection(),
                  image.GetNumberOfComponentsPerPixel()]))
"""


def read_apart(path: Path, component: int | None = None) -> Volume:
    """Read a file with ITK in another process.

    Raises:
        InputError: It cannot be read, or ended that process.
    """
    with tempfile.TemporaryDirectory() as folder:
        voxels = Path(folder) / "voxels.npy"
        answer = subprocess.run(
            [sys.executable, "-I", "-c", _CODE, str(path.resolve()), str(voxels)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if answer.returncode or not voxels.is_file():
            raise InputError(f"{path} is not an image that can be read: it is damaged, or no such file.")
        size, spacing, origin, direction, components = json.loads(answer.stdout.splitlines()[-1])
        array = np.load(voxels)
    dimensions = len(size)
    counts = [(components, "components"), *((number, "time points") for number in size[3:])]
    number = choose_component(path, counts, component)
    time, colour = divmod(number, components)
    array = array if components > 1 else array[..., None]
    array = array.reshape(-1, *array.shape[dimensions - min(dimensions, 3) :])[time] if dimensions > 3 else array
    affine = np.eye(4)
    plane = min(dimensions, 3)
    columns = np.array(direction).reshape(dimensions, dimensions)[:plane, :plane]
    affine[:plane, :plane] = columns * np.array(spacing[:plane])
    affine[:plane, 3] = origin[:plane]
    try:
        geometry = straight_grid(tuple(size[:3]), affine)
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error
    chosen = np.ascontiguousarray(array[..., colour])
    if chosen.dtype.kind not in "biuf":
        raise InputError(f"{path} cannot be used: it has a complex number per voxel; a volume has one real number.")
    return Volume(chosen.reshape(geometry.shape), geometry)
