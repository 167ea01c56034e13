"""Choosing examples: nearest, random, all; one draw or several."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from UniverSegSlicerLib.segmentation import PropagationSettings
from UniverSegSlicerLib.segmentation.support.choice import draw_support

HERE = np.array([5.0, 10.0, 20.0, 40.0])


@given(
    st.sampled_from(["nearest", "random", "all"]),
    st.integers(0, 12),
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(0, 99),
    st.booleans(),
)
def test_draws_are_sound_and_repeatable(
    choice: str, count: int, size: int, ensemble: int, seed: int, foreign: bool
) -> None:
    settings = PropagationSettings(choice=choice, support_size=size, ensemble=ensemble, seed=seed)
    places = np.arange(count) * 3.0
    if foreign:
        places[::2] = np.nan
    draws = draw_support(places, 7, settings)
    assert draws == draw_support(places, 7, settings)
    assert 1 <= len(draws) <= ensemble
    assert len(set(draws)) == len(draws)
    for draw in draws:
        assert list(draw) == sorted(set(draw))
        assert all(0 <= n < count for n in draw)
        assert len(draw) <= (count if choice == "all" else size)
    assert len(draws[0]) == (count if choice == "all" else min(count, size))


def test_nearest_takes_the_nearest_and_then_those_from_elsewhere() -> None:
    settings = PropagationSettings(support_size=2)
    assert draw_support(HERE, 12, settings) == [(0, 1)]
    assert draw_support(HERE, 36, settings) == [(2, 3)]
    mixed = np.array([np.nan, 5.0, np.nan, 40.0])
    assert draw_support(mixed, 39, settings) == [(1, 3)]
    assert 1 in draw_support(mixed, 6, PropagationSettings(support_size=3))[0]


def test_a_short_choice_from_elsewhere_is_spread_over_the_set() -> None:
    draw = draw_support(np.full(16, np.nan), 3, PropagationSettings(support_size=4))[0]
    assert np.diff(draw).min() >= 3


def test_random_draws_differ_and_do_not_depend_on_the_slice() -> None:
    settings = PropagationSettings(choice="random", support_size=4, ensemble=5)
    places = np.arange(30.0)
    draws = draw_support(places, 3, settings)
    assert len(draws) > 1
    assert draws == draw_support(places, 28, settings)
    assert draws != draw_support(places, 3, PropagationSettings(choice="random", support_size=4, ensemble=5, seed=1))


@pytest.mark.parametrize("choice", ["nearest", "random", "all"])
def test_a_small_set_still_gives_members_that_differ(choice: str) -> None:
    draws = draw_support(HERE, 12, PropagationSettings(choice=choice, ensemble=4))
    assert draws[0] == (0, 1, 2, 3)
    assert len(draws) > 1


def test_no_examples_are_one_empty_draw() -> None:
    assert draw_support(np.zeros(0), 3, PropagationSettings(ensemble=3)) == [()]
