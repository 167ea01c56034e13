"""The marks judge the evidence: what foretells the inner marks best has the most say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.segmentation import PropagationSettings, propagate
from UniverSegSlicerLib.segmentation.propagation.guided import following
from UniverSegSlicerLib.segmentation.propagation.guided.ending import Ending
from UniverSegSlicerLib.segmentation.propagation.guided.evidence import Mark
from UniverSegSlicerLib.segmentation.propagation.guided.fusion import Place
from UniverSegSlicerLib.segmentation.propagation.guided.judging import Verdict, plain_shapes


def _disc(radius: float, row: float = 32, col: float = 32, size: int = 64) -> np.ndarray:
    rows, cols = np.indices((size, size))
    return np.hypot(rows - row, cols - col) <= radius


def _mark(index: int, mask: np.ndarray) -> Mark:
    return Mark.of(index, np.zeros(mask.shape, np.float32), mask.astype(np.float32))


class _Wrong:
    """A network that is sure of the opposite of what it is shown, and notes its examples."""

    name, device, query_channels, resolution = "wrong", "cpu", 4, 128

    def __init__(self) -> None:
        self.places: list[int] = []

    def encode_support(self, images: np.ndarray, labels: np.ndarray) -> Any:
        self.places.append(len(images))
        return labels

    def predict(self, queries: np.ndarray, support: Any, **_: Any) -> np.ndarray:
        return np.where(queries[:, 3:4] > 0.5, -9.0, 9.0).astype(np.float32)


def _cylinder_that_narrows(noise: float = 1.0) -> tuple[Volume, np.ndarray]:
    """Invisible in noise: its sections are all that foretells it."""
    truth = np.stack([_disc(24 - n / 4, size=96) if 2 <= n < 34 else _disc(-1, size=96) for n in range(40)])
    image = np.random.default_rng(0).normal(0, noise, truth.shape).astype(np.float32)
    return Volume(image, Geometry((96, 96, 40))), truth


def test_with_a_network_that_is_wrong_the_result_is_that_of_interpolation(overlap) -> None:
    """Five marks tell; with two, nothing can be held back."""
    volume, truth = _cylinder_that_narrows()
    marks = np.zeros(truth.shape, np.uint8)
    rows = [5, 11, 18, 24, 30]
    marks[rows] = truth[rows]
    found = propagate(volume, marks, model=_Wrong()).labels == 1
    inner = [n for n in range(6, 30) if n not in rows]
    assert overlap(found[inner], truth[inner]) > 0.97


def test_a_mark_that_is_held_back_is_kept_from_the_network() -> None:
    """Or it would be judged by its own mask."""
    volume, truth = _cylinder_that_narrows()
    marks = np.zeros(truth.shape, np.uint8)
    marks[[5, 18, 30]] = truth[[5, 18, 30]]
    model = _Wrong()
    propagate(volume, marks, model=model, settings=PropagationSettings(margin=0.5))
    assert sorted(set(model.places)) == [2, 3]


def test_the_judge_hears_the_marks_and_the_answer_follows(monkeypatch, overlap) -> None:
    """The same run with a verdict for the copy alone is a copy."""
    volume, truth = _cylinder_that_narrows()
    marks = np.zeros(truth.shape, np.uint8)
    marks[[6, 16, 26]] = truth[[6, 16, 26]]
    monkeypatch.setattr(following, "judge", lambda *_: Verdict(0.0, 0.0, 1.0))
    found = propagate(volume, marks, model=_Wrong(), settings=PropagationSettings(smooth=0)).labels == 1
    for n, source in ((10, 6), (13, 16), (20, 16), (22, 26)):
        assert overlap(found[n], truth[source]) > 0.98


def test_errors_decide_the_more_so_the_more_marks_say_it() -> None:
    assert Verdict.of([1, 1, 1], 0) == Verdict()
    few, many = Verdict.of([0.2, 0.1, 0.3], 1), Verdict.of([0.2, 0.1, 0.3], 8)
    assert few.interpolated < many.interpolated and many.interpolated > 0.5 > many.copied
    assert Verdict.of([0.1, 0.1, 0.3], 8).interpolated > Verdict.of([0.6, 0.6, 0.9], 8).interpolated, (
        "an interpolated shape gains most from the smaller gap, where errors are small"
    )
    assert Verdict.of([1, 1, 1], 8).weighed > 0.6, "where nothing foretells anything, the weighed evidence stands"
    assert Verdict.of([0.0, 0.0, 0.0], 8).weighed < 1
    for verdict in (few, many):
        assert verdict.weighed + verdict.interpolated + verdict.copied == pytest.approx(1)


def test_plain_shapes_lie_between_two_marks_and_are_that_of_a_single_one() -> None:
    left, right = _mark(2, _disc(8)), _mark(6, _disc(16))
    between, copied = plain_shapes([left, right], np.array([3, 4, 5]))
    assert np.allclose(copied, np.stack([left.distance, left.distance, right.distance]))
    radii = [np.sqrt((d > 0).sum() / np.pi) for d in between]
    assert radii == pytest.approx([10, 12, 14], abs=0.5)
    alone, same = plain_shapes([right], np.array([7, 8]))
    assert np.array_equal(alone, same) and np.array_equal(alone[1], right.distance)


def test_beyond_evenly_spread_marks_a_copy_reaches_half_a_gap() -> None:
    mark = _mark(10, _disc(12))
    ending = Ending(3.0, False, np.inf, even=1.0, half_gap=3)
    rows = np.array([11, 13, 14])
    place = Place.of(rows, [mark], ending)
    nothing = np.full((3, 64, 64), -5.0, np.float32)
    answer = Verdict(0.1, 0.9, 0.0).settle(nothing, [mark], rows, place) > 0
    assert np.array_equal(answer[0], mark.distance > 0) and np.array_equal(answer[1], mark.distance > 0)
    assert not answer[2].any()
    for other in (replace(ending, even=0.0), None):
        place = Place.of(rows, [mark], other or ending)
        settled = Verdict(0.1, 0.9, 0.0).settle(nothing, [mark], rows, place, 1.0 if other else 0.0)
        assert np.allclose(settled, nothing), "not where marks say nothing about the end, or are not to be asked"


def _evenness(*rows: int, width: float = 30.0) -> float:
    return Ending.expected_beyond([_mark(n, _disc(width / 2)) for n in rows], _mark(rows[-1], _disc(width / 2)), 1).even


def test_marks_are_spread_evenly_where_gaps_are_alike_and_the_structure_is_covered() -> None:
    assert _evenness(10, 30, 50) == pytest.approx(1) and _evenness(10, 30, 49, 69) > 0.95, "but for rounding"
    assert _evenness(10, 20, 50) == 0, "gaps of 10 and 30"
    assert _evenness(10, 50) == 0, "one gap is like itself"
    assert _evenness(10, 15, 20) == 0, "a third of the structure's width: all at one end"
    assert _evenness(*range(10, 60)) == 0, "every slice"
    assert 0 < _evenness(10, 22, 34) < 1


def test_a_flat_structure_is_spanned_by_marks_on_which_it_narrows() -> None:
    """A lobule of the cerebellum that ends at the midline: wider than long, and what is like it goes on behind it."""

    def beyond(*areas: float) -> Ending:
        marks = [_mark(10 + 4 * n, _disc(np.sqrt(area / np.pi))) for n, area in enumerate(areas)]
        return Ending.expected_beyond(marks, marks[-1], 1)

    flat = beyond(300, 700, 150)
    assert not flat.guessed and flat.even > 0.5 and flat.expected < 5
    for open_end in (beyond(150, 700, 650), beyond(650, 700, 150), beyond(700, 690, 700)):
        assert open_end.guessed and open_end.even == 0, "narrow on one side only: it may go on at the other"


def test_evenly_marked_structures_end_although_the_image_goes_on(overlap) -> None:
    """A level of a cord, or a vertebra: nothing in the image tells it from the next one."""
    count = 80
    body = np.stack([_disc(11, 48, 48, 96)] * count)
    truth = body.copy()
    truth[:20], truth[56:] = False, False
    image = np.clip(0.3 + 0.3 * body + np.random.default_rng(1).normal(0, 0.02, body.shape), 0, 1).astype(np.float32)
    marks = np.zeros(truth.shape, np.uint8)
    rows = [26, 38, 50]
    marks[rows] = truth[rows]
    volume = Volume(image, Geometry((96, 96, count)))
    found = propagate(volume, marks, model=_Agrees()).labels == 1
    present = np.flatnonzero(found.any(axis=(1, 2)))
    assert abs(present[0] - 20) <= 4 and abs(present[-1] - 55) <= 4
    left = propagate(volume, marks, model=_Agrees(), settings=PropagationSettings(ending=0)).labels == 1
    assert np.count_nonzero(left) > 1.5 * np.count_nonzero(found), "without a word of the marks, the image decides"


class _Agrees(_Wrong):
    """A network that confirms the prior."""

    def predict(self, queries: np.ndarray, support: Any, **_: Any) -> np.ndarray:
        return np.where(queries[:, 3:4] > 0.5, 4.0, -4.0).astype(np.float32)


def test_levels_of_a_cord_end_where_the_next_one_is_marked(overlap) -> None:
    """Marked together, each is bounded by its neighbours; the image shows one long body."""
    count = 64
    body = np.stack([_disc(11, 48, 48, 96)] * count)
    truth = np.zeros(body.shape, np.uint8)
    for value, (first, stop) in enumerate(((4, 20), (20, 44), (44, 60)), 1):
        truth[first:stop] = value * body[first:stop]
    image = np.clip(0.3 + 0.3 * body + np.random.default_rng(1).normal(0, 0.02, body.shape), 0, 1).astype(np.float32)
    marks = np.zeros_like(truth)
    rows = [8, 16, 24, 40, 48, 56]
    marks[rows] = truth[rows]
    volume = Volume(image, Geometry((96, 96, count)))
    together = propagate(volume, marks, model=_Agrees()).labels
    # The outer two have one end at which nothing else is marked.
    for value, least in ((1, 0.8), (2, 0.9), (3, 0.8)):
        alone = propagate(volume, marks * (marks == value), model=_Agrees()).labels
        assert overlap(together == value, truth == value) > least
        assert overlap(together == value, truth == value) > overlap(alone == value, truth == value)
