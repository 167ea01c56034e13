"""The support table: rows, pictures, switching on and off, saving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...imaging import IntensityWindow, take_slice
from ..interface import Axis, SavedSupport, Selection, SupportRow, SupportTable
from ..mrml.segments import read_part, segment_ids, segment_name
from ..mrml.volumes import anatomical_name, array_of, check_volume, geometry_of
from . import marks
from .agreement import Agreement, look_again
from .elsewhere import StoredSets, gather, named_segments
from .examples import paste_slice
from .rows import segments_of_run
from .saving import to_save
from .sources import Source, list_sources, remove_source, set_source_used
from .switched_off import set_used
from .thumbnails import View, thumbnail

_NO_COLOUR = (0.5, 0.85, 0.4)


class SupportList:
    """The examples of a scene as the panel lists them.

    Args:
        scene: The scene.
        stored: Decoded support sets, shared with the runs.
        window_of: The intensity window of a volume node, remembered by the caller.
    """

    def __init__(self, scene: Any, stored: StoredSets, window_of: Callable[[Any], IntensityWindow]) -> None:
        self._scene = scene
        self._stored = stored
        self._window_of = window_of
        self._pair_rows: dict[str, tuple[Any, SupportRow]] = {}

    def table(self, selection: Selection, axis: Axis, agreement: Agreement | None = None) -> SupportTable:
        """All rows; what is wrong with the marks comes as the table's message."""
        try:
            marked = self._rows(selection, axis)
            scores = agreement.of(selection.segmentation, marked, selection.volume) if agreement is not None else {}
            rows, message = [self._marked_row(selection, row, scores) for row in marked], ""
        except InputError as error:
            rows, message = [], str(error)
        others = list_sources(self._scene)
        unmarked = bool(message) and self._only_missing(selection, axis)
        if others and unmarked:
            message = ""
        shown = (*rows, *(self._source_row(selection, source, axis) for source in others))
        return SupportTable(shown, message, unmarked)

    def picture(self, selection: Selection, key: str, size: int) -> np.ndarray:
        """A row's picture, uint8 (size, size, 3)."""
        source = self._source(key)
        if source is None:
            axis, index = _parse(key)
            return self._slice_picture(selection.volume, selection.segmentation, axis, index, size)
        if source.kind == "pair":
            if source.volume is None or source.segmentation is None:
                return np.zeros((size, size, 3), np.uint8)
            rows = marks.marked_slices(source.segmentation, segment_ids(source.segmentation), source.volume)
            middle = rows[len(rows) // 2]
            return self._slice_picture(source.volume, source.segmentation, middle.axis, middle.index, size)
        examples = self._stored.get(source).examples
        if not examples:
            return np.zeros((size, size, 3), np.uint8)
        example = max(examples, key=lambda each: int(np.count_nonzero(each.labels)))
        return thumbnail(example.image, [((example.labels > 0).astype(np.uint8), _NO_COLOUR)], example.spacing, size)

    def set_used(self, selection: Selection, key: str, used: bool) -> None:
        """Switch a row on or off."""
        if self.is_mark(key):
            set_used(selection.segmentation, *_parse(key), used)
        else:
            set_source_used(self._scene, key, used)

    def is_mark(self, key: str) -> bool:
        """Whether a row stands for a marked slice."""
        return self._source(key) is None

    def remove(self, selection: Selection, key: str) -> None:
        """Take a row out; see :meth:`~UniverSegSlicerLib.scene.interface.Logic.remove`."""
        if not self.is_mark(key):
            remove_source(self._scene, key)
            return
        axis, index = _parse(key)
        for row in self._rows(selection, axis):
            if row.index == index:
                marks.forget_mark(selection.segmentation, row.segment_ids, selection.volume, row)

    def save(self, selection: Selection, path: str | Path, axis: Axis, *, slices_only: bool) -> SavedSupport:
        """Write every example in use to one file.

        Raises:
            InputError: There is none.
            OutputError: The file cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".npz":
            path = path.with_name(path.name + ".npz")
        used = [source for source in list_sources(self._scene) if source.used]
        together = to_save(selection, axis, used, self._stored, self._window_of, slices_only=slices_only)
        together.save(path)
        return SavedSupport(path, len(together), len(together.scans))

    def named_from_elsewhere(self, selection: Selection) -> Selection:
        """The selection with the segments that the examples from elsewhere name; missing ones are added.

        Raises:
            InputError: There is no example from elsewhere in use, or none that can be used.
        """
        check_volume(selection.volume)
        used = [source for source in list_sources(self._scene) if source.used]
        if not used:
            raise InputError(
                "There is no support set to use: load a file, or add another volume with its segmentation."
            )
        if selection.segmentation is None:
            raise InputError("No segmentation is selected: create one for the result.")
        named = named_segments(selection.segmentation, used, self._stored)
        if not named:
            for source in used:
                if source.kind == "file":
                    self._stored.get(source)  # says what is wrong with it
            raise InputError("The support set names no structure: remove it and add one with labels.")
        return replace(selection, segment_ids=tuple(dict.fromkeys(named.values())))

    def _rows(self, selection: Selection, axis: str) -> list[marks.MarkedSlice]:
        chosen = segments_of_run(selection)
        return marks.marked_slices(selection.segmentation, chosen, selection.volume, axis)

    def _only_missing(self, selection: Selection, axis: str) -> bool:
        """Whether the marks are merely absent, so that examples from elsewhere do."""
        try:
            self._rows(selection, axis)
        except marks.NothingMarked:
            return True
        except InputError:
            segmentation = selection.segmentation
            return segmentation is not None and not segment_ids(segmentation)
        return False

    def _marked_row(self, selection: Selection, row: marks.MarkedSlice, scores: Mapping[int, float]) -> SupportRow:
        names = ", ".join(segment_name(selection.segmentation, each) for each in row.segment_ids)
        title = f"{anatomical_name(selection.volume, row.axis)} {row.index}: {names}"
        note = "" if row.area_mm2 else "Emptied by hand: an example of where the structure is not."
        if not note and row.index in scores and look_again(row.index, scores):
            note = "Look here again: the other marks make something else of this slice."
        return SupportRow(
            f"{row.axis}:{row.index}", "marked", title, row.axis, row.index, row.area_mm2, 1, row.used, note,
            scores.get(row.index),
        )  # fmt: skip

    def _source_row(self, selection: Selection, source: Source, axis: str) -> SupportRow:
        stamp = (_stamp(source), _names(selection), axis, source.used)
        known = self._pair_rows.get(source.key)
        if known is None or known[0] != stamp:
            known = (stamp, self._new_source_row(selection, source, axis))
            self._pair_rows[source.key] = known
        return known[1]

    def _new_source_row(self, selection: Selection, source: Source, axis: str) -> SupportRow:
        examples, note = 0, ""
        names = {name: value for value, name in enumerate(_names(selection), start=1)}
        try:
            if not names:
                examples = self._count_alone(source)
            else:
                check_volume(selection.volume)
                found = gather([source], names, selection.volume, "k" if axis == "auto" else axis, self._stored)
                examples = len(found.stored) + sum(len(pair.labels) for pair in found.pairs)
                note = found.problems.get(source.key, "")
        except InputError as error:
            note = str(error)
        return SupportRow(source.key, source.kind, source.title, "", -1, 0.0, examples, source.used, note)

    def _count_alone(self, source: Source) -> int:
        if source.kind == "file":
            return len(self._stored.get(source))
        if source.volume is None or source.segmentation is None:
            raise InputError("The volume or the segmentation of this example was deleted: remove it from the list.")
        return len(marks.marked_slices(source.segmentation, segment_ids(source.segmentation), source.volume))

    def _slice_picture(self, volume: Any, segmentation: Any, axis: str, index: int, size: int) -> np.ndarray:
        check_volume(volume)
        geometry = geometry_of(volume)
        view = View.of(geometry, axis)
        pixels = take_slice(array_of(volume), axis, index)
        outlines = []
        for segment_id in segment_ids(segmentation):
            part = read_part(segmentation, segment_id, volume)
            mask = np.zeros(pixels.shape, np.uint8)
            paste_slice(mask, part, axis, index, 1)
            if mask.any():
                colour = segmentation.GetSegmentation().GetSegment(segment_id).GetColor()
                outlines.append((view.show(mask), (float(colour[0]), float(colour[1]), float(colour[2]))))
        grey = view.show(self._window_of(volume).apply(pixels))
        return thumbnail(grey, outlines, view.spacing(geometry, axis), size)

    def _source(self, key: str) -> Source | None:
        return next((source for source in list_sources(self._scene) if source.key == key), None)


def _names(selection: Selection) -> tuple[str, ...]:
    """Names of the segments that a run would be about; none while there are none to choose."""
    try:
        chosen = segments_of_run(selection)
    except InputError:
        return ()
    return tuple(dict.fromkeys(segment_name(selection.segmentation, each) for each in chosen))


def _parse(key: str) -> tuple[str, int]:
    axis, _, number = key.partition(":")
    if axis not in ("i", "j", "k") or not number.isdigit():
        raise InputError(f"There is no row {key!r} in the support table any more.")
    return axis, int(number)


def _stamp(source: Source) -> tuple[Any, ...]:
    """Changes when what a source holds may have changed."""
    if source.kind == "file":
        return (source.text, source.text.GetMTime() if source.text is not None else 0)
    stamps: list[Any] = [source.volume, source.segmentation]
    if source.volume is not None:
        stamps += [source.volume.GetMTime(), source.volume.GetImageData() and source.volume.GetImageData().GetMTime()]
    if source.segmentation is not None:
        stamps.append(source.segmentation.GetMTime())
        for segment_id in segment_ids(source.segmentation):
            segment = source.segmentation.GetSegmentation().GetSegment(segment_id)
            stamps += [segment_id, segment.GetMTime()]
            representation = segment.GetRepresentation("Binary labelmap")
            stamps.append(representation.GetMTime() if representation is not None else 0)
    return tuple(stamps)
