"""Examples from elsewhere, other volumes of the scene and saved sets, in the labels of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from ...segmentation import SupportSet
from ..mrml.segments import segment_ids, segment_name
from .examples import SliceExamples, pair_examples, relabelled
from .sources import Source, load_stored


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
    return list(named_segments(segmentation, used, stored).values())


def named_segments(segmentation: Any, used: list[Source], stored: StoredSets) -> dict[str, str]:
    """The segments of all names that the examples are about, by name; those that are missing are added."""
    present = {segment_name(segmentation, each).strip().casefold(): each for each in segment_ids(segmentation)}
    found = {}
    for name, original in _named_by(used, stored).items():
        segment_id = present.get(name.strip().casefold())
        if segment_id is None:
            segment_id = segmentation.GetSegmentation().AddEmptySegment("", name)
            if original is not None:
                segment = segmentation.GetSegmentation().GetSegment(segment_id)
                segment.SetColor(original.GetColor())
                segment.SetTerminology(original.GetTerminology())
        found[name] = segment_id
    return found


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
