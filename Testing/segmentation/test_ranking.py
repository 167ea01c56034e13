"""The slices to mark next."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from UniverSegSlicerLib.segmentation import rank_slices


@given(
    hnp.arrays(float, st.integers(1, 60), elements=st.floats(0, 1e6)),
    st.sets(st.integers(0, 59)),
    st.integers(0, 8),
)
def test_suggestions_are_unmarked_distinct_and_falling(doubt: np.ndarray, marked: set[int], count: int) -> None:
    marked = {n for n in marked if n < len(doubt)}
    found = rank_slices(doubt, marked, count)
    indices = [s.index for s in found]
    assert len(set(indices)) == len(indices) <= count
    assert not marked & set(indices)
    assert all(doubt[n] > 0 for n in indices)
    scores = [s.score for s in found]
    assert scores == sorted(scores, reverse=True)
    assert not scores or (scores[0] == 1 and scores[-1] > 0)


def test_the_most_doubtful_place_comes_first_and_the_next_one_elsewhere() -> None:
    doubt = np.zeros(100)
    doubt[25:36] = 10
    doubt[75:80] = 6
    first, second = rank_slices(doubt, [], 2)
    assert 28 <= first.index <= 32
    assert 75 <= second.index < 80


def test_a_mark_takes_the_doubt_from_its_neighbours() -> None:
    doubt = np.ones(100)
    assert abs(rank_slices(doubt, [0], 1)[0].index - 50) < 45
    assert rank_slices(doubt, [0, 20, 30], 1)[0].index > 40


def test_no_doubt_no_suggestion() -> None:
    assert rank_slices(np.zeros(10), [3]) == []
