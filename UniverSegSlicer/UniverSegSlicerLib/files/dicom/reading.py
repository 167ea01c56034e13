"""The volume of a DICOM file or folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError
from ...imaging import Volume
from .finding import Series, choose_series, find_series
from .frames import Frame, frames_of
from .grid import grid_of
from .opening import Instance
from .parts import Parts, parts_of
from .voxels import values_of


@dataclass(frozen=True)
class Choice:
    """What the user gave and what was chosen of it.

    Attributes:
        what: The path and, where it is not the only one, the series, for errors.
        series: The series.
        frames: Those of the chosen volume, in the order of its slices.
    """

    what: str
    series: Series
    frames: tuple[Frame, ...]


def read_dicom(path: Path, *, series: str | None = None, component: int | None = None) -> Volume:
    """Read the volume of a DICOM file, of a DICOMDIR, or of a folder with DICOM files in it or in its subfolders.

    Args:
        path: A file or folder.
        series: UID, number or description of the series; None for the only one of which a volume can be made.
        component: Which of several volumes of the series (time points, echoes, stacks), from 0; None for the only one.

    Returns:
        Values rescaled slice by slice; slices in rising order along row × column direction; grid in LPS.

    Raises:
        InputError: Nothing, or several, to choose from (the sentence says what to type), no straight grid, or a file
            that is damaged.
    """
    chosen = choose_volume(path, series=series, component=component)
    geometry = grid_of(chosen.frames, chosen.what)
    return Volume(values_of(chosen.frames), geometry)


def choose_volume(path: Path, *, series: str | None = None, component: int | None = None) -> Choice:
    """The frames of which :func:`read_dicom` makes a volume."""
    found, chosen = open_series(path, series)
    if all(instance.is_segmentation for instance in chosen.instances):
        raise InputError(
            f"{chosen.first.path} is a DICOM SEG, which holds segments and no image; give it as label map."
        )
    what = str(path) if len(found) == 1 else f"{path}, series {chosen.said(path)}"
    part = _parts(chosen.instances, what).choose(component, what)
    return Choice(what, chosen, part.frames)


def open_series(path: Path, wanted: str | None, *, labels: bool = False) -> tuple[list[Series], Series]:
    """All series at a path, and the chosen one."""
    folder = path
    if not path.is_dir():
        instance = Instance(path)
        if not instance.is_directory:
            only = Series((instance,))
            if wanted is not None:
                choose_series(path, [only], wanted)
            return [only], only
        folder = path.parent
    found = find_series(folder)
    return found, choose_series(folder, found, wanted, labels=labels)


def _parts(instances: Sequence[Instance], what: str) -> Parts:
    images = [i for i in instances if i.is_image and not i.is_segmentation]
    if not images:
        raise instances[0].refuse() or InputError(f"{what} holds no image.")
    grey = [i for i in images if i.refuse() is None]
    frames = [frame for instance in grey or images for frame in frames_of(instance)]
    return parts_of(frames, what)
