"""Volumes and labels of a folder of labelled scans, and the slices that a person would mark on them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..imaging import AXES, Volume, array_axis, slice_distance, slice_stack
from .reading import read_label_map, read_volume

#: How marks are placed: evenly over the structure, ever wider apart, or all in the quarter of it that comes first.
PLACEMENTS = ("even", "uneven", "one end")

# Power of the shares of the structure at which even marks are, for uneven ones.
_WIDENING = 1.5
# A label in fewer slices than this leaves nothing to propagate to.
_FEWEST_SLICES = 3
# Spacings within this ratio count as equal: volumes resampled to a cube's voxels keep rounding errors.
_EQUAL_SPACING = 1.05


@dataclass(frozen=True)
class Scan:
    """One labelled volume of a data set: ``image.nii.gz`` and ``label.nii.gz`` in one folder.

    Attributes:
        dataset: Name of the data set.
        name: Name of the volume within it.
        folder: Where the two files are.
        labels: Label value to name, as far as the catalogue tells.
    """

    dataset: str
    name: str
    folder: Path
    labels: dict[int, str]

    def read(self) -> LabelledVolume:
        """Read both files."""
        image, labels = read_volume(self.folder / "image.nii.gz"), read_label_map(self.folder / "label.nii.gz")
        difference = image.geometry.difference(labels.geometry)
        if difference:
            raise InputError(f"{self.folder}: image and label are not on one grid: {difference}.")
        return LabelledVolume(self, image, labels.array)


@dataclass(frozen=True, eq=False)
class LabelledVolume:
    """A scan in memory; ``labels`` is (K, J, I)."""

    scan: Scan
    image: Volume
    labels: np.ndarray

    @cached_property
    def sizes(self) -> dict[int, dict[str, int]]:
        """Label value to axis to the number of slices that hold it."""
        places = np.nonzero(self.labels)
        values = self.labels[places].astype(np.int64)
        table: dict[int, dict[str, int]] = {int(v): {} for v in np.unique(values)}
        for axis in AXES:
            number, slices = array_axis(axis), self.labels.shape[array_axis(axis)]
            held = np.unique(values * slices + places[number]) // slices
            for value, count in zip(*np.unique(held, return_counts=True), strict=True):
                table[int(value)][axis] = int(count)
        return table

    def axis(self, value: int) -> str:
        """The axis to mark slices of a label along: that of the largest spacing.

        Where several spacings are equal, the one along which the structure has the most slices: across it, slices look
        most alike.
        """
        geometry = self.image.geometry
        widest = max(geometry.spacing)
        wide = [axis for axis in AXES if slice_distance(geometry, axis) * _EQUAL_SPACING >= widest]
        return max(reversed(wide), key=lambda axis: self.sizes[value][axis])

    def present(self, value: int) -> np.ndarray:
        """Rising numbers of the slices that hold a label."""
        return np.flatnonzero((slice_stack(self.labels, self.axis(value)) == value).any(axis=(1, 2)))

    def usable_labels(self, most: int | None = None) -> list[int]:
        """Labels with enough slices, rising; at most ``most`` of them, evenly taken from all."""
        values = [v for v in sorted(self.sizes) if self.sizes[v][self.axis(v)] >= _FEWEST_SLICES]
        return evenly(values, most)


@dataclass(frozen=True, eq=False)
class MarkedCase:
    """What a method gets: the image, and one structure on a few slices. Only the score looks at ``truth``.

    Attributes:
        image: The volume.
        axis: Slice axis.
        marked: Rising numbers of the marked slices.
        marks: Boolean (K, J, I), the structure on the marked slices only.
        truth: Boolean (K, J, I).
    """

    image: Volume
    axis: str
    marked: tuple[int, ...]
    marks: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, volume: LabelledVolume, value: int, marked: Sequence[int]) -> MarkedCase:
        """Mark slices of one label of a volume."""
        truth = volume.labels == value
        marks = np.zeros_like(truth)
        rows = sorted(int(n) for n in marked)
        axis = volume.axis(value)
        slice_stack(marks, axis)[rows] = slice_stack(truth, axis)[rows]
        return cls(volume.image, axis, tuple(rows), marks, truth)

    @property
    def slice_shape(self) -> tuple[int, int]:
        """(rows, cols) of a slice."""
        rows, cols = slice_stack(self.marks, self.axis).shape[1:]
        return rows, cols

    @cached_property
    def ends(self) -> tuple[int, int]:
        """The first and the last slice of the structure: what methods that are told the ends know besides."""
        present = np.flatnonzero(slice_stack(self.truth, self.axis).any(axis=(1, 2)))
        return int(present[0]), int(present[-1])

    def with_ends_marked(self) -> MarkedCase:
        """The same case with the empty slices just beyond the structure marked as well."""
        first, last = self.ends
        beyond = {n for n in (first - 1, last + 1) if 0 <= n < len(slice_stack(self.truth, self.axis))}
        return MarkedCase(self.image, self.axis, tuple(sorted({*self.marked, *beyond})), self.marks, self.truth)


def place_marks(present: np.ndarray, count: int, placement: str) -> tuple[int, ...] | None:
    """Slices to mark.

    Args:
        present: Rising numbers of the slices that hold the structure.
        count: How many to mark.
        placement: "even": the middles of ``count`` equal parts of the structure. "uneven": ever wider apart, the first
            one close to its beginning. "one end": evenly within its first quarter (its first ``count`` slices where the
            quarter has fewer).

    Returns:
        Rising slice numbers; None where no slice of the structure would be left unmarked.
    """
    if placement not in PLACEMENTS:
        raise InputError(f"placement {placement!r} is not one of {', '.join(PLACEMENTS)}.")
    if len(present) <= count:
        return None
    part = present[: max(count, len(present) // 4)] if placement == "one end" else present
    shares = (np.arange(count) + 0.5) / count
    places = (len(part) - 1) * (shares**_WIDENING if placement == "uneven" else shares)
    return tuple(sorted({int(n) for n in part[places.round().astype(int)]}))


def find_scans(folder: Path, role: str = "val", most: int | None = None) -> list[Scan]:
    """The volumes of a folder, by data set and name.

    Args:
        folder: With a ``catalogue.json`` (a list of data sets with ``id``, ``kind``, ``role``, ``path``, ``labels``),
            of which the "3d" ones of the role are taken; without one, every folder in it that holds ``image.nii.gz``
            and ``label.nii.gz`` counts, its parent as the data set.
        role: "val" or "train"; only with a catalogue.
        most: At most so many volumes of a data set, evenly taken from all.

    Raises:
        InputError: There is no labelled volume.
    """
    groups: dict[str, list[Scan]] = {}
    for dataset, place, labels in _datasets(folder, role):
        for image in sorted(place.rglob("image.nii.gz")):
            if (image.parent / "label.nii.gz").is_file():
                name = dataset or image.parent.parent.name
                groups.setdefault(name, []).append(Scan(name, image.parent.name, image.parent, labels))
    if not groups:
        raise InputError(
            f"{folder} holds no labelled volume: either a catalogue.json with data sets of kind 3d and role {role}, or "
            "folders with image.nii.gz and label.nii.gz are needed."
        )
    return [scan for name in sorted(groups) for scan in evenly(groups[name], most)]


def _datasets(folder: Path, role: str) -> Iterator[tuple[str, Path, dict[int, str]]]:
    catalogue = folder / "catalogue.json"
    if not catalogue.is_file():
        yield "", folder, {}
        return
    for entry in json.loads(catalogue.read_text(encoding="utf-8")):
        if entry["kind"] == "3d" and entry["role"] == role:
            labels = {int(value): str(name) for value, name in entry.get("labels", {}).items()}
            yield entry["id"], folder / entry["path"], labels


def evenly(items: list, most: int | None) -> list:
    """At most ``most`` items, evenly taken from all; all of them without a number."""
    if most is None or len(items) <= most:
        return items
    return [items[int((n + 0.5) * len(items) / most)] for n in range(most)]
