"""The volume of a DICOM file or folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import InputError
from ...imaging import Geometry, Volume, as_labels
from ..label_maps import LabelMap
from .finding import Series, choose_series, find_series
from .frames import Frame, frames_of
from .grid import DicomGrid, grid_of
from .opening import Instance
from .parts import Parts, parts_of
from .segments import read_segments
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
    return _volume(chosen)


def read_dicom_labels(
    path: Path, *, series: str | None = None, component: int | None = None, onto: Geometry | None = None
) -> list[LabelMap]:
    """Read a DICOM SEG, or the volume of a series as labels, from a file or folder.

    Args:
        path, series, component: As for :func:`read_dicom`; where a folder holds a SEG and images, the SEG is meant.
        onto: The grid of the volume that is segmented: segments whose frames lie on its slices are given on it.

    Returns:
        One label map; several where segments overlap, each with label values of its own.

    Raises:
        InputError: As :func:`read_dicom`; values that are no labels.
    """
    _, chosen = open_series(path, series, labels=True)
    segmentations = [instance for instance in chosen.instances if instance.is_segmentation]
    if len(segmentations) > 1:
        raise InputError(
            f"{path} holds {len(segmentations)} DICOM SEG files in series {chosen.said(path)}; give one of them, such "
            f"as {segmentations[0].path}."
        )
    if segmentations:
        if component is not None:
            raise InputError(f"{path} is a DICOM SEG, which has no time points: leave out --component.")
        return read_segments(segmentations[0], onto)
    volume = _volume(_chosen(chosen, component, str(path)))
    return [LabelMap(as_labels(volume.array), volume.geometry)]


def _volume(chosen: Choice) -> Volume:
    geometry = grid_of(chosen.frames, chosen.what)
    # What is written for this grid may refer to its files.
    return Volume(values_of(chosen.frames), replace(geometry, stored=DicomGrid(chosen.frames, geometry)))


def choose_volume(path: Path, *, series: str | None = None, component: int | None = None) -> Choice:
    """The frames of which :func:`read_dicom` makes a volume."""
    found, chosen = open_series(path, series)
    if all(instance.is_segmentation for instance in chosen.instances):
        raise InputError(
            f"{chosen.first.path} is a DICOM SEG, which holds segments and no image; give it as label map."
        )
    return _chosen(chosen, component, str(path) if len(found) == 1 else f"{path}, series {chosen.said(path)}")


def _chosen(series: Series, component: int | None, what: str) -> Choice:
    part = _parts(series.instances, what).choose(component, what)
    return Choice(what, series, part.frames)


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
    broken = next((i for i in instances if i.is_broken), None)
    if broken is not None:
        raise broken.refuse() or InputError(f"{what} is cut off.")
    images = [i for i in instances if i.is_image and not i.is_segmentation]
    if not images:
        raise instances[0].refuse() or InputError(f"{what} holds no image.")
    kept = [i for i in images if i.refuse() is None]
    # A picture of a screen may lie among slices; what is of their own kind was to be one of them.
    kinds = {i.kind for i in kept}
    reason = next((reason for i in images if i.kind in kinds and (reason := i.refuse()) is not None), None)
    if reason is not None:
        raise reason
    return parts_of([frame for instance in kept or images for frame in frames_of(instance)], what)
