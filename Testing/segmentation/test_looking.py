"""The scale of a closer look, and what its squares show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from UniverSegSlicerLib.imaging import Box, SliceFrame
from UniverSegSlicerLib.network import load_model
from UniverSegSlicerLib.segmentation import SupportExample, segment_images
from UniverSegSlicerLib.segmentation.looking import SHARES, ScaledExamples, closer_frame, shown_share, slice_box
from UniverSegSlicerLib.segmentation.support import SupportSet

SIDE = 64


class Grid:
    """Stands in for a network where only the side of its grid matters."""

    resolution = SIDE


def example(shape, rows, cols, spacing=(1.0, 1.0)) -> SupportExample:
    labels = np.zeros(shape, np.uint16)
    labels[slice(*rows), slice(*cols)] = 1
    return SupportExample(np.full(shape, 0.5, np.float32), labels, spacing, complete=True)


def extent(mask: np.ndarray) -> int:
    box = Box.around(mask > 0.5)
    assert box is not None
    return max(box.shape)


def test_the_scale_suits_the_larger_of_query_and_examples() -> None:
    examples = ScaledExamples([example((100, 100), (40, 60), (40, 50))], 1, Grid())  # a fifth of the slice
    small, large = Box(10, 15, 10, 15), Box(10, 40, 10, 20)
    assert examples.share_for(small, (100, 100), (1, 1)) == 0.34  # 1.5 times the examples' 0.2
    assert examples.share_for(large, (100, 100), (1, 1)) == 0.58  # 1.5 times 0.3 of the query's own
    assert examples.share_for(Box(10, 70, 10, 20), (100, 100), (1, 1)) is None  # whole slices show it large enough


def test_without_a_drawn_structure_nothing_is_looked_at() -> None:
    empty = SupportExample(np.zeros((50, 50), np.float32), np.zeros((50, 50), np.uint16), complete=True)
    assert ScaledExamples([empty], 1, Grid()).share_for(Box(0, 5, 0, 5), (50, 50), (1, 1)) is None


def test_pixels_that_are_no_squares_are_measured_in_mm() -> None:
    assert shown_share(Box(0, 10, 0, 10), (100, 50), (1.0, 4.0)) == pytest.approx(40 / 200)


@pytest.mark.parametrize("share", SHARES[:4])
def test_examples_of_any_size_show_their_structure_at_one_scale(share) -> None:
    examples = [
        example((100, 100), (45, 60), (45, 60)),
        example((400, 400), (0, 60), (340, 400)),  # at a corner: the square is moved, not cut
        example((200, 100), (90, 120), (45, 60), (0.5, 1.0)),
    ]
    stack = ScaledExamples(examples, 1, Grid()).stack(share)
    sizes = [extent(mask) for mask in stack.masks]
    assert np.allclose(sizes, min(1 / 1.2, 0.15 / share) * SIDE, atol=2)
    assert len(stack) == 3 and (stack.images > 0.49).all()  # no padding


def test_an_example_without_the_structure_shows_where_the_others_have_it() -> None:
    shape = (100, 100)
    image = np.zeros(shape, np.float32)
    image[70:80, 20:30] = 1
    empty = SupportExample(image, np.zeros(shape, np.uint16), complete=True)
    stack = ScaledExamples([example(shape, (70, 80), (20, 30)), empty], 1, Grid()).stack(0.2)
    assert (stack.images[1] > 0.5).sum() == pytest.approx((SIDE / 2) ** 2, rel=0.1)
    assert not stack.masks[1].any()


def test_a_scale_is_brought_to_the_grid_once() -> None:
    examples = ScaledExamples([example((100, 100), (40, 60), (40, 50))], 1, Grid())
    assert examples.stack(0.34) is examples.stack(0.34) and examples.stack() is examples.stack(None)
    assert examples.stack().masks.sum() < examples.stack(0.34).masks.sum()


@given(
    st.integers(20, 300), st.integers(20, 300), st.floats(0.3, 4), st.floats(0, 1), st.floats(0, 1), st.integers(1, 9)
)
def test_what_is_looked_at_closer_is_seen(rows, cols, spacing, across, down, size) -> None:
    row, col = (int(part * (count - size)) for part, count in ((down, rows), (across, cols)))
    box, shape, pixel = Box(row, row + size, col, col + size), (rows, cols), (spacing, 1.0)
    share = next((s for s in SHARES if s >= 1.2 * shown_share(box, shape, pixel)), None)
    if share is None:
        return
    frame = closer_frame(box, share, shape, pixel, SIDE)
    assert frame.covered.holds(box)
    seen = slice_box(Box(0, SIDE, 0, SIDE), frame)
    assert seen.holds(frame.covered)


def test_a_small_structure_of_a_large_picture_is_found_more_exactly() -> None:
    rng = np.random.default_rng(5)

    def picture(row, col):
        y, x = np.mgrid[:640, :640]
        angle = np.arctan2(y - row, x - col)
        inside = np.hypot(y - row, x - col) < 34 + 9 * np.cos(5 * angle)
        return (0.3 + 0.4 * inside + 0.04 * rng.standard_normal((640, 640))).clip(0, 1).astype(np.float32), inside

    support = SupportSet(
        tuple(
            SupportExample(image, mask.astype(np.uint16), complete=True)
            for image, mask in (picture(*place) for place in ((300, 330), (200, 420), (400, 250)))
        )
    )
    image, truth = picture(280, 380)
    model = load_model(device="cpu")

    def dice(closer):
        found = segment_images([image], support, model, closer=closer)[0] > 0
        return 2 * (found & truth).sum() / (found.sum() + truth.sum())

    once, twice = dice(False), dice(True)
    assert twice > 0.9 and twice > once + 0.02


def test_a_square_around_a_place_is_moved_into_the_slice() -> None:
    frame = SliceFrame.around((100, 50), (1.0, 1.0), (2.0, 49.0), 20.0, 32)
    assert frame.start_mm == (0.0, 30.0)
    assert SliceFrame.around((100, 50), (1.0, 1.0), (50.0, 25.0), 80.0, 32).start_mm == (10.0, -15.0)
