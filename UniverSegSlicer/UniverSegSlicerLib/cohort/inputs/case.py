"""One volume of a cohort, and what its label map is called."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from ...files import WRITABLE

_PACKED = (".nii.gz", ".nii.bz2", ".img.gz", ".hdr.gz", ".seg.nrrd")


@dataclass(frozen=True)
class Case:
    """One volume.

    Attributes:
        name: What the table calls it; no two cases of a cohort have the same.
        volume: Its file, or its folder of DICOM files.
        output: Path of the label map within the output folder, with ``/``.
    """

    name: str
    volume: Path
    output: str

    @property
    def key(self) -> str:
        """The name as a file name: readable, short, and of this case alone."""
        readable = re.sub(r"[^A-Za-z0-9.-]+", "_", self.name).strip("._")[-60:]
        return f"{readable}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"


def without_ending(name: str) -> str:
    """A file's name without its ending, ``.nii.gz`` and the like counting as one."""
    packed = next((ending for ending in _PACKED if name.lower().endswith(ending)), None)
    return name[: -len(packed)] if packed else name.rpartition(".")[0] or name


def output_name(name: str, *, folder: bool = False) -> str:
    """The name of a volume's label map: the volume's own where label maps can be written as such, else NIfTI."""
    if not folder and name.lower().endswith(WRITABLE) and not name.lower().endswith(".seg.nrrd"):
        return name
    return f"{name if folder else without_ending(name)}.nii.gz"
