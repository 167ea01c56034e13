"""What a run would do, found out on the main thread: segments, axis, examples, warnings in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..imaging import slice_stack
from ..segmentation import SupportSet
from .examples import SliceExamples, disjoint_groups, pair_examples, relabelled, slices_of
from .interface import RunOptions, Selection
from .marks import MarkedSlice, NothingMarked, complete_segments, marked_slices
from .plans import Around, Group, RunPlan, settings_for
from .segments import choose_segments, read_part, segment_ids, segment_name
from .support import Source, load_stored, sources
from .volumes import axis_facing, check_volume, direction_of, volume_of


@dataclass(frozen=True)
class Elsewhere:
    """Examples from other places in the labels of a run, and why some of them cannot be used (key to sentence)."""

    stored: SupportSet
    pairs: tuple[SliceExamples, ...]
    problems: Mapping[str, str]

    @property
    def values(self) -> set[int]:
        """The labels that they hold."""
        held = set(self.stored.label_values)
        for pair in self.pairs:
            for labels in pair.labels.values():
                held.update(int(value) for value in set(labels.ravel().tolist()) if value)
        return held


class StoredSets:
    """Support sets of the scene, decoded once per text node."""

    def __init__(self) -> None:
        self._decoded: dict[str, tuple[Any, int, SupportSet]] = {}

    def get(self, source: Source) -> SupportSet:
        """The support set of a file source (InputError when it is damaged)."""
        text = source.text
        known = self._decoded.get(source.key)
        if known is not None and text is not None and known[0] is text and known[1] == text.GetMTime():
            return known[2]
        support = load_stored(source)
        self._decoded[source.key] = (text, text.GetMTime(), support)
        return support

    def clear(self) -> None:
        """Forget everything (the scene closes)."""
        self._decoded.clear()


def make_plan(scene: Any, selection: Selection, options: RunOptions, stored: StoredSets) -> RunPlan:
    """Read the nodes into a plan.

    Raises:
        InputError: Anything that keeps the run from starting, in one sentence.
    """
    volume, segmentation = selection.volume, selection.segmentation
    check_volume(volume)
    used = [source for source in sources(scene) if source.used]
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
    return RunPlan(
        volume=image,
        axis=axis,
        names=names,
        layers=tuple(tuple(_groups(layer, names, selection, rows, axis, options, len(stack))) for layer in layers),
        stored=elsewhere.stored,
        pairs=elsewhere.pairs,
        options=options,
    )


def segments_of_run(selection: Selection) -> list[str]:
    """The segments that a run is about: the selected ones, or every visible one that there is something to do for.

    Left to itself, a run leaves out segments that are complete already: those that are filled through and through
    without a run, and, while another one has new marks, those on which nothing was painted since their last result.

    Raises:
        InputError: See :func:`~UniverSegSlicerLib.scene.segments.choose_segments`.
    """
    check_volume(selection.volume)
    if selection.segment_ids is not None:
        return choose_segments(selection.segmentation, list(selection.segment_ids))
    chosen = choose_segments(selection.segmentation, None)
    done = complete_segments(selection.segmentation, chosen, selection.volume)
    left = [segment_id for segment_id in chosen if segment_id not in done]
    return left or chosen


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


def gather(used: list[Source], names: Mapping[str, int], volume: Any, axis: str, stored: StoredSets) -> Elsewhere:
    """Examples of all sources, in the labels of the run."""
    together, pairs, problems = SupportSet(), [], {}
    for source in used:
        try:
            if source.kind == "pair":
                pairs.append(pair_examples(source.volume, source.segmentation, names, volume, axis))
            else:
                together = together.merged(relabelled(stored.get(source), names, source.title))
        except InputError as error:
            problems[source.key] = str(error)
    return Elsewhere(together, tuple(pairs), problems)


def add_named_segments(segmentation: Any, used: list[Source], stored: StoredSets) -> list[str]:
    """Give a segmentation without segments those that the examples are about; returns the new ids.

    So a saved support set works on the next patient without anything being marked or named.
    """
    if not segmentation.IsA("vtkMRMLSegmentationNode") or segmentation.GetSegmentation().GetNumberOfSegments():
        return []
    added = []
    for name, original in _named_by(used, stored).items():
        segment_id = segmentation.GetSegmentation().AddEmptySegment("", name)
        if original is not None:
            segment = segmentation.GetSegmentation().GetSegment(segment_id)
            segment.SetColor(original.GetColor())
            segment.SetTerminology(original.GetTerminology())
        added.append(segment_id)
    return added


def _named_by(used: list[Source], stored: StoredSets) -> dict[str, Any]:
    """Names that the sources know, with the segment that has the name, or None."""
    named: dict[str, Any] = {}
    for source in used:
        if source.kind == "pair" and source.segmentation is not None:
            for segment_id in segment_ids(source.segmentation):
                segment = source.segmentation.GetSegmentation().GetSegment(segment_id)
                named.setdefault(str(segment.GetName()), segment)
        elif source.kind == "file":
            try:
                support = stored.get(source)
            except InputError:
                continue  # said where its examples are gathered
            for value in support.label_values:
                named.setdefault(support.label_names.get(value, f"label {value}"), None)
    return named


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
