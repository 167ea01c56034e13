"""The support of a cohort: support-set files, and pairs of volume and label map, as one set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import GeometryError, InputError
from ...files import onto_grid, read_label_map, read_volume
from ...segmentation import SupportSet, is_complete

SET = ".npz"


def read_support(given: Sequence[Path]) -> SupportSet:
    """One support set of all that was given.

    Args:
        given: Support-set files (``.npz``), and pairs: a volume, and right after it its label map. A complete label map
            brings its whole scan along, marked slices bring themselves.

    Raises:
        InputError: A volume without its label map, files that cannot be used, or names of labels that contradict.
    """
    parts: list[tuple[str, SupportSet]] = []
    waiting = list(given)
    while waiting:
        path = waiting.pop(0)
        if path.suffix.lower() == SET:
            parts.append((path.name, SupportSet.load(path)))
            continue
        if not waiting or waiting[0].suffix.lower() == SET:
            raise InputError(
                f"{path} stands alone: a support is a support-set file ({SET}), or a volume and then its label map."
            )
        parts.append((path.name, read_pair(path, waiting.pop(0))))
    return merge(parts)


def read_pair(volume: Path, labels: Path) -> SupportSet:
    """The support set of a volume and its label map, complete or with a few marked slices."""
    image = read_volume(volume)
    marks = read_label_map(labels, onto=image.geometry)
    try:
        placed, _ = onto_grid(marks, image.geometry)
    except GeometryError as error:
        raise GeometryError(
            f"{labels} is not on the grid of {volume}: {error}; resample the label map onto the volume."
        ) from error
    if not placed.array.any():
        raise InputError(f"{labels} is empty: mark slices of {volume} in it first.")
    if is_complete(placed.array):
        return SupportSet.from_scan(image, placed.array, label_names=marks.names, source=source_name(volume), sure=True)
    return SupportSet.from_volume(image, placed.array, label_names=marks.names, source=source_name(volume))


def source_name(volume: Path) -> str:
    """What a scan is called in a support set: with its folder, since many are called image.nii.gz."""
    return "/".join(volume.resolve().parts[-2:])


def merge(parts: Sequence[tuple[str, SupportSet]]) -> SupportSet:
    """Several sets as one.

    Args:
        parts: What each is called in errors, and the set.

    Raises:
        InputError: There is none, none has a label, or they give a label different names, or a name different labels.
    """
    merged = SupportSet()
    names: dict[int, tuple[str, str]] = {}
    values: dict[str, tuple[int, str]] = {}
    for called, part in parts:
        for value, name in part.label_names.items():
            known, where = names.setdefault(value, (name, called))
            if known != name:
                raise InputError(
                    f"label {value} is {known} in {where} and {name} in {called}: one label needs one meaning; "
                    "rename or renumber it (`support create --names`)."
                )
            number, where = values.setdefault(name, (value, called))
            if number != value:
                raise InputError(
                    f"{name} is label {number} in {where} and label {value} in {called}: one structure needs one "
                    "label; renumber it."
                )
        merged = merged.merged(part)
    if not merged.label_values:
        raise InputError("the support holds no label, so that there is nothing to go by.")
    return merged


def support_hash(support: SupportSet, values: Sequence[int]) -> str:
    """SHA-256 of all that a segmentation of these labels can depend on.

    That is pixels, labels, grids and flags of what is in use and says something about one of the labels; neither the
    file nor names.
    """
    digest = hashlib.sha256()

    def add(facts: object, *arrays: np.ndarray) -> None:
        digest.update(json.dumps(facts, sort_keys=True, default=str).encode())
        for array in arrays:
            digest.update(str((array.dtype.str, array.shape)).encode())
            digest.update(np.ascontiguousarray(array).data)

    add(sorted(values))
    for e in support.examples:
        if not any(e.supports(value) for value in values):
            continue
        add([e.spacing, e.source, e.axis, e.index, e.used, e.complete], e.image, e.labels)
    for scan in support.scans:
        if not scan.used or not set(scan.label_values) & set(values):
            continue
        grid = scan.image.geometry
        add([grid.spacing, grid.origin, grid.direction, scan.source, scan.used], scan.image.array, scan.labels)
    return digest.hexdigest()
