"""Which segments a run is about, and which marked slices: the rows of the support table."""

from __future__ import annotations

from ...errors import InputError
from ..interface import RunOptions, Selection
from ..mrml.segments import check_segmentation, choose_segments, segment_ids
from ..mrml.volumes import axis_facing, check_volume, direction_of
from .marks import MarkedSlice, NothingMarked, complete_segments, marked_slices, start_over_where_empty
from .sources import Source


def segments_of_run(selection: Selection) -> list[str]:
    """The segments that a run is about: the selected ones, or every visible one that there is something to do for.

    Left to itself, a run leaves out segments that are complete already: those that are filled through and through
    without a run, and, while another one has new marks, those on which nothing was painted since their last result.
    Segments that were emptied start over: their results are forgotten here.

    Raises:
        InputError: See :func:`~UniverSegSlicerLib.scene.mrml.segments.choose_segments`.
    """
    check_volume(selection.volume)
    check_segmentation(selection.segmentation)
    start_over_where_empty(selection.segmentation)
    if selection.segment_ids is not None:
        return choose_segments(selection.segmentation, list(selection.segment_ids))
    chosen = choose_segments(selection.segmentation, None)
    done = complete_segments(selection.segmentation, chosen, selection.volume)
    left = [segment_id for segment_id in chosen if segment_id not in done]
    return left or chosen


def find_rows(
    selection: Selection, chosen: list[str], options: RunOptions, used: list[Source]
) -> tuple[list[MarkedSlice], str]:
    """The marked slices and the slice axis; without marks the axis comes from the options, a pair, or is "k".

    Raises:
        InputError: Nothing is marked and there is nothing else to go by; marks in two orientations.
    """
    try:
        rows = marked_slices(selection.segmentation, chosen, selection.volume, options.axis)
        return rows, rows[0].axis
    except NothingMarked:
        if not used:
            raise
    if options.axis != "auto":
        return [], options.axis
    for source in used:
        if source.volume is not None and source.segmentation is not None:
            try:
                theirs = marked_slices(source.segmentation, segment_ids(source.segmentation), source.volume)
            except InputError:
                continue  # said where its examples are gathered
            return [], axis_facing(selection.volume, direction_of(source.volume, theirs[0].axis))
    return [], "k"
