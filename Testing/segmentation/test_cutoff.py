"""The cut of logits for an image that is known to show the structure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from UniverSegSlicerLib.segmentation.cutoff import present_cutoff


def test_an_unsure_answer_is_not_left_empty() -> None:
    logits = np.array([-9.0, -3.0, -1.0, -0.8])
    assert (logits > 0).sum() == 0
    assert (logits > present_cutoff(logits)).tolist() == [False, False, True, True]


@pytest.mark.parametrize("largest", [2.0, 30.0, 800.0])
def test_a_sure_answer_is_cut_near_one_half(largest: float) -> None:
    assert -0.3 < present_cutoff(np.array([largest, -5.0])) <= 0


@given(st.lists(st.floats(-900, 900), min_size=1, max_size=20))
def test_the_largest_pixel_always_stays_and_the_cut_is_never_above_zero(values: list[float]) -> None:
    logits = np.array(values)
    cut = present_cutoff(logits)
    assert cut <= 0
    assert logits.max() > cut
