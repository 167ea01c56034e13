"""The series in a folder and below it, and which of them is meant."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError
from .opening import Instance, is_dicom

# A folder with more files is no export of an examination; somebody gave a whole disk.
_MOST_FILES = 200_000
_MOST_LISTED = 8


@dataclass(frozen=True)
class Series:
    """The files of one series.

    Attributes:
        instances: Its files, at least one, in the order of their names.
    """

    instances: tuple[Instance, ...]

    @property
    def first(self) -> Instance:
        """The first file, which speaks for the series."""
        return self.instances[0]

    @property
    def uid(self) -> str:
        """Series Instance UID."""
        return self.first.series[1]

    @property
    def number(self) -> str:
        """Series Number as text; empty where there is none."""
        return self.first.number

    @property
    def title(self) -> str:
        """Series Description, or what stands in for it."""
        return self.first.title or "untitled"

    @property
    def images(self) -> list[Instance]:
        """Files from which a volume can be made: grey, neither overviews nor pictures of screens."""
        return [i for i in self.instances if i.is_image and i.is_grey and not i.is_localizer and not i.is_secondary]

    def said(self, folder: Path) -> str:
        """The series in a few words, with the subfolder of ``folder`` that it lies in."""
        frames = sum(instance.frames for instance in self.instances if instance.is_image)
        count, unit = (frames, "slice") if frames else (len(self.instances), "file")
        size = f"{count} {unit}{'s' if count != 1 else ''}"
        number = f"number {self.number}, " if self.number else ""
        parent = self.first.path.parent
        below = parent.relative_to(folder) if parent.is_relative_to(folder) else Path()
        return f"'{self.title}' ({number}{size}{f', in {below.as_posix()}' if below != Path() else ''})"


def find_series(folder: Path) -> list[Series]:
    """Every series in a folder and its subfolders; files that are not DICOM, and hidden ones, are passed over.

    Raises:
        InputError: A DICOM file that is damaged, or an empty one that is named as if it were DICOM.
    """
    groups: dict[tuple[str, str], list[Instance]] = {}
    for path in _files(folder):
        if path.stat().st_size == 0:
            if path.suffix.lower() in (".dcm", ".ima"):
                raise InputError(f"{path} is empty: a slice may be missing; copy the folder again.")
            continue
        if is_dicom(path):
            instance = Instance(path)
            if not instance.is_directory:
                groups.setdefault(instance.series, []).append(instance)
    for instances in groups.values():
        # Cut off within the name of its series, or before it: the series that it belongs to lacks it.
        if all(instance.is_broken for instance in instances):
            raise instances[0].refuse() or InputError(f"{folder} is damaged.")
    return [Series(tuple(_without_copies(instances))) for instances in groups.values()]


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    visited: set[str] = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        here = os.path.realpath(root)
        if here in visited:
            folders.clear()
            continue
        visited.add(here)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [path for name in sorted(names) if not name.startswith(".") and (path := Path(root, name)).is_file()]
        if len(found) > _MOST_FILES:
            raise InputError(f"{folder} holds more than {_MOST_FILES:,} files; give the folder of one examination.")
    return found


def _without_copies(instances: Sequence[Instance]) -> list[Instance]:
    """Leave out files that are byte for byte others with the same SOP Instance UID (copies, links)."""
    kept: dict[str, list[Instance]] = {}
    for instance in instances:
        same = kept.setdefault(instance.uid or str(instance.path), [])
        if not any(filecmp.cmp(instance.path, other.path, shallow=False) for other in same):
            same.append(instance)
    return [instance for same in kept.values() for instance in same]


def choose_series(folder: Path, found: Sequence[Series], wanted: str | None, *, labels: bool = False) -> Series:
    """The series that is asked for, or the only one that a volume (or a label map) can be made of.

    Args:
        folder: What the user gave.
        found: From :func:`find_series`.
        wanted: A Series Instance UID, a Series Number, or a Series Description, whole or a part of it.
        labels: A label map is looked for: segmentations come before images.

    Raises:
        InputError: None, or several; the sentence names them and says what to type.
    """
    if not found:
        raise InputError(f"{folder} holds no DICOM series, nor does a folder in it.")
    if wanted is not None:
        return _named(folder, found, wanted)
    here = [series for series in found if any(i.path.parent == folder for i in series.instances)]
    for group in (here, list(found)):
        for tier in _tiers(labels):
            fitting = [series for series in group if tier(series)]
            if len(fitting) == 1:
                return fitting[0]
            if fitting:
                raise InputError(f"{folder} holds {len(fitting)} DICOM series: {_listed(folder, fitting)}.")
    if len(found) == 1:
        return found[0]
    raise InputError(f"{folder} holds no DICOM images, only {', '.join(s.said(folder) for s in found[:_MOST_LISTED])}.")


def _tiers(labels: bool) -> list[Callable[[Series], bool]]:
    """What is looked for, best first."""
    tiers: list[Callable[[Series], bool]] = [
        lambda series: sum(instance.frames for instance in series.images) > 1,
        lambda series: bool(series.images),
        lambda series: any(instance.is_image for instance in series.instances),
    ]
    segmentations: Callable[[Series], bool] = lambda series: series.first.is_segmentation  # noqa: E731
    return [segmentations, *tiers] if labels else tiers


def _named(folder: Path, found: Sequence[Series], wanted: str) -> Series:
    text = wanted.strip()
    ways: list[Callable[[Series], bool]] = [
        lambda series: series.uid == text,
        lambda series: series.number != "" and series.number == text,
        lambda series: series.title == text,
        lambda series: text != "" and text.casefold() in series.title.casefold(),
    ]
    for way in ways:
        fitting = [series for series in found if way(series)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise InputError(
                f"{folder}: --series {wanted} fits {len(fitting)} DICOM series: {_listed(folder, fitting)}."
            )
    raise InputError(f"{folder} holds no DICOM series --series {wanted}: {_listed(folder, found)}.")


def _listed(folder: Path, series: Sequence[Series]) -> str:
    """The series, and what to type to get one of them."""
    shown = series[:_MOST_LISTED]
    numbers = [s.number for s in series]
    said = "; ".join(s.said(folder) for s in shown) + (f"; and {len(series) - len(shown)} more" if series[8:] else "")
    ways = [f"--series {s.number if s.number and numbers.count(s.number) == 1 else s.uid}" for s in shown]
    return f"{said}; choose one with {' or '.join(ways)}"
