"""The region of interest: around the marks, growing with the segmentation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from UniverSegSlicerLib.imaging import Box, Geometry, SliceFrame, Volume
from UniverSegSlicerLib.segmentation import PropagationSettings, propagate
from UniverSegSlicerLib.segmentation.region import grown_where_touched, region_around


def test_the_margin_is_a_share_of_the_structure_or_a_length() -> None:
    box, shape, spacing = Box(40, 80, 50, 70), (200, 200), (1.0, 1.0)
    assert region_around(box, shape, spacing, PropagationSettings(margin=0.5)) == Box(20, 100, 30, 90)
    assert region_around(box, shape, spacing, PropagationSettings(margin_mm=5.0)) == Box(35, 85, 45, 75)
    assert region_around(box, shape, spacing, PropagationSettings(margin=math.inf)) == Box.whole(shape)
    assert region_around(None, shape, spacing, PropagationSettings()) is None


def test_a_tiny_structure_gets_a_picture_and_not_four_pixels() -> None:
    box = region_around(Box(100, 101, 100, 101), (200, 200), (1.0, 1.0), PropagationSettings())
    assert box is not None and min(box.shape) >= 40


def test_it_grows_on_the_touched_side_only() -> None:
    frame = SliceFrame.fit((200, 200), (1.0, 1.0), Box(50, 90, 50, 90), size=64)
    masks = np.zeros((3, 64, 64), bool)
    assert grown_where_touched(frame, masks) is None
    masks[1, 0, 30] = True
    assert grown_where_touched(frame, masks) == Box(30, 90, 50, 90)
    masks[2, 20, 63] = True
    assert grown_where_touched(frame, masks) == Box(30, 90, 50, 110)


def test_the_rim_of_the_slice_is_no_reason_to_grow() -> None:
    frame = SliceFrame.fit((200, 200), (1.0, 1.0), Box(0, 40, 0, 40), size=64)
    masks = np.zeros((1, 64, 64), bool)
    masks[0, 0, 0] = True
    assert grown_where_touched(frame, masks) is None


@pytest.mark.parametrize("strategy", ["independent", "cascade", "prior", "guided"])
def test_a_structure_that_outgrows_the_region_is_seen_whole(model, overlap, strategy: str) -> None:
    rows, cols = np.indices((120, 120))
    truth = np.stack([np.hypot(rows - 60, cols - 60) <= 14 + 2 * n for n in range(14)])
    marks = np.zeros(truth.shape, np.uint8)
    marks[1] = truth[1]
    settings = PropagationSettings(strategy=strategy, margin=0.2)
    volume = Volume(truth * 1.0, Geometry((120, 120, 14)))
    result = propagate(volume, marks, model=model, axis="k", settings=settings)
    assert overlap(result.labels[13] == 1, truth[13]) > 0.9


def test_the_network_looks_at_the_region(phantom, model) -> None:
    marks = np.zeros_like(phantom.truth)
    marks[12] = phantom.truth[12] == 2
    propagate(phantom.volume, marks, model=model, settings=PropagationSettings(margin=0.3, strategy="independent"))
    near = [(q[:, 0] > 0.8).mean() for q in model.queries]
    propagate(phantom.volume, marks, model=model, settings=PropagationSettings(margin=math.inf, strategy="independent"))
    far = [(q[:, 0] > 0.8).mean() for q in model.queries[len(near) :]]
    assert np.mean(near) > 2 * np.mean(far)
