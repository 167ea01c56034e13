"""Reader ``stack``: 2D slices (DICOM, png, tif, or the pages of one tif) stacked to a volume, or kept as samples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.errors import GeometryError, InputError

from ..index import Case, Found
from ..sample import MaskPart, Sample
from . import masks
from .formats.arrays import TIFF_SUFFIXES, RawArray, suffix_of
from .formats.loading import load_array
from .image import sample_of
from .pictures import to_grey


@dataclass(frozen=True)
class _Plane:
    """One slice: ``key`` is what named group slice caught, or the number of the page from 1."""

    key: str
    raw: RawArray
    path: str


def read(case: Case) -> Iterator[Sample]:
    """Yield one volume (slice, rows, cols) per channel, or with ``pages_are_samples`` every slice as a sample.

    Raises:
        InputError: Image and label slices cannot be matched one to one.
    """
    group = case.group
    for channel, files in case.images.items():
        modality = group.modality_of(channel)
        if modality is None:
            continue
        planes = _planes(case, files, group.image_options)
        greys = [to_grey(plane.raw.array, group.image_options, plane.path) for plane in planes]
        _same_shapes(planes, greys)
        labels = _matched_labels(case, planes)
        if group.image_options.get("pages_are_samples", False):
            yield from _pages(case, channel, modality, planes, greys, labels)
            continue
        axis = group.image_options.get("stack_axis", 0)
        image = np.stack(greys, axis=axis)
        parts, notes = _stacked_parts(case, labels, image.shape, axis)
        yield sample_of(
            case, channel, modality, image, _spacing(group.image_options, planes, axis),
            masks.collect(group.label, parts, image.shape), notes,
        )  # fmt: skip


def _pages(
    case: Case,
    channel: str,
    modality: str,
    planes: Sequence[_Plane],
    greys: Sequence[NDArray[Any]],
    labels: Sequence[tuple[str, int, list[_Plane | None]]],
) -> Iterator[Sample]:
    group = case.group
    captures = next(iter(case.images.values()))[0].captures
    for index, (plane, grey) in enumerate(zip(planes, greys, strict=True)):
        parts: list[MaskPart] = []
        notes: list[str] = []
        for key, turn, slices in labels:
            label = slices[index]
            if label is not None:
                new, said = masks.encode(group.label, label.raw.array, label.path, turn, 2, key)
                parts.extend(new)
                notes.extend(said)
        values = {**captures, "slice": plane.key}
        subject = "_".join(values.get(part, "") for part in group.subject_from) or case.subject
        one = replace(
            case, name=f"{case.name}/{plane.key}", subject=subject if "slice" in group.subject_from else case.subject
        )
        spacing = tuple(group.image_options.get("spacing", plane.raw.spacing or (np.nan, np.nan)))
        yield sample_of(one, channel, modality, grey, spacing, masks.collect(group.label, parts, grey.shape), notes)


def _planes(case: Case, files: Sequence[Found], options: Mapping[str, Any]) -> list[_Plane]:
    planes: list[_Plane] = []
    for found in files:
        raw = load_array(case.path(found), options)
        key = found.captures.get("slice", "")
        pages = _page_count(raw.array) if suffix_of(case.path(found)) in TIFF_SUFFIXES and not key else 0
        if pages:
            planes.extend(
                _Plane(str(page + 1), RawArray(raw.array[page], raw.spacing), f"{found.path} page {page + 1}")
                for page in range(pages)
            )
        else:
            planes.append(_Plane(key, raw, found.path))
    return sorted(planes, key=lambda plane: _order_key(plane, options.get("order", "number")))


def _page_count(array: NDArray[Any]) -> int:
    if array.ndim == 3 and array.shape[-1] not in (3, 4):
        return array.shape[0]
    return array.shape[0] if array.ndim == 4 else 0


def _order_key(plane: _Plane, order: str) -> tuple[Any, ...]:
    if order == "name":
        return (plane.path,)
    if order in ("instance", "position"):
        if order not in plane.raw.header:
            raise InputError(f"{plane.path}: the slices are ordered by DICOM {order}, which this file does not have.")
        return (plane.raw.header[order],)
    number = _number(plane.key)
    if number is None:
        raise InputError(f"{plane.path}: the slices are ordered by number, but {plane.key!r} has none.")
    return (number, plane.path)


def _number(key: str) -> int | None:
    digits = re.findall(r"\d+", key)
    return int(digits[-1]) if digits else None


def _matched_labels(case: Case, planes: Sequence[_Plane]) -> list[tuple[str, int, list[_Plane | None]]]:
    """Per class and rater the label slice of every image slice: [(class, turn of the rater, slices)]."""
    rule = case.group.label
    sets: dict[tuple[str, int], list[Found]] = {}
    for found in case.labels:
        turn = masks.rater_turn(rule, found.captures.get("rater"), found.path)
        if turn is not None:
            sets.setdefault((found.captures.get("class", ""), turn), []).append(found)
    result = []
    for (key, turn), files in sets.items():
        slices = _planes(case, files, {"order": "name", **rule.options})
        if rule.options.get("order") is None and rule.options.get("match") != "order" and len(slices) > len(files):
            slices = _planes(case, files, {**rule.options, "order": "page"})
        result.append((key, turn, _matched(case, planes, slices)))
    return result


def _matched(case: Case, planes: Sequence[_Plane], slices: Sequence[_Plane]) -> list[_Plane | None]:
    rule = case.group.label
    if rule.options.get("match", "name") == "order":
        if len(slices) != len(planes):
            raise InputError(f"{case.name}: {len(planes)} image slices, but {len(slices)} label slices.")
        return list(slices)
    by_key = {_slice_key(plane): plane for plane in slices}
    found = [by_key.get(_slice_key(plane)) for plane in planes]
    missing = [plane.path for plane, label in zip(planes, found, strict=True) if label is None]
    if missing and rule.absent != "empty":
        raise InputError(f"{case.name}: {len(missing)} image slices have no label slice, the first is {missing[0]}.")
    extra = set(by_key) - {_slice_key(plane) for plane in planes}
    if extra:
        raise InputError(f"{case.name}: {len(extra)} label slices have no image slice, for instance {min(extra)}.")
    return found


def _slice_key(plane: _Plane) -> str:
    return str(int(plane.key)) if plane.key.isdigit() else plane.key.casefold()


def _stacked_parts(
    case: Case, labels: Sequence[tuple[str, int, list[_Plane | None]]], shape: tuple[int, ...], axis: int
) -> tuple[list[MaskPart], list[str]]:
    parts: list[MaskPart] = []
    notes: list[str] = []
    for key, turn, slices in labels:
        first = next((s for s in slices if s is not None), None)
        if first is None:
            continue
        empty = np.zeros_like(first.raw.array)
        arrays = [empty if s is None else s.raw.array for s in slices]
        shapes = sorted({a.shape for a in arrays})
        if len(shapes) > 1:
            raise GeometryError(f"{case.name}: the label slices have different shapes {shapes}.")
        stacked = np.stack(arrays, axis=axis)
        if stacked.shape[:3] != shape:
            raise GeometryError(f"{case.name}: the labels have the shape {stacked.shape}, the image has {shape}.")
        new, said = masks.encode(case.group.label, stacked, case.name, turn, 3, key)
        parts.extend(new)
        notes.extend(said)
    return parts, notes


def _same_shapes(planes: Sequence[_Plane], greys: Sequence[NDArray[Any]]) -> None:
    for plane, grey in zip(planes, greys, strict=True):
        if grey.shape != greys[0].shape:
            raise GeometryError(
                f"{plane.path}: the slice has the shape {grey.shape}, {planes[0].path} has {greys[0].shape}."
            )


def _spacing(options: Mapping[str, Any], planes: Sequence[_Plane], axis: int) -> tuple[float, ...]:
    if "spacing" in options:
        return tuple(float(value) for value in options["spacing"])
    within = list(planes[0].raw.spacing or (np.nan, np.nan))
    positions = [plane.raw.header.get("position") for plane in planes]
    between = float(planes[0].raw.header.get("thickness", np.nan))
    if len(positions) > 1 and all(position is not None for position in positions):
        between = float(np.median(np.abs(np.diff(positions)))) or between
    return (*within[:axis], between, *within[axis:])
