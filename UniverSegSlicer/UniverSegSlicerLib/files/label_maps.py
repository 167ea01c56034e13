"""Label maps with what files say about their segments: names, colours, terminology."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import InputError
from ..imaging import Volume


@dataclass(frozen=True)
class Segment:
    """One structure of a label map.

    Attributes:
        value: Its label value, 1 to 65535.
        name: Its name.
        colour: (red, green, blue), 0 to 1; None where the file gives none.
        terminology: What it is, as Slicer writes it (``context~category~type~modifier~...``); None: not said.
        details: What a ``.seg.nrrd`` says of it besides, by the names of its fields (``ID``, ``Tags``).
    """

    value: int
    name: str
    colour: tuple[float, float, float] | None = None
    terminology: str | None = None
    details: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class LabelMap(Volume):
    """A volume of labels, uint16, and its segments by rising value; a file without names has none.

    Example:
        >>> read_label_map("marks.seg.nrrd").names  # doctest: +SKIP
        {1: 'liver', 2: 'catheter'}
    """

    segments: tuple[Segment, ...] = ()

    @property
    def names(self) -> dict[int, str]:
        """Label value to name."""
        return {segment.value: segment.name for segment in self.segments}


def one_map(layers: Sequence[LabelMap]) -> LabelMap | None:
    """Layers of one grid as one label map; None where two of them claim the same voxel.

    Args:
        layers: With values that differ from layer to layer (:func:`distinct_values`).
    """
    first, *further = layers
    if not further:
        return first
    array = first.array.copy()
    for layer in further:
        filled = layer.array != 0
        if np.any(array[filled]):
            return None
        array[filled] = layer.array[filled]
    segments = tuple(sorted((s for layer in layers for s in layer.segments), key=lambda segment: segment.value))
    return LabelMap(array, first.geometry, segments)


def distinct_values(layers: Sequence[LabelMap]) -> list[LabelMap]:
    """The same layers with values that no other layer has: those of the file where they differ, else 1, 2, 3, ..."""
    values = [sorted({int(value) for value in np.unique(layer.array)} - {0} | set(layer.names)) for layer in layers]
    flat = [value for each in values for value in each]
    if len(flat) == len(set(flat)):
        return list(layers)
    renewed, number = [], 0
    for layer, old in zip(layers, values, strict=True):
        table = np.zeros(np.iinfo(np.uint16).max + 1, np.uint16)
        for value in old:
            number += 1
            table[value] = number
        segments = tuple(replace(segment, value=int(table[segment.value])) for segment in layer.segments)
        renewed.append(LabelMap(table[layer.array], layer.geometry, segments))
    return renewed


def named_segments(values: Iterable[int], names: Mapping[int, str], known: Iterable[Segment]) -> tuple[Segment, ...]:
    """Segments for these label values: the known ones, under their new names where there are such, others as they are.

    Args:
        values: The label values that occur.
        names: Value to name, given by the user: these come before what the file says.
        known: The segments of the file that the labels come from; all of them are kept.
    """
    table = {segment.value: segment for segment in known}
    for value in values:
        table.setdefault(int(value), Segment(int(value), f"Segment_{int(value)}"))
    for value, name in names.items():
        if value in table:
            table[value] = replace(table[value], name=name)
    return tuple(table[value] for value in sorted(table))


def check_value(value: int, where: str) -> int:
    """A label value of a segment.

    Raises:
        InputError: It is not 1 to 65535.
    """
    if not 1 <= value <= np.iinfo(np.uint16).max:
        raise InputError(f"{where} has the label value {value}; labels are whole numbers from 1 to 65535.")
    return value
