"""To the network's square and back: shapes, points, masks, padding, boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.imaging import OUTSIDE_LOGIT, Box, SliceFrame

sides = st.integers(24, 300)
millimetres = st.floats(0.2, 6.0)


@st.composite
def frames(draw: st.DrawFn) -> SliceFrame:
    shape = draw(st.tuples(sides, sides))
    spacing = draw(st.tuples(millimetres, millimetres))
    box = None
    if draw(st.booleans()):
        row, col = (draw(st.integers(0, n - 16)) for n in shape)
        box = Box(row, draw(st.integers(row + 16, shape[0])), col, draw(st.integers(col + 16, shape[1])))
    return SliceFrame.fit(shape, spacing, box)


@settings(max_examples=60, deadline=None)
@given(frames(), st.floats(0.15, 0.45), st.floats(-1, 1), st.floats(-1, 1))
def test_a_large_mask_survives_the_round_trip(frame: SliceFrame, radius: float, up: float, left: float) -> None:
    rows, cols = np.indices(frame.shape)
    (row_mm, col_mm), box = frame.spacing, frame.covered
    reach = radius * frame.side_mm
    centre_row = (box.row_start + box.row_stop) / 2 * row_mm + up * (frame.side_mm / 2 - reach)
    centre_col = (box.col_start + box.col_stop) / 2 * col_mm + left * (frame.side_mm / 2 - reach)
    disc = ((rows + 0.5) * row_mm - centre_row) ** 2 + ((cols + 0.5) * col_mm - centre_col) ** 2 <= reach**2
    mask = np.zeros(frame.shape, bool)
    mask[box.slices] = disc[box.slices]
    # Large enough: more than a rim of single pixels, on either grid.
    inner = Box.around(mask)
    assume(inner is not None)
    assert inner is not None
    assume(min(inner.shape) >= 12 and min(inner.shape[0] * row_mm, inner.shape[1] * col_mm) >= 12 * frame.pixel_mm)
    back = frame.from_network((frame.to_network(mask, "mask") - 0.5) * 20) > 0
    assert 2 * (back & mask).sum() / (back.sum() + mask.sum()) > 0.97


@given(frames(), st.floats(-5, 305), st.floats(-5, 305))
def test_points_map_there_and_back(frame: SliceFrame, row: float, col: float) -> None:
    there = frame.point_to_network(row, col)
    np.testing.assert_allclose(frame.point_from_network(*there), (row, col), atol=1e-6)


@given(frames())
def test_points_land_where_the_pixels_land(frame: SliceFrame) -> None:
    box = frame.covered
    image = np.zeros(frame.shape, np.float32)
    spot = (box.row_start + box.row_stop) // 2, (box.col_start + box.col_stop) // 2
    image[spot] = 1.0
    seen = frame.to_network(image)
    assume(seen.sum() > 0)
    rows, cols = np.indices(seen.shape)
    centre = (rows * seen).sum() / seen.sum(), (cols * seen).sum() / seen.sum()
    reach = 1 + max(s / frame.pixel_mm for s in frame.spacing)
    np.testing.assert_allclose(centre, frame.point_to_network(*spot), atol=reach)


@given(frames())
def test_network_pixels_are_square_millimetres(frame: SliceFrame) -> None:
    (a, b), (c, d) = frame.point_to_network(0, 0), frame.point_to_network(10, 10)
    np.testing.assert_allclose((c - a) * frame.pixel_mm, 10 * frame.spacing[0], rtol=1e-6)
    np.testing.assert_allclose((d - b) * frame.pixel_mm, 10 * frame.spacing[1], rtol=1e-6)


@given(frames())
def test_full_and_empty_slices_stay_full_and_empty(frame: SliceFrame) -> None:
    full = frame.to_network(np.ones(frame.shape))
    assert (frame.from_network(full - 0.5)[frame.covered.slices] > 0).all()
    assert not frame.to_network(np.zeros(frame.shape)).any()


@given(frames())
def test_the_box_is_seen_whole(frame: SliceFrame) -> None:
    whole = SliceFrame.fit(frame.shape, frame.spacing)
    assert whole.covered == Box.whole(frame.shape)
    box = frame.covered
    again = SliceFrame.fit(frame.shape, frame.spacing, box)
    assert again.covered.holds(box)


def test_pixels_outside_the_square_are_certain_background() -> None:
    frame = SliceFrame.fit((100, 100), (1.0, 1.0), Box(10, 30, 40, 60))
    logits = frame.from_network(np.full((2, 128, 128), 5.0))
    assert logits.shape == (2, 100, 100)
    inside = np.zeros((100, 100), bool)
    inside[10:30, 40:60] = True
    np.testing.assert_allclose(logits[:, inside], 5.0, rtol=1e-6)
    assert (logits[:, ~inside] == OUTSIDE_LOGIT).all()


def test_a_box_at_the_rim_is_filled_with_image_not_padding() -> None:
    frame = SliceFrame.fit((100, 100), (1.0, 1.0), Box(0, 10, 0, 40))
    assert frame.start_mm == (0.0, 0.0)
    assert frame.covered == Box(0, 40, 0, 40)
    np.testing.assert_allclose(frame.to_network(np.ones((100, 100))), 1.0, rtol=1e-6)


def test_a_long_slice_is_padded_on_both_sides() -> None:
    frame = SliceFrame.fit((64, 128), (1.0, 1.0))
    seen = frame.to_network(np.ones((64, 128)))
    np.testing.assert_allclose(seen[32:96], 1.0, rtol=1e-6)
    assert not seen[:32].any() and not seen[96:].any()
    assert SliceFrame.fit((64, 128), (1.0, 1.0)).shown == Box(32, 96, 0, 128)


def test_reduction_does_not_alias() -> None:
    stripes = np.tile([0.0, 1.0], (512, 256))
    np.testing.assert_allclose(SliceFrame.fit((512, 512), (1, 1)).to_network(stripes)[:, 2:-2], 0.5, atol=0.02)


def test_enlarging_follows_a_ramp_exactly() -> None:
    ramp = np.tile(np.linspace(0, 1, 32), (32, 1))
    frame = SliceFrame.fit((32, 32), (1, 1))
    np.testing.assert_allclose(frame.from_network(frame.to_network(ramp)), ramp, atol=0.005)


def test_one_slice_and_a_stack_agree() -> None:
    stack = np.random.default_rng(0).random((3, 40, 50), np.float32)
    frame = SliceFrame.fit((40, 50), (1.0, 1.3), size=64)
    seen = frame.to_network(stack)
    np.testing.assert_allclose(frame.to_network(stack[1]), seen[1], atol=1e-6)
    np.testing.assert_allclose(frame.from_network(seen[1]), frame.from_network(seen)[1], atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 3)])
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1e-9, 1e-9), (1e9, 1e9), (1e-4, 10.0)])
def test_odd_slices_and_spacings_work(shape: tuple[int, int], spacing: tuple[float, float]) -> None:
    frame = SliceFrame.fit(shape, spacing)
    seen = frame.to_network(np.ones(shape))
    assert seen.max() == pytest.approx(1.0)
    back = frame.from_network(seen)
    assert back.shape == shape and np.isfinite(back).all()


def test_wrong_shapes_and_spacings_are_refused() -> None:
    frame = SliceFrame.fit((40, 50), (1.0, 1.0))
    with pytest.raises(InputError, match="do not fit"):
        frame.to_network(np.zeros((50, 40)))
    with pytest.raises(InputError, match="do not fit"):
        frame.from_network(np.zeros((64, 64)))
    with pytest.raises(InputError, match="spacing"):
        SliceFrame.fit((40, 50), (0.0, 1.0))
    with pytest.raises(InputError, match="empty"):
        SliceFrame.fit((0, 50), (1.0, 1.0))
    with pytest.raises(InputError, match="reaches out"):
        SliceFrame.fit((40, 50), (1.0, 1.0), Box(0, 41, 0, 50))
