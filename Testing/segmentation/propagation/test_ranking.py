"""The slices to mark next."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from UniverSegSlicerLib.segmentation import Outlook, rank_slices
from UniverSegSlicerLib.segmentation.propagation.task import LabelLogits


def outlook(
    wrong: np.ndarray, marks: dict[int, bool], present: float | np.ndarray = 1.0, area: float | np.ndarray = 100.0
) -> Outlook:
    one = np.ones(len(wrong))
    return Outlook(np.asarray(wrong, float), area * one, present * one, marks)


def first(*outlooks: Outlook) -> int:
    marked = {n for one in outlooks for n in one.marks}
    return rank_slices(outlooks, marked, 1)[0].index


@settings(deadline=None)
@given(
    st.lists(hnp.arrays(float, 40, elements=st.floats(0, 1e6)), min_size=1, max_size=3),
    hnp.arrays(float, 40, elements=st.floats(0, 1)),
    st.dictionaries(st.integers(0, 39), st.booleans()),
    st.sets(st.integers(0, 39)),
    st.integers(0, 8),
)
def test_suggestions_are_unmarked_distinct_and_falling(
    wrong: list[np.ndarray], present: np.ndarray, marks: dict[int, bool], more: set[int], count: int
) -> None:
    looks = [outlook(one, marks, present, area=one) for one in wrong]
    found = rank_slices(looks, marks.keys() | more, count)
    indices = [s.index for s in found]
    assert len(set(indices)) == len(indices) <= count
    assert not (marks.keys() | more) & set(indices)
    assert all(any(one[n] > 0 for one in wrong) for n in indices)
    scores = [s.score for s in found]
    assert scores == sorted(scores, reverse=True)
    assert not scores or (scores[0] == 1 and scores[-1] > 0)


def test_what_is_next_to_nothing_is_not_suggested() -> None:
    wrong = np.full(40, 5e-324)
    wrong[1] = 6.0
    found = rank_slices([outlook(wrong, {0: True, 8: True}, np.zeros(40), area=wrong)], {0, 8}, 3)
    assert found
    assert all(suggestion.score > 0 for suggestion in found)


@pytest.mark.parametrize("gap", [2, 4, 10, 30])
def test_the_middle_of_the_gap_if_nothing_else_is_known(gap: int) -> None:
    assert first(outlook(np.ones(gap + 1), {0: True, gap: True})) == gap // 2


def test_the_longer_gap_of_the_same_doubt() -> None:
    assert first(outlook(np.ones(41), {0: True, 12: True, 40: True})) == 26
    assert first(outlook(np.ones(41), {0: True, 28: True, 40: True})) == 14


def test_the_larger_and_the_more_doubtful_of_like_gaps() -> None:
    marks = {0: True, 10: True, 20: True}
    rising = np.arange(21.0)
    assert first(outlook(rising + 1, marks)) > 10
    assert first(outlook(rising[::-1] + 1, marks)) < 10
    assert first(outlook(np.ones(21), marks, area=rising + 1)) > 10
    assert first(outlook(np.ones(21), marks, area=rising[::-1] + 1)) < 10


def test_doubt_draws_the_mark_out_of_the_middle() -> None:
    wrong = np.ones(21)
    wrong[14:17] = 40
    assert 13 <= first(outlook(wrong, {0: True, 20: True})) <= 16


def test_an_error_is_not_worth_marking_unless_others_share_it() -> None:
    wrong = np.full(31, 2.0)
    wrong[1] = 50  # alone between two marks: nobody else would gain
    assert first(outlook(wrong, {0: True, 2: True, 30: True})) > 10
    alone = np.array([0, 3, 0, 5, 0.0])
    assert [s.index for s in rank_slices([outlook(alone, {0: True, 2: True, 4: True})], [0, 2, 4])] == [3, 1]


def test_where_the_structure_is_likely_to_have_ended_nothing_is_suggested_before_the_gaps() -> None:
    wrong = np.zeros(60)
    wrong[20:41], wrong[41:60] = 5, 8  # more doubt beyond the marks than between them
    marks = {20: True, 30: True, 40: True}
    present = np.where(np.arange(60) > 42, 0.02, 1.0)
    assert first(outlook(wrong, marks, present)) in (25, 35)
    # If it is there for certain, the long way without marks counts.
    assert first(outlook(wrong, marks)) > 45


def test_beyond_the_marks_an_empty_slice_is_worth_what_it_clears() -> None:
    wrong, area = np.zeros(40), np.full(40, 100.0)
    wrong[11:] = 10
    chance = np.where(np.arange(40) > 14, 0.3, 1.0)
    assert first(outlook(wrong, {0: True, 10: True}, chance, area)) == 15
    # Behind an empty mark nothing is left to clear, and the slices before it remain.
    left = rank_slices([outlook(wrong, {0: True, 10: True, 15: False}, chance, area)], [0, 10, 15])
    assert left[0].index in (12, 13, 14)


def test_several_suggestions_are_spread_over_the_gaps() -> None:
    marks = {5: True, 25: True, 45: True}
    found = rank_slices([outlook(np.where(np.arange(51) > 45, 0, np.arange(51) >= 5), marks)], marks, 4)
    assert sorted(s.index for s in found[:2]) == [15, 35]
    places = sorted(s.index for s in found)
    assert min(np.diff([*places, 45])) >= 3


def test_without_marks_the_middle_of_what_is_doubtful() -> None:
    wrong = np.zeros(100)
    wrong[25:36] = 10
    wrong[75:80] = 6
    one, two = rank_slices([outlook(wrong, {})], [], 2)
    assert 28 <= one.index <= 34
    assert 75 <= two.index < 80


def test_labels_add_up_each_with_its_own_marks() -> None:
    one = outlook(np.ones(31), {0: True, 30: True})
    two = outlook(np.ones(31), {0: True, 10: True, 30: True})
    assert first(one) == 15 and first(two) == 20
    assert 15 < first(one, two) <= 20
    # A slice that is marked for one label is not suggested for the other.
    assert rank_slices([one], [15], 1)[0].index in (14, 16)


def test_no_doubt_no_suggestion() -> None:
    assert rank_slices([outlook(np.zeros(10), {3: True})], [3]) == []
    assert rank_slices([], [3]) == []


def test_what_is_expected_follows_from_the_logits() -> None:
    logits = np.full((4, 2, 3), -30.0, np.float32)
    logits[1, 0, 0], logits[1, 1, 2] = 2.0, -1.0
    logits[2] = 2.0
    p, q = 1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(1.0))
    plain = Outlook.of(LabelLogits(logits), [1, 3], {0: True}, pixel=2.0)
    np.testing.assert_allclose(plain.wrong, [0, 2 * (1 - p + q), 0, 0], atol=1e-6)
    np.testing.assert_allclose(plain.area, [0, 2 * (p + q), 0, 0], atol=1e-6)
    assert plain.present[0] == plain.present[2] == 0 and plain.present[3] < 1e-6 < plain.present[1] < p
    apart = Outlook.of(LabelLogits(logits, np.full_like(logits, 0.25)), [1], {})
    np.testing.assert_allclose(apart.wrong[1], 0.5 - (p - 0.5) / 2 + 0.5 - (0.5 - q) / 2 + 4 * 0.25, rtol=1e-5)


def test_a_long_volume_takes_no_time() -> None:
    look = outlook(np.ones(1000), dict.fromkeys((300, 500, 700), True))
    begin = time.process_time()
    assert len(rank_slices([look] * 3, look.marks)) == 5
    assert time.process_time() - begin < 5
