"""What a run would do, found out on the main thread: segments, axis, examples, warnings in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import InputError
from ...imaging import slice_stack
from ..interface import RunOptions, Selection
from ..mrml.segments import read_part, segment_name
from ..mrml.volumes import check_volume, volume_of
from ..support.elsewhere import Elsewhere, StoredSets, add_named_segments, gather
from ..support.examples import disjoint_groups, slices_of
from ..support.marks import MarkedSlice
from ..support.rows import find_rows, segments_of_run
from ..support.sources import list_sources
from .plan import Around, Group, RunPlan, settings_for


def make_plan(scene: Any, selection: Selection, options: RunOptions, stored: StoredSets) -> RunPlan:
    """Read the nodes into a plan.

    Raises:
        InputError: Anything that keeps the run from starting, in one sentence.
    """
    volume, segmentation = selection.volume, selection.segmentation
    check_volume(volume)
    used = [source for source in list_sources(scene) if source.used]
    if segmentation is not None and used:
        add_named_segments(segmentation, used, stored)
    chosen = segments_of_run(selection)
    rows, axis = find_rows(selection, chosen, options, used)
    names = {segment_id: segment_name(segmentation, segment_id) for segment_id in chosen}
    elsewhere = gather(used, _by_name(names), volume, axis, stored)
    supported = {segment_id for row in rows if row.used and options.use_marked for segment_id in row.segment_ids}
    supported |= {segment_id for value, segment_id in enumerate(names, start=1) if value in elsewhere.values}
    missing = [segment_id for segment_id in chosen if segment_id not in supported]
    if selection.segment_ids is not None and missing:
        raise InputError(
            f"There is no example of the segment '{names[missing[0]]}': mark it on a slice, or leave it out of the run."
        )
    if not supported:
        raise InputError(_no_examples(elsewhere, rows))
    image = volume_of(volume)
    parts = {segment_id: read_part(segmentation, segment_id, volume) for segment_id in names if segment_id in supported}
    stack = slice_stack(image.array, axis)
    layers = disjoint_groups(parts, rows, axis, (stack.shape[1], stack.shape[2]))
    layered = tuple(tuple(_groups(layer, names, selection, rows, axis, options, len(stack))) for layer in layers)
    _refuse_complete([group for layer in layered for group in layer], names, len(stack))
    return RunPlan(
        volume=image,
        axis=axis,
        names=names,
        layers=layered,
        stored=elsewhere.stored,
        pairs=elsewhere.pairs,
        options=options,
    )


def _groups(
    layer: list[str],
    names: Mapping[str, str],
    selection: Selection,
    rows: list[MarkedSlice],
    axis: str,
    options: RunOptions,
    count: int,
) -> Iterator[Group]:
    """The segments of a layer by the slices that they were marked on."""
    values = {segment_id: value for value, segment_id in enumerate(names, start=1)}
    by_marks: dict[frozenset[int], list[str]] = {}
    for segment_id in layer:
        by_marks.setdefault(frozenset(row.index for row in rows if segment_id in row.segment_ids), []).append(
            segment_id
        )
    others = {row.index for row in rows}
    for marked, members in by_marks.items():
        here = [row for row in rows if row.index in marked]
        used = frozenset(row.index for row in here if row.used) if options.use_marked else frozenset()
        beyond = {index for index in others - marked if marked and not min(marked) < index < max(marked)}
        examples = None
        if here:
            chosen = {segment_id: values[segment_id] for segment_id in members}
            examples = slices_of(selection.volume, selection.segmentation, chosen, here, axis)
        kept = frozenset(beyond | (marked if options.keep_marked else frozenset()))
        settings = settings_for(options, marked, count)
        around = None
        if options.reach == "around" and settings.slice_range is not None and options.current is not None:
            # One more on either side: what lies there the corrected slices have to meet.
            first, stop = settings.slice_range
            near = range(max(0, first - 1), min(count, stop + 1))
            present = [MarkedSlice(axis, index, 0.0, tuple(members)) for index in near]
            chosen = {segment_id: values[segment_id] for segment_id in members}
            examples_near = slices_of(selection.volume, selection.segmentation, chosen, present, axis)
            around = Around(options.current, examples_near)
            kept |= {options.current}
        yield Group(tuple(members), examples, used, kept, settings, around)


def _refuse_complete(groups: list[Group], names: Mapping[str, str], count: int) -> None:
    """Say so (InputError) where no slice is left that a run could change."""
    if any(group.slices_left(count) for group in groups):
        return
    segments = ", ".join(f"'{names[key]}'" for group in groups for key in group.segment_ids)
    raise InputError(
        f"Nothing is left to segment: every slice in the range is marked for {segments}. To have one done by the "
        "network, take its mark out (Remove in the table), or choose a larger range."
    )


def _by_name(names: Mapping[str, str]) -> dict[str, int]:
    by_name: dict[str, int] = {}
    for value, name in enumerate(names.values(), start=1):
        by_name.setdefault(name, value)
    return by_name


def _no_examples(elsewhere: Elsewhere, rows: list[MarkedSlice]) -> str:
    if elsewhere.problems:
        return next(iter(elsewhere.problems.values()))
    if rows:
        return "Every marked slice is switched off: switch one on, or add examples from elsewhere."
    return "There is no example to go by: mark the structure on a few slices, or add a support set."
