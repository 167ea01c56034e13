"""What each strategy shows the network, on the network's grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from UniverSegSlicerLib.imaging import Box
from UniverSegSlicerLib.segmentation import PropagationSettings
from UniverSegSlicerLib.segmentation.predictor import Meter, SupportStack
from UniverSegSlicerLib.segmentation.propagation.passes import smooth_along_slices
from UniverSegSlicerLib.segmentation.propagation.plain import cascade, independent
from UniverSegSlicerLib.segmentation.propagation.prior import prior_guided
from UniverSegSlicerLib.segmentation.propagation.task import LabelTask

SIZE = 64
PRIOR = 3


def disc(radius: float, row: float = 32, col: float = 32) -> np.ndarray:
    rows, cols = np.indices((SIZE, SIZE))
    return ((rows - row) ** 2 + (cols - col) ** 2 <= radius**2).astype(np.float32)


SHOWN = Box.whole((SIZE, SIZE))
NOTHING = np.zeros((SIZE, SIZE), np.float32)


def make_task(model, shapes: list[np.ndarray], marked: list[int], seen: list[np.ndarray] | None = None, **settings):
    """A task whose images are the shapes, at half brightness; ``seen`` are other images."""
    images = np.stack(seen or shapes) * 0.5
    marks = {n: shapes[n] for n in marked}
    places = np.array(marked, float)
    masks = np.stack([marks[n] for n in marked]) if marked else np.zeros((0, SIZE, SIZE), np.float32)
    support = SupportStack(model, images[marked], masks, places)
    wanted = np.setdiff1d(np.arange(len(shapes)), marked)
    return LabelTask(
        images, marks, wanted, support, PropagationSettings(**{"passes": 1, **settings}), Meter(None, None, 1), SHOWN
    )


def found_areas(result) -> list[int]:
    return (result.logits > 0).sum(axis=(1, 2)).tolist()


@pytest.mark.parametrize("strategy", [independent, cascade, prior_guided])
def test_all_find_what_is_there(model, overlap, strategy) -> None:
    shapes = [disc(6 + n) for n in range(12)]
    result = strategy(make_task(model, shapes, [3, 8]))
    for n, shape in enumerate(shapes):
        assert overlap(result.logits[n] > 0, shape > 0) > 0.95


def test_independent_shows_no_prior_and_encodes_a_shared_support_once(model) -> None:
    independent(make_task(model, [disc(9)] * 30, [5, 25]))
    assert model.encoded == [2]
    assert all(q.shape[1] == 1 for q in model.queries)


def test_nearest_examples_only(model) -> None:
    independent(make_task(model, [disc(9)] * 30, [0, 10, 20], support_size=1))
    assert model.encoded == [1, 1, 1]


def test_the_cascade_adds_accepted_slices_within_bounds(model) -> None:
    cascade(make_task(model, [disc(9)] * 9, [4], support_size=3))
    assert model.encoded[0] == 1
    assert max(model.encoded) == 3
    assert len(model.queries[0]) == 2  # the two slices beside the mark go together


def test_empty_predictions_do_not_join_the_cascade(model) -> None:
    shapes = [disc(9) if n < 5 else NOTHING for n in range(12)]
    cascade(make_task(model, shapes, [2]))
    assert max(model.encoded) <= 5


def test_the_prior_between_marks_is_the_interpolated_shape(model, overlap) -> None:
    prior_guided(make_task(model, [disc(4 + 2 * n) for n in range(7)], [0, 6]))
    between = model.queries[0]
    assert len(between) == 5
    for n, query in enumerate(between, 1):
        assert overlap(query[PRIOR] > 0.5, disc(4 + 2 * n) > 0) > 0.95
        assert not query[1].any() and not query[2].any()


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_the_shape_can_have_its_share(model, overlap, weight: float) -> None:
    """The image shows something else than the marks suggest; the share decides who is right."""
    shapes = [disc(10)] * 5
    seen = [disc(10), disc(7), disc(7), disc(7), disc(10)]
    result = prior_guided(make_task(model, shapes, [0, 4], seen, shape_weight=weight))
    area = found_areas(result)[2]
    small, large = (int(disc(radius).sum()) for radius in (7, 10))
    if weight == 0.5:
        assert small <= area < large
    else:
        assert area == pytest.approx(small if weight == 0 else large, rel=0.05)


def test_beyond_the_marks_the_prior_is_the_last_accepted_slice(model, overlap) -> None:
    prior_guided(make_task(model, [disc(20 - 2 * n) for n in range(8)], [0]))
    assert len(model.queries) == 7
    for n, query in enumerate(model.queries):
        assert overlap(query[0, PRIOR] > 0.5, disc(20 - 2 * n) > 0) > 0.95


def test_the_walk_ends_where_the_structure_ends(model) -> None:
    """Another structure of the same brightness farther away is not entered."""
    shapes = [disc(9) if n < 6 else NOTHING for n in range(20)]
    seen = [*shapes[:6], *[NOTHING] * 4, *[disc(9)] * 10]
    result = prior_guided(make_task(model, shapes, [2], seen))
    assert found_areas(result)[6:] == [0] * 14
    assert model.passes <= 8


def test_the_walk_ends_where_the_segmentation_jumps_away(model) -> None:
    shapes = [disc(5, 20, 20) if n < 5 else disc(5, 50, 50) for n in range(10)]
    areas = found_areas(prior_guided(make_task(model, shapes, [2])))
    assert all(areas[:5]) and not any(areas[5:])


def test_the_walk_ends_where_the_segmentation_leaks(model) -> None:
    """One slice merges with its bright surroundings: the prior of the stand-in lets it grow by three pixels."""
    shapes = [disc(4)] * 5 + [disc(30)] * 5
    areas = found_areas(prior_guided(make_task(model, shapes, [2])))
    assert all(areas[:5]) and not any(areas[5:])


def test_the_structure_ends_where_the_marks_let_expect_it(model) -> None:
    """The same brightness goes on for ever; the marks say how long the structure is, unless they are not asked."""
    shapes = [disc(5)] * 80
    ended = found_areas(prior_guided(make_task(model, shapes, [30, 36, 42], ending=1.0)))
    assert all(ended[26:46]) and not any(ended[:5]) and not any(ended[-5:])
    asked_less = found_areas(prior_guided(make_task(model, shapes, [30, 36, 42], ending=0.0)))
    assert all(asked_less)
    sparse = found_areas(prior_guided(make_task(model, shapes, [10, 36, 62], ending=1.0)))
    assert sum(map(bool, sparse)) > sum(map(bool, ended))


def test_more_marks_tell_better_how_large_the_structure_gets(model) -> None:
    shapes = [disc(6)] * 5 + [disc(6 + n) for n in range(1, 12)]
    one = found_areas(prior_guided(make_task(model, shapes, [2], ending=0.0)))
    many = found_areas(prior_guided(make_task(model, shapes, [0, 2, 4], ending=0.0)))
    assert sum(map(bool, one)) > sum(map(bool, many)) > 5


def test_slices_between_a_mark_and_an_empty_mark_are_walked(model) -> None:
    shapes = [disc(9) if n < 6 else NOTHING for n in range(12)]
    areas = found_areas(prior_guided(make_task(model, shapes, [2, 10])))
    assert all(areas[:6]) and not any(areas[6:])


def test_nothing_but_empty_marks_is_nothing(model) -> None:
    result = prior_guided(make_task(model, [NOTHING] * 6, [2, 4]))
    assert not any(found_areas(result)) and model.passes == 0


def test_a_second_pass_sees_the_first_answer(model) -> None:
    prior_guided(make_task(model, [disc(9)] * 7, [0, 6], passes=2))
    assert [len(q) for q in model.queries] == [5, 5]
    assert (model.queries[1][:, PRIOR] > 0.5).any()


@pytest.mark.parametrize("strategy", [independent, cascade, prior_guided])
def test_nothing_is_found_in_the_padding(model, strategy) -> None:
    task = make_task(model, [disc(9, 10, 32)] * 6, [2])
    task = replace(task, shown=Box(16, 48, 0, SIZE))
    result = strategy(task)
    unmarked = np.delete(result.logits, 2, axis=0) > 0
    assert not unmarked[:, :16].any() and unmarked[:, 16:].any()


def test_flips_are_undone(model, overlap) -> None:
    shapes = [disc(6, 32, 16)] * 5
    result = independent(make_task(model, shapes, [2], flips=True))
    assert overlap(result.logits[0] > 0, shapes[0] > 0) > 0.95
    assert model.encoded == [1, 1]
    mirrored = model.queries[1][0, 0]
    np.testing.assert_array_equal(mirrored, model.queries[0][0, 0, :, ::-1])


def test_disagreement_is_told_only_where_there_are_several_passes(model) -> None:
    assert independent(make_task(model, [disc(9)] * 5, [2])).spread is None
    several = independent(make_task(model, [disc(9)] * 5, [1, 3], ensemble=3))
    assert several.spread is not None and several.spread.shape == several.logits.shape


def test_smoothing_along_slices_closes_a_gap_and_spares_the_rest() -> None:
    logits = np.full((9, 4, 4), 5.0, np.float32)
    logits[4] = -2
    logits[0, 0, 0] = -30
    smooth = smooth_along_slices(logits, 1.0)
    assert (smooth[4] > 0).all()
    assert smooth[8] == pytest.approx(5.0)
    assert smooth[2, 0, 0] > 0
