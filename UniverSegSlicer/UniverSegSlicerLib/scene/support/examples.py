"""Examples for a run: marked slices here, other volumes of the scene, saved sets, all in the labels of the run.

Nodes are read on the main thread into :class:`SliceExamples`, which hold arrays only; pictures are cut out later, on
the worker thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import InputError
from ...imaging import AXES, IntensityWindow, Volume, array_axis, slice_spacing, take_slice
from ...segmentation import SupportExample, SupportSet
from ..mrml.grid import Part
from ..mrml.segments import check_segmentation, read_part, segment_ids, segment_name
from ..mrml.volumes import axis_facing, direction_of, volume_of
from .marks import MarkedSlice, marked_slices

#: Slices that one other volume gives at most, evenly from its marked ones.
LARGEST_PAIR = 32


@dataclass(frozen=True)
class SliceExamples:
    """Marked slices of one volume, as arrays.

    Attributes:
        volume: The image.
        axis: Slice axis.
        labels: Slice index to label map (rows, cols) uint16, in the labels of the run.
        source: Name of the volume.
    """

    volume: Volume
    axis: str
    labels: Mapping[int, np.ndarray]
    source: str

    def support(self, window: IntensityWindow | None = None) -> SupportSet:
        """Cut the pictures out, through the window of the whole volume."""
        window = window or IntensityWindow.of(self.volume.array)
        spacing = slice_spacing(self.volume.geometry, self.axis)
        return SupportSet(
            tuple(
                SupportExample(
                    window.apply(take_slice(self.volume.array, self.axis, index)), labels, spacing, self.source,
                    self.axis, index,
                )
                for index, labels in sorted(self.labels.items())
            )
        )  # fmt: skip


def slices_of(
    volume: Any, segmentation: Any, values: Mapping[str, int], rows: Sequence[MarkedSlice], axis: str
) -> SliceExamples:
    """The marked slices ``rows`` of a volume node, with label ``values[segment id]`` where that segment is marked."""
    image = volume_of(volume)
    parts = {segment_id: read_part(segmentation, segment_id, volume) for segment_id in values}
    labels = {}
    for row in rows:
        picture = np.zeros(take_slice(image.array, axis, row.index).shape, np.uint16)
        for segment_id, value in values.items():
            if segment_id in row.segment_ids:
                paste_slice(picture, parts[segment_id], axis, row.index, value)
        labels[row.index] = picture
    return SliceExamples(image, axis, labels, str(volume.GetName()))


def disjoint_groups(
    parts: Mapping[str, Part | None], rows: Sequence[MarkedSlice], axis: str, shape: tuple[int, int]
) -> list[list[str]]:
    """Segments that share no voxel on their marked slices, together: a label map holds one label per voxel.

    Args:
        parts: Segment id to its voxels.
        rows: The marked slices.
        axis: The slice axis.
        shape: (rows, cols) of a slice.
    """
    groups: list[tuple[list[str], dict[int, np.ndarray]]] = []
    for segment_id, part in parts.items():
        masks = {}
        for row in rows:
            if segment_id in row.segment_ids:
                masks[row.index] = np.zeros(shape, np.uint8)
                paste_slice(masks[row.index], part, axis, row.index, 1)
        for members, taken in groups:
            if not any((taken[index] & mask).any() for index, mask in masks.items() if index in taken):
                members.append(segment_id)
                for index, mask in masks.items():
                    taken[index] = taken[index] | mask if index in taken else mask
                break
        else:
            groups.append(([segment_id], masks))
    return [members for members, _ in groups]


def paste_slice(picture: np.ndarray, part: Part | None, axis: str, index: int, value: int) -> None:
    """Write ``value`` into a slice (rows, cols) where a part of the grid is set."""
    number = AXES.index(axis)
    if part is None or not part.extent[2 * number] <= index <= part.extent[2 * number + 1]:
        return
    inside = take_slice(part.array, axis, index - part.extent[2 * number]) > 0
    cols_axis, rows_axis = (other for other in range(3) if other != number)
    row, col = part.extent[2 * rows_axis], part.extent[2 * cols_axis]
    picture[row : row + inside.shape[0], col : col + inside.shape[1]][inside] = value


def pair_examples(volume: Any, segmentation: Any, names: Mapping[str, int], target: Any, axis: str) -> SliceExamples:
    """Examples from another volume and segmentation, along the axis of it that faces the same way.

    Segments are matched by name; where the run has one segment and the other segmentation too, by that.

    Args:
        volume: The other volume node.
        segmentation: Its segmentation node.
        names: Segment name to label value of the run.
        target: The volume node of the run.
        axis: The slice axis of the run, "i", "j" or "k".

    Raises:
        InputError: A node was deleted or cannot be used, no segment of such a name, or no usable marks.
    """
    if volume is None or segmentation is None:
        raise InputError("The volume or the segmentation of this example was deleted: remove it from the list.")
    check_segmentation(segmentation)
    theirs = {segment_id: segment_name(segmentation, segment_id) for segment_id in segment_ids(segmentation)}
    matched = match_names(list(theirs.values()), names)
    values = {segment_id: matched[name] for segment_id, name in theirs.items() if name in matched}
    if not values:
        raise InputError(
            f"'{segmentation.GetName()}' has no segment called {_listed(names)}: rename its segment to match."
        )
    own_axis = axis_facing(volume, direction_of(target, axis))
    rows = marked_slices(segmentation, list(values), volume, own_axis)
    if len(rows) > LARGEST_PAIR:
        rows = [rows[round(at)] for at in np.linspace(0, len(rows) - 1, LARGEST_PAIR)]
    return slices_of(volume, segmentation, values, rows, own_axis)


def relabelled(support: SupportSet, names: Mapping[str, int], title: str) -> SupportSet:
    """A stored support set in the labels of a run; examples that say nothing about them are left out.

    Raises:
        InputError: None of its labels is called like a segment of the run.
    """
    theirs = {value: support.label_names.get(value, f"label {value}") for value in support.label_values}
    matched = match_names(list(theirs.values()), names)
    new_values = {value: matched[name] for value, name in theirs.items() if name in matched}
    if not new_values:
        raise InputError(
            f"'{title}' holds {_listed(theirs.values())} but nothing called {_listed(names)}: rename the segment."
        )
    table = np.zeros(max(theirs) + 1, np.uint16)
    for old, new in new_values.items():
        table[old] = new
    # "Not there" is only known of labels that the set knows about.
    knows_all = set(new_values.values()) == set(names.values())
    examples = [
        replace(example, labels=table[example.labels], complete=example.complete and knows_all)
        for example in support.examples
        if example.used
    ]
    scans = [
        replace(scan, labels=table[scan.labels]) for scan in support.scans if scan.used and table[scan.labels].any()
    ]
    return replace(
        support,
        examples=tuple(e for e in examples if e.complete or e.label_values),
        label_names={},
        scans=tuple(scans),
    )


def match_names(theirs: Sequence[str], names: Mapping[str, int]) -> dict[str, int]:
    """Their names to label values of the run: equal but for case and outer spaces; a lone one matches a lone one."""
    ours = {name.strip().casefold(): value for name, value in names.items()}
    matched = {name: ours[name.strip().casefold()] for name in theirs if name.strip().casefold() in ours}
    if not matched and len(theirs) == len(names) == 1:
        return {theirs[0]: next(iter(names.values()))}
    return matched


def differences(support: SupportSet, volume: Volume, axis: str, window: IntensityWindow) -> list[str]:
    """In what examples from elsewhere differ from the volume so much that the result may suffer, in sentences."""
    examples = [example for example in support.examples if example.used]
    if not examples:
        return []
    warnings = []
    here = float(np.mean(slice_spacing(volume.geometry, axis)))
    there = float(np.median([np.mean(example.spacing) for example in examples]))
    if not 0.5 <= there / here <= 2.0:
        warnings.append(
            f"The examples have pixels of {there:.2g} mm and this volume {here:.2g} mm: look at the result closely."
        )
    stack = np.moveaxis(volume.array, array_axis(axis), 0)
    some = [stack[round(at)] for at in np.linspace(0, len(stack) - 1, min(len(stack), 9))]
    ours = _histogram([window.apply(pixels) for pixels in some])
    if float(np.minimum(ours, _histogram([example.image for example in examples])).sum()) < 0.5:
        warnings.append(
            "The examples look as if they come from another modality or sequence: look at the result closely."
        )
    return warnings


def _histogram(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Shares of 16 grey levels among what is neither black nor white (air and clipped ends say little)."""
    values = np.concatenate([picture[(picture > 0.02) & (picture < 0.98)].ravel() for picture in pictures])
    counts = np.histogram(values, bins=16, range=(0, 1))[0].astype(float)
    return counts / max(1.0, counts.sum())


def _listed(names: Any) -> str:
    return ", ".join(f"'{name}'" for name in names)
