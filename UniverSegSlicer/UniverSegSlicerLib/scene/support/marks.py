"""Which slices the user marked, told apart from slices that a result filled.

After a result is applied a segment holds both. What the segment then looked like is remembered as one checksum per
slice and axis in a tag of the segment, so it is undone, saved and copied with the segment. A slice counts as marked
when it was marked at that time or has changed since: painting on a predicted slice makes it the user's.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import InputError
from ...imaging import AXES, array_axis, slice_spacing
from ...segmentation import FilledBlock, find_marked_slices
from ..mrml.grid import Part, box_slices
from ..mrml.segments import has_voxels, lattice_to_volume, read_part, read_tag, segment_ids, segment_name
from ..mrml.volumes import geometry_of, grid_size
from .applied_results import RECORD_TAG, Record, begins_anew, slice_digests
from .switched_off import any_switched_off, forget_switched_off, set_used, unused_slices

# Of the sets of slices that an edit touched, the smallest tells the orientation that it was drawn in; sets within this
# factor of it are as likely, and then the orientation of the support set stands.
_SAME_ORIENTATION = 3


class NothingMarked(InputError):
    """No slice is marked; examples from elsewhere may do."""


@dataclass(frozen=True)
class MarkedSlice:
    """One slice that the user marked.

    Attributes:
        axis: "i", "j" or "k".
        index: Slice number along the axis, from 0.
        area_mm2: Marked area of all segments of the run; 0 where a prediction was erased.
        segment_ids: The segments of the run that are marked there.
        used: False when the user switched the slice off.
    """

    axis: str
    index: int
    area_mm2: float
    segment_ids: tuple[str, ...]
    used: bool = True


def marked_slices(
    segmentation: Any, chosen: list[str], volume: Any, axis: str = "auto", *, skip_empty: bool = True
) -> list[MarkedSlice]:
    """The slices that the user marked, in order, all along one axis.

    Args:
        segmentation: The segmentation node.
        chosen: Ids of the segments of the run.
        volume: The volume node whose slices are meant.
        axis: "i", "j", "k", or "auto": the one the marks were drawn in.
        skip_empty: Leave segments without any mark out; otherwise they are an error.

    Raises:
        NothingMarked: No slice of any chosen segment is marked.
        InputError: An empty segment with ``skip_empty`` False; marks in two orientations.
    """
    found: dict[str, tuple[str, set[int]]] = {}
    parts: dict[str, Part] = {}
    undecided: dict[str, InputError] = {}
    for segment_id in chosen:
        part = read_part(segmentation, segment_id, volume)
        if part is None:
            if not skip_empty:
                name = segment_name(segmentation, segment_id)
                raise InputError(
                    f"The segment '{name}' is empty: mark it on at least one slice of '{volume.GetName()}'."
                )
            continue
        parts[segment_id] = part
        try:
            found[segment_id] = _marks_of(segmentation, segment_id, part, volume, axis)
        except InputError as error:
            undecided[segment_id] = error
    axes = sorted({each for each, _ in found.values()})
    if len(axes) > 1:
        raise InputError(_two_orientations(segmentation, found))
    for segment_id, problem in undecided.items():
        if not axes:
            raise problem
        found[segment_id] = _marks_of(segmentation, segment_id, parts[segment_id], volume, axes[0])
    if not any(indices for _, indices in found.values()):
        raise NothingMarked(_nothing_marked(segmentation, chosen, parts, volume))
    return _rows(segmentation, parts, {key: indices for key, (_, indices) in found.items()}, axes[0], volume)


def complete_segments(segmentation: Any, chosen: list[str], volume: Any) -> set[str]:
    """Segments that need no run: filled through and through, or unchanged since a result while another is not."""
    full: set[str] = set()
    unchanged: set[str] = set()
    fresh: set[str] = set()
    for segment_id in chosen:
        part = read_part(segmentation, segment_id, volume)
        if part is None:
            continue
        record = _record_of(segmentation, segment_id, volume, part)
        if record is None:
            (full if _is_block(part) else fresh).add(segment_id)
        else:
            same = record.settled and not _changed(part, record, record.axis)
            (unchanged if same else fresh).add(segment_id)
    return full | unchanged if fresh else full


def remember_result(
    segmentation: Any, chosen: Iterable[str], volume: Any, axis: str, marked: Iterable[int], *, settled: bool = True
) -> None:
    """Record what the segments hold now; from here on every slice along ``axis`` but ``marked`` is a prediction.

    ``settled`` is False where no run took the marks into account yet.
    """
    for segment_id in chosen:
        segment = segmentation.GetSegmentation().GetSegment(segment_id)
        if segment is None:
            continue
        part = read_part(segmentation, segment_id, volume)
        digests = {name: slice_digests(part, name) for name in AXES}
        record = Record(axis, _grid_digest(segmentation, volume), tuple(sorted(set(marked))), digests, settled)
        segment.SetTag(RECORD_TAG, record.to_text())


def forget_mark(segmentation: Any, chosen: Iterable[str], volume: Any, row: MarkedSlice) -> None:
    """Take a slice off the marks: its content stays but counts as a prediction, and the next result replaces it."""
    for segment_id in chosen:
        part = read_part(segmentation, segment_id, volume)
        if part is None:
            continue
        _, indices = _marks_of(segmentation, segment_id, part, volume, row.axis)
        remember_result(segmentation, [segment_id], volume, row.axis, indices - {row.index}, settled=False)
    set_used(segmentation, row.axis, row.index, True)


def start_over_where_empty(segmentation: Any) -> None:
    """Forget the results of segments that hold nothing any more, however they were emptied.

    What is painted there from now on is all that counts. An undo brings the record back together with the segment.
    """
    ids = segment_ids(segmentation)
    for segment_id in ids:
        segment = segmentation.GetSegmentation().GetSegment(segment_id)
        if read_tag(segment, RECORD_TAG) and not has_voxels(segmentation, segment_id):
            segment.RemoveTag(RECORD_TAG)
    if any_switched_off(segmentation) and not any(has_voxels(segmentation, segment_id) for segment_id in ids):
        forget_switched_off(segmentation)


def add_mark(segmentation: Any, segment_id: str, volume: Any, axis: str, index: int) -> None:
    """Count a slice as marked although nobody painted on it: the user looked at a prediction and accepted it."""
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    part = read_part(segmentation, segment_id, volume)
    record = None if part is None else _record_of(segmentation, segment_id, volume, part)
    if record is not None and record.axis == axis:
        marked = tuple(sorted({*record.marked, index}))
        segment.SetTag(RECORD_TAG, replace(record, marked=marked, settled=False).to_text())


def _marks_of(segmentation: Any, segment_id: str, part: Part, volume: Any, axis: str) -> tuple[str, set[int]]:
    """The axis and the marked slices of one segment."""
    record = _record_of(segmentation, segment_id, volume, part)
    if record is None:
        try:
            found = find_marked_slices(part.array, axis)
        except InputError:
            # Once more on the whole grid, for a message with the right slice numbers.
            try:
                return _whole_grid(part, volume, axis)
            except FilledBlock:
                raise FilledBlock(_block(segment_name(segmentation, segment_id))) from None
            except InputError as error:
                raise InputError(f"Segment '{segment_name(segmentation, segment_id)}': {error}") from None
        start = part.extent[2 * AXES.index(found.axis)]
        return found.axis, {start + index for index in found.indices}
    if axis == "auto":
        _refuse_another_orientation(segmentation, segment_id, part, record)
    chosen = record.axis if axis == "auto" else axis
    changed = _changed(part, record, chosen)
    if chosen != record.axis:
        return chosen, changed
    return chosen, (set(record.marked) & set(_filled(part, chosen))) | changed


def _refuse_another_orientation(segmentation: Any, segment_id: str, part: Part, record: Record) -> None:
    """Raise InputError where the edits since the record were drawn in slices of another axis."""
    along = len(_changed(part, record, record.axis))
    if along <= _SAME_ORIENTATION:
        return  # the usual case, told without looking along the other axes
    others = {name: len(_changed(part, record, name)) for name in AXES if name != record.axis}
    fewest = min(others, key=lambda name: others[name])
    if others[fewest] * _SAME_ORIENTATION < along:
        raise InputError(
            f"The segment '{segment_name(segmentation, segment_id)}' was marked along the {record.axis.upper()} axis "
            f"and then changed along the {fewest.upper()} axis: mark in one orientation, or choose the axis."
        )


def _is_block(part: Part) -> bool:
    """Whether a segment goes on from slice to slice along every axis, as no set of marked slices does."""
    try:
        find_marked_slices(part.array)
    except InputError:
        return min(_longest_run(_filled(part, axis)) for axis in AXES) > _SAME_ORIENTATION
    return False


def _longest_run(indices: list[int]) -> int:
    breaks = np.flatnonzero(np.diff(indices) > 1)
    return int(np.diff(np.concatenate([[-1], breaks, [len(indices) - 1]])).max())


def _whole_grid(part: Part, volume: Any, axis: str) -> tuple[str, set[int]]:
    whole = np.zeros(grid_size(volume)[::-1], np.uint8)
    whole[box_slices(part.extent)] = part.array
    found = find_marked_slices(whole, axis)
    return found.axis, set(found.indices)


def _changed(part: Part, record: Record, axis: str) -> set[int]:
    now, then = slice_digests(part, axis), record.digests[axis]
    return {index for index in now.keys() | then.keys() if now.get(index) != then.get(index)}


def _filled(part: Part, axis: str) -> list[int]:
    number = AXES.index(axis)
    others = tuple(other for other in range(3) if other != array_axis(axis))
    return [part.extent[2 * number] + int(index) for index in np.flatnonzero(part.array.any(axis=others))]


def _record_of(segmentation: Any, segment_id: str, volume: Any, part: Part) -> Record | None:
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    record = Record.from_text(read_tag(segment, RECORD_TAG))
    # Another volume, or the nodes were moved against each other: the slice numbers mean nothing any more.
    if record is None or record.grid != _grid_digest(segmentation, volume):
        return None
    return None if begins_anew(record, part) else record


def _grid_digest(segmentation: Any, volume: Any) -> int:
    matrix = np.rint(lattice_to_volume(segmentation, np.eye(4), volume) * 1000).astype("<i8")
    return zlib.crc32(matrix.tobytes(), zlib.crc32(np.array(grid_size(volume), "<i4").tobytes()))


def _rows(
    segmentation: Any, parts: dict[str, Part], marked: dict[str, set[int]], axis: str, volume: Any
) -> list[MarkedSlice]:
    row_mm, col_mm = slice_spacing(geometry_of(volume), axis)
    unused = unused_slices(segmentation, axis)
    number = AXES.index(axis)
    others = tuple(other for other in range(3) if other != array_axis(axis))
    counts = {key: np.count_nonzero(part.array, axis=others) for key, part in parts.items()}
    rows = []
    for index in sorted(set().union(*marked.values())):
        here = tuple(key for key, indices in marked.items() if index in indices)
        voxels = 0
        for key in here:
            position = index - parts[key].extent[2 * number]
            if 0 <= position < len(counts[key]):
                voxels += int(counts[key][position])
        rows.append(MarkedSlice(axis, index, voxels * row_mm * col_mm, here, index not in unused))
    return rows


def _two_orientations(segmentation: Any, found: dict[str, tuple[str, set[int]]]) -> str:
    first: dict[str, str] = {}
    for segment_id, (axis, _) in found.items():
        first.setdefault(axis, segment_name(segmentation, segment_id))
    described = " and ".join(f"'{name}' along the {axis.upper()} axis" for axis, name in first.items())
    return f"The segments are marked in two orientations ({described}): mark them in one, or run them one by one."


def _block(name: str) -> str:
    return (
        f"The segment '{name}' is filled through and through, so that nothing is left to segment. To have it done "
        "anew, clear it and mark a few slices; if all these slices are marks, choose along which axis they lie."
    )


def _nothing_marked(segmentation: Any, chosen: list[str], parts: dict[str, Part], volume: Any) -> str:
    names = ", ".join(f"'{segment_name(segmentation, each)}'" for each in chosen)
    segment = "segment" if len(chosen) == 1 else "segments"
    if parts:
        return f"No slice of the {segment} {names} is marked by hand: paint on a slice, or use a saved support set."
    if any(has_voxels(segmentation, each) for each in chosen):
        return (
            f"The marks of {segment} {names} lie outside the volume '{volume.GetName()}': "
            "choose the volume they were drawn on, or check the transforms of both."
        )
    return f"The {segment} {names} {'is' if len(chosen) == 1 else 'are'} empty: mark the structure on a few slices."
