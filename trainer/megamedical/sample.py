"""What a reader returns: an image with its overlapping labels, on the grid of the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.errors import GeometryError

from .declaration import Label

#: Changes an integer map and keeps its values: resampling, flips.
MapChange = Callable[[NDArray[np.integer]], NDArray[np.integer]]


@dataclass(frozen=True)
class MaskPart:
    """A map of integers and what they mean: value to position among the labels. Values not listed are background."""

    array: NDArray[np.integer]
    positions: Mapping[int, int]


@dataclass(frozen=True)
class MultiHot:
    """Binary masks of all labels of a sample; they may overlap, because several parts may cover one pixel.

    Stored as integer maps: 179 binary volumes would not fit into memory. :meth:`dense` is the multi-hot array.
    """

    labels: tuple[Label, ...]
    parts: tuple[MaskPart, ...]
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        for part in self.parts:
            if part.array.shape != self.shape:
                raise GeometryError(f"A label map has the shape {part.array.shape}, its image has {self.shape}.")

    def dense(self) -> NDArray[np.bool_]:
        """All masks: (L, *shape)."""
        result = np.zeros((len(self.labels), *self.shape), bool)
        for position, mask in self._present(Ellipsis):
            result[position] |= mask
        return result

    def take(self, axis: int, index: int) -> dict[int, NDArray[np.bool_]]:
        """The masks that are not empty in one slice: position of the label to (rows, cols)."""
        return self._merged((slice(None),) * axis + (index,))

    def everywhere(self) -> dict[int, NDArray[np.bool_]]:
        """The masks that are not empty, by position of the label, in order."""
        return self._merged(Ellipsis)

    def areas(self, axis: int) -> NDArray[np.int64]:
        """Pixels of every label in every slice along ``axis``: (L, slices); an overlap of parts counts twice."""
        result = np.zeros((len(self.labels), self.shape[axis]), np.int64)
        for part in self.parts:
            for index, plane in enumerate(np.moveaxis(part.array, axis, 0)):
                values, counts = np.unique(plane, return_counts=True)
                for value, count in zip(values.tolist(), counts.tolist(), strict=True):
                    if value in part.positions:
                        result[part.positions[value], index] += count
        return result

    def present(self) -> list[int]:
        """Positions of the labels that have at least one pixel, in order."""
        found: set[int] = set()
        for part in self.parts:
            found.update(part.positions[v] for v in np.unique(part.array).tolist() if v in part.positions)
        return sorted(found)

    def mapped(self, change: MapChange) -> MultiHot:
        """The same labels with every map changed (resampled, flipped) by one function."""
        parts = tuple(MaskPart(change(part.array), part.positions) for part in self.parts)
        shape = parts[0].array.shape if parts else change(np.zeros(self.shape, np.uint8)).shape
        return MultiHot(self.labels, parts, tuple(shape))

    def _merged(self, where: Any) -> dict[int, NDArray[np.bool_]]:
        found: dict[int, NDArray[np.bool_]] = {}
        for position, mask in self._present(where):
            found[position] = found[position] | mask if position in found else mask
        return dict(sorted(found.items()))

    def _present(self, where: Any) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        for part in self.parts:
            array = part.array[where]
            for value in np.unique(array).tolist():
                if value in part.positions:
                    yield part.positions[value], array == value


@dataclass(frozen=True)
class Sample:
    """One image with its labels as read: nothing is scaled yet.

    Attributes:
        image: (K, J, I) or (rows, cols), any numeric type, values as in the files.
        spacing: mm per array axis; NaN where the files do not say.
        masks: labels on the same grid.
        notes: what a user should hear about (extra label values, header differences).
    """

    dataset: str
    group: str
    name: str
    subject: str
    modality: str
    image: NDArray[np.generic]
    spacing: tuple[float, ...]
    masks: MultiHot
    official_split: str = ""
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.image.shape != self.masks.shape:
            raise GeometryError(
                f"{self.name}: the image has the shape {self.image.shape}, its labels have {self.masks.shape}."
            )
