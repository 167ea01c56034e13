"""Click to segment."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from UniverSegSlicerLib.errors import Cancelled, InputError
from UniverSegSlicerLib.imaging import Box, IntensityWindow
from UniverSegSlicerLib.progress import CancelToken
from UniverSegSlicerLib.segmentation import ClickSession, SupportExample, SupportSet, click_segment

INSIDE = (27.0, 28.0)  # (row, col) in structure 2 of the phantom
INCLUDE, EXCLUDE, PRIOR = 1, 2, 3


@pytest.fixture
def picture(phantom) -> np.ndarray:
    return phantom.volume.array[12]


def test_one_click_finds_what_is_clicked_on(phantom, picture, model, overlap) -> None:
    result = click_segment(picture, include=[INSIDE], model=model)
    assert overlap(result.mask, phantom.truth[12] == 2) > 0.9
    assert result.mask.shape == picture.shape and result.mask.dtype == bool
    assert result.probability.dtype == np.float32
    assert ((result.probability > 0.5) == result.mask).all()
    assert result.seconds > 0


def test_clicks_become_single_pixels_of_their_planes(picture, model) -> None:
    click_segment(picture, include=[INSIDE, (20, 20)], exclude=[(1, 2)], model=model)
    first = model.queries[0][0]
    assert first[INCLUDE].sum() == 2 and first[EXCLUDE].sum() == 1
    # The slice of 60 × 70 pixels lies in the middle of the square of 64 × 64.
    assert first[EXCLUDE][round((1 + 0.5 + 5) / 70 * 64 - 0.5), round((2 + 0.5) / 70 * 64 - 0.5)] == 1


def test_a_negative_click_takes_away(picture, model) -> None:
    first = click_segment(picture, include=[INSIDE], model=model)
    second = click_segment(picture, include=[INSIDE], exclude=[(22.0, 28.0)], prior=first.probability, model=model)
    assert first.mask[22, 28] and not second.mask[22, 28]
    assert second.mask.sum() < first.mask.sum()


def test_the_last_answer_is_the_prior_of_the_next(phantom, picture, model, overlap) -> None:
    prior = phantom.truth[12] == 2
    click_segment(picture, include=[INSIDE], prior=prior, model=model)
    assert model.queries[0].shape[1] == 4
    assert (model.queries[0][0, PRIOR] > 0.5).any()


def test_a_small_structure_is_looked_at_closely(phantom, model) -> None:
    array = np.zeros((300, 300))
    array[100:120, 200:220] = 1
    click_segment(array, include=[(110, 210)], model=model)
    first, second = model.queries
    assert (second[0, 0] > 0.5).mean() > 4 * (first[0, 0] > 0.5).mean()
    assert (second[0, PRIOR] > 0.5).any()


def test_examples_alone_are_enough(phantom, picture, model, overlap) -> None:
    support = SupportSet.from_volume(phantom.volume, phantom.marks([8, 16]))
    window = IntensityWindow.of(phantom.volume.array)
    for label in (1, 2):
        result = click_segment(picture, model=model, support=support, label=label, window=window)
        assert overlap(result.mask, phantom.truth[12] == label) > 0.9


def test_a_session_encodes_its_examples_once(phantom, model) -> None:
    support = SupportSet.from_volume(phantom.volume, phantom.marks([8, 16]))
    session = ClickSession(model, shape=(60, 70), support=support, box=Box(5, 50, 5, 50))
    session.prepare()
    window = IntensityWindow.of(phantom.volume.array)
    for n in (10, 12, 14):
        session.segment(window.apply(phantom.volume.array[n]), include=[INSIDE])
    assert model.encoded == [2]


def test_answers_that_differ_by_pixels_are_looked_at_through_the_same_square(model) -> None:
    def disc(row, col, radius):
        y, x = np.mgrid[:300, :300]
        return (np.hypot(y - row, x - col) < radius).astype(np.float32)

    support = SupportSet((SupportExample(disc(150, 140, 22), disc(150, 140, 22).astype(np.uint16)),))
    session = ClickSession(model, shape=(300, 300), support=support)
    for step in range(8):
        row, col, radius = 130 + step % 3, 160 - step % 2, 20 + step % 4
        image = disc(row, col, radius)
        session.segment(image, include=[(row, col)], prior=image)
    assert 1 <= len(model.encoded) <= 4 < 8


@given(
    row=st.integers(0, 399),
    col=st.integers(0, 299),
    size=st.integers(1, 150),
    spacing=st.floats(0.4, 3),
    click_row=st.integers(0, 399),
    click_col=st.integers(0, 299),
)
@settings(max_examples=30)
def test_the_square_holds_what_was_found_and_every_click(
    make_model, row, col, size, spacing, click_row, click_col
) -> None:
    model = make_model()
    prior = np.zeros((400, 300), np.float32)
    prior[row : row + size, col : col + size] = 1
    session = ClickSession(model, shape=prior.shape, spacing=(spacing, 1.0))
    session.segment(prior, include=[(click_row, click_col)], prior=prior)
    first = model.queries[0][0]
    assert first[INCLUDE].sum() == 1  # the click is in sight
    square = first[PRIOR] > 0.5
    # ... and so is the whole structure: nothing of it at the rim, unless it lies within a pixel of the slice's own.
    way = min(row * spacing, col, (400 - row - size) * spacing, 300 - col - size)
    if way > 1.5 * max(400 * spacing, 300) / model.resolution and square.any():
        assert not (square[0].any() or square[-1].any() or square[:, 0].any() or square[:, -1].any())


def test_a_session_does_not_remember_clicks(phantom, picture, model) -> None:
    session = ClickSession(model, shape=(60, 70))
    image = IntensityWindow.of(picture).apply(picture)
    first = session.segment(image, include=[INSIDE])
    session.segment(image, include=[(30, 15)], exclude=[INSIDE])
    again = session.segment(image, include=[INSIDE])
    np.testing.assert_array_equal(first.probability, again.probability)
    np.testing.assert_array_equal(first.probability, click_segment(picture, include=[INSIDE], model=model).probability)


def test_a_click_outside_the_box_is_still_seen(phantom, picture, model) -> None:
    session = ClickSession(model, shape=(60, 70), box=Box(40, 55, 40, 65))
    image = IntensityWindow.of(picture).apply(picture)
    assert session.segment(image, include=[INSIDE]).mask[27, 28]


def test_examples_of_another_size_and_spacing(phantom, phantom_of, model, overlap) -> None:
    other = phantom_of((8, 140, 160), (0.5, 0.4, 2))
    support = SupportSet.from_volume(other.volume, other.marks([4]))
    result = click_segment(
        phantom.volume.array[12], model=model, support=support, label=2, window=IntensityWindow.of(phantom.volume.array)
    )
    assert overlap(result.mask, phantom.truth[12] == 2) > 0.85


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_slice(model, value: int) -> None:
    result = click_segment(np.full((40, 50), value), include=[(5, 5)], model=model)
    assert np.isfinite(result.probability).all()


def test_the_real_network_answers(picture, tiny_model) -> None:
    first = click_segment(picture, include=[INSIDE], model=tiny_model)
    again = click_segment(picture, include=[INSIDE], model=tiny_model)
    np.testing.assert_array_equal(first.probability, again.probability)
    other = click_segment(picture, include=[INSIDE], exclude=[(10, 10)], model=tiny_model)
    assert (other.probability != first.probability).any()


def test_what_cannot_be_done_is_said(phantom, picture, model, make_model) -> None:
    with pytest.raises(InputError, match="cannot read clicks"):
        click_segment(picture, include=[INSIDE], model=make_model(query_channels=1))
    with pytest.raises(InputError, match="nothing to go by"):
        click_segment(picture, model=model)
    with pytest.raises(InputError, match="outside the slice"):
        click_segment(picture, include=[(60, 3)], model=model)
    with pytest.raises(InputError, match="outside the slice"):
        click_segment(picture, exclude=[(-1, 3)], model=model)
    with pytest.raises(InputError, match="prior has the shape"):
        click_segment(picture, include=[INSIDE], prior=np.zeros((3, 3)), model=model)
    with pytest.raises(InputError, match=r"outside \[0, 1\]"):
        click_segment(picture, include=[INSIDE], prior=picture, model=model)
    with pytest.raises(InputError, match="label 5 is absent"):
        support = SupportSet.from_volume(phantom.volume, phantom.marks([8]))
        click_segment(picture, model=model, support=support, label=5)
    with pytest.raises(InputError, match="shape"):
        click_segment(phantom.volume.array, include=[INSIDE], model=model)
    with pytest.raises(InputError, match="made for"):
        ClickSession(model, shape=(10, 10)).segment(picture, include=[INSIDE])


def test_a_click_can_be_cancelled(picture, model) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        ClickSession(model, shape=(60, 70)).segment(np.zeros((60, 70)), include=[INSIDE], cancel=cancel)
    assert model.passes == 0
