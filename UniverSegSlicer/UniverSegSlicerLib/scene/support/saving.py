"""What goes into the file of a support set: the marked slices, and whole scans where a segmentation is complete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import InputError
from ...imaging import IntensityWindow
from ...segmentation import FilledBlock, LabelledScan, SupportSet, are_complete
from ..interface import Axis, RunOptions, Selection
from ..mrml.segments import read_labels, segment_ids, segment_name
from ..mrml.volumes import volume_of
from .elsewhere import StoredSets, gather
from .examples import match_names, slices_of
from .rows import find_rows, segments_of_run
from .sources import Source


def to_save(
    selection: Selection,
    axis: Axis,
    used: list[Source],
    stored: StoredSets,
    window_of: Callable[[Any], IntensityWindow],
    *,
    slices_only: bool,
) -> SupportSet:
    """Every example in use, here and from elsewhere, in the labels of the chosen segments.

    Where a segmentation is complete, its whole scan goes in as well, as far as it lies around the structures: laid over
    the next scan, it tells where to look. A scan can identify a patient.

    Args:
        selection: The nodes.
        axis: The slice axis, or "auto".
        used: The other sources that are switched on.
        stored: Support sets of the scene.
        window_of: The intensity window of a volume node.
        slices_only: Leave whole scans out.

    Raises:
        InputError: There is no example.
    """
    volume, segmentation = selection.volume, selection.segmentation
    chosen = segments_of_run(selection)
    names = {segment_name(segmentation, segment_id): value for value, segment_id in enumerate(chosen, start=1)}
    scan = _scan_of(volume, segmentation, names, window_of)
    try:
        rows, found_axis = find_rows(selection, chosen, RunOptions(axis=axis), used)
        values = {segment_id: value for value, segment_id in enumerate(chosen, start=1)}
        kept = [row for row in rows if row.used]
        here = slices_of(volume, segmentation, values, kept, found_axis).support(window_of(volume))
    except FilledBlock:
        if scan is None:
            raise
        # Segmented elsewhere, with no slice marked in particular: every slice is as good as another.
        here = SupportSet.from_scan(
            volume_of(volume), read_labels(segmentation, chosen, volume), window=window_of(volume),
            source=str(volume.GetName()), sure=True,
        )  # fmt: skip
        here, found_axis = replace(here, scans=()), here.examples[0].axis or "k"
    elsewhere = gather(used, names, volume, found_axis, stored)
    together = here.merged(elsewhere.stored)
    scans = [*together.scans, *([scan] if scan is not None else [])]
    for source, pair in zip(
        [each for each in used if each.key not in elsewhere.problems and each.kind == "pair"],
        elsewhere.pairs,
        strict=True,
    ):
        together = together.merged(pair.support())
        other = _scan_of(source.volume, source.segmentation, names, window_of)
        scans += [other] if other is not None else []
    together = replace(together, scans=() if slices_only else tuple(scans))
    if not together.label_values:
        raise InputError("There is no example to save: mark the structure on a few slices first.")
    held = set(together.label_values)
    labels = {value: name for name, value in names.items() if value in held}
    return SupportSet(together.examples, labels, str(volume.GetName()), together.scans)


def _scan_of(
    volume: Any, segmentation: Any, names: dict[str, int], window_of: Callable[[Any], IntensityWindow]
) -> LabelledScan | None:
    """The scan with the segments of these names, where all of them together look like whole structures."""
    theirs = {segment_name(segmentation, each): each for each in segment_ids(segmentation)}
    matched = match_names(list(theirs), names)
    if not matched:
        return None
    ids = sorted(matched, key=lambda name: matched[name])
    in_order = read_labels(segmentation, [theirs[name] for name in ids], volume)
    labels = np.array([0, *(matched[name] for name in ids)], np.uint16)[in_order]
    if not are_complete(labels):
        return None
    return LabelledScan.of(volume_of(volume), labels, window=window_of(volume), source=str(volume.GetName()))
