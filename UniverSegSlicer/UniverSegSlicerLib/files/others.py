"""What only ITK reads (GIPL, VTK, MRC, HDF5, MINC): read by a process of its own.

Some of ITK's readers write beyond their memory on damaged files, which ends their process. It is not ours. Those of
GIPL, VTK, MRC and PIC give whatever the memory held in place of voxels that are cut off: theirs are counted here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import InputError
from ..imaging import Volume
from .components import choose_component
from .grids import straight_grid
from .streams import opened

#: Endings of files that are handed to ITK unseen.
ENDINGS = (".gipl", ".gipl.gz", ".vtk", ".mrc", ".hdf", ".hdf5", ".h5", ".he5", ".mnc", ".lsm", ".stk", ".pic")

_CHUNK = 1 << 20
# Bytes before the voxels of the kinds that ITK does not count.
_HEADERS = {".gipl": 256, ".gipl.gz": 256, ".mrc": 1024, ".pic": 76}
# Lines of a VTK file in which its header ends.
_VTK_LINES, _LONGEST_LINE = 12, 300

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
    _check_length(path, array)
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


def _check_length(path: Path, array: np.ndarray) -> None:
    """Refuse a file of a kind whose voxels ITK does not count, where it is too short for its voxels.

    Raises:
        InputError: It is.
    """
    name = path.name.lower()
    before = next((length for ending, length in _HEADERS.items() if name.endswith(ending)), None)
    if before is None and not name.endswith(".vtk"):
        return
    with opened(path) as stream:
        if before is None:
            present, wanted, unit = _vtk_numbers(stream.file, array), array.size, "numbers"
        else:
            present = sum(iter(lambda: len(stream.file.read(_CHUNK)), 0)) - before
            wanted, unit = array.nbytes, "bytes of voxels"
    if present < wanted:
        raise InputError(f"{path} is cut off: {max(0, present)} of {wanted} {unit} are there.")


def _vtk_numbers(file: IO[bytes], array: np.ndarray) -> int:
    """How many numbers stand behind the header of a VTK file."""
    head = [file.readline(_LONGEST_LINE).strip().upper() for _ in range(_VTK_LINES)]
    begun = next((n for n, line in enumerate(head) if line.startswith((b"LOOKUP_TABLE", b"VECTORS"))), None)
    if begun is None:
        begun = next(
            (n for n, line in enumerate(head) if line.startswith((b"SCALARS", b"COLOR_SCALARS"))), len(head) - 1
        )
    file.seek(0)
    for _ in range(begun + 1):
        file.readline(_LONGEST_LINE)
    rest = file.read()
    return len(rest.split()) if b"ASCII" in head else len(rest) // array.itemsize
