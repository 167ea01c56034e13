"""Where nothing is left to segment, the scene says so before any work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from Testing.scene.running_case import SHAPE, structure
from UniverSegSlicerLib.errors import InputError


def test_a_filled_segment_is_complete(make):
    case = make()
    solid = np.zeros(SHAPE, np.uint8)
    solid[:, 6:18, 4:14] = 1
    case.world.paint(case.segmentation, "a", solid, case.volume)
    only = replace(case.selection, segment_ids=("a",))
    with pytest.raises(InputError, match="'a' is filled through and through, so that nothing is left"):
        case.logic.start(only, case.options)
    assert "nothing is left to segment" in case.logic.support(only).message
    # The other segment has marks, so a run without names is about that one.
    case.logic.start(case.selection, case.options)
    assert case.finish().report.segment_ids == ("b",)
    case.logic.discard()


@pytest.mark.parametrize("reach", ["volume", "between"])
def test_every_slice_in_the_range_is_marked(make, reach):
    case = make()
    case.segmentation.GetSegmentation().RemoveSegment("b")
    marks = structure(1)
    if reach == "between":
        marks[[0, 1, 2, 6, 7, 8]] = 0
    case.world.paint(case.segmentation, "a", marks, case.volume)
    options = replace(case.options, axis="k", reach=reach)
    with pytest.raises(InputError, match="Nothing is left to segment: every slice in the range is marked for 'a'"):
        case.logic.start(case.selection, options)
    assert case.logic.state.phase == "idle"
    # Whoever lets the result replace the marks has them done again.
    case.logic.start(case.selection, replace(options, keep_marked=False))
    assert case.finish().phase == "preview"
