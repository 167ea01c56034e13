"""Marking the suggested slices against marking evenly spaced ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ....files.labelled_scans import LabelledVolume, MarkedCase, place_marks
from ....segmentation import Propagation, PropagationSettings
from ..scores import dice_of_masks
from .methods import run_ours
from .record import Extra

if TYPE_CHECKING:
    from ....network import InContextModel


def after_extra_marks(
    volume: LabelledVolume,
    label: tuple[str, str, int],
    model_id: str,
    start: int,
    extra: int,
    model: InContextModel,
) -> Extra:
    """Mark some slices evenly, then more in both ways, and compare on the slices that stay unmarked in both.

    Suggestions are followed one by one, each after the volume was segmented anew; a suggested slice without the
    structure is marked as empty. The other way puts each slice into the middle of the longest unmarked stretch of the
    structure; its first and last slice are known to it.

    Args:
        volume: The scan; it has at least ``start + extra + 1`` slices with the label.
        label: Data set, volume and label value.
        model_id: What the row says about the model.
        start: Slices marked at first.
        extra: Slices marked after that.
        model: The network.
    """
    dataset, name, value = label
    present = volume.present(value)
    first = place_marks(present, start, "even")
    assert first is not None

    def run(marked: tuple[int, ...]) -> tuple[MarkedCase, Propagation]:
        case = MarkedCase.of(volume, value, marked)
        return case, run_ours(case, model, PropagationSettings())

    case, before = run(first)
    suggested, result = first, before
    for _ in range(extra):
        if not result.next_slices:
            break
        suggested = (*suggested, result.next_slices[0].index)
        _, result = run(suggested)
    even = first
    for _ in range(extra):
        even = (*even, middle_of_longest(present, even))
    _, evenly = run(even)
    without = sorted({*suggested, *even})
    answers = (before, result, evenly)
    scores = [round(dice_of_masks(a.labels > 0, case.truth, case.axis, without), 6) for a in answers]
    return Extra(dataset, name, value, model_id, start, extra, *scores)


def middle_of_longest(present: np.ndarray, marked: tuple[int, ...]) -> int:
    """The middle of the longest run of slices between marks, or between a mark and the structure's end."""
    borders = [int(present[0]) - 1, *sorted(n for n in marked if present[0] <= n <= present[-1]), int(present[-1]) + 1]
    gaps = np.diff(borders)
    longest = int(gaps.argmax())
    return (borders[longest] + borders[longest + 1]) // 2
