"""Whether a file can hold as many voxels as its header says, before memory is reserved for them."""

from __future__ import annotations

import math
from pathlib import Path

import SimpleITK as sitk

from ..errors import InputError

#: Deflate, the compression of NIfTI, NRRD and MetaImage, makes at most 1,032 bytes of one; DICOM's less.
LARGEST_RATIO = 1100
# Below this nothing can go wrong, and blank pictures compress better than any scan.
_HARMLESS = 64 << 20
#: Headers whose voxels stand in another file.
_DETACHED = (".mhd", ".nhdr")


def check_promise(reader: sitk.ImageFileReader, path: Path) -> None:
    """Compare the size in a header with the size of its file.

    Args:
        reader: After ``ReadImageInformation`` of the file.
        path: The file.

    Raises:
        InputError: No compression could hold that many voxels: the header is damaged, or the file is cut off.
    """
    if path.name.lower().endswith(_DETACHED):
        return
    size = [int(n) for n in reader.GetSize()]
    promised = math.prod(size) * reader.GetNumberOfComponents() * _bytes(reader)
    check_room(path, promised, LARGEST_RATIO * path.stat().st_size)


def check_room(path: Path, promised: int, room: int) -> None:
    """Compare the bytes of voxels that a header promises with those that its file can hold.

    Raises:
        InputError: It cannot, by more than what is harmless.
    """
    if promised > max(_HARMLESS, room):
        raise InputError(
            f"{path} is damaged or cut off: its header tells of {promised} bytes of voxels, which a file of "
            f"{path.stat().st_size} bytes cannot hold."
        )


def _bytes(reader: sitk.ImageFileReader) -> int:
    try:
        return int(sitk.Image([1, 1], reader.GetPixelID(), reader.GetNumberOfComponents()).GetSizeOfPixelComponent())
    except RuntimeError:  # a type of several components is asked for with one
        return 8
