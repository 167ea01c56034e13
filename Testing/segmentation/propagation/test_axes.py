"""Agreement of the three axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from UniverSegSlicerLib.errors import Cancelled, InputError
from UniverSegSlicerLib.imaging import AXES, Geometry, SliceFrame, Volume, slice_spacing, slice_stack
from UniverSegSlicerLib.progress import CancelToken
from UniverSegSlicerLib.segmentation import Propagation, PropagationSettings, SupportSet, correct_neighbours, propagate
from UniverSegSlicerLib.segmentation.propagation.axes import _Field, _mean, _without_gaps
from UniverSegSlicerLib.segmentation.propagation.compose import LabelResult
from UniverSegSlicerLib.segmentation.propagation.task import LabelLogits

THREE = PropagationSettings(axes=3)


@pytest.fixture(scope="module")
def phantom(phantom_of: Callable[..., Any]) -> Any:
    """The phantom of the other tests in half as many pixels per side of a slice: three axes are many slices."""
    return phantom_of((24, 30, 35))


@dataclass(frozen=True)
class Ball:
    """A ball in noise, and marks that cut it in two slices along an axis."""

    volume: Volume
    truth: np.ndarray
    marks: np.ndarray
    marked: tuple[int, ...]


def ball(axis: str = "k", spacing: tuple[float, float, float] = (1, 1, 1), noise: float = 50.0) -> Ball:
    """A ball of 15 mm in a volume of 26 x 24 x 22 mm along I, J, K, its brightness 500; ``spacing`` along I, J, K."""
    size, steps = (22.0, 24.0, 26.0), spacing[::-1]
    shape = tuple(round(mm / step) for mm, step in zip(size, steps, strict=True))
    places = [(n + 0.5) * step - mm / 2 for n, step, mm in zip(np.indices(shape), steps, size, strict=True)]
    truth = np.linalg.norm(places, axis=0) < 7.5
    array = 500.0 * truth + np.random.default_rng(1).normal(0, noise, shape)
    stack = slice_stack(truth, axis)
    present = np.flatnonzero(stack.any(axis=(1, 2)))
    marked = tuple(int(present[round(len(present) * share)]) for share in (0.3, 0.7))
    marks = np.zeros(shape, np.uint16)
    slice_stack(marks, axis)[list(marked)] = stack[list(marked)]
    return Ball(Volume(array.astype(np.float32), Geometry(shape[::-1], spacing)), truth, marks, marked)


def run(scene: Ball, model: Any, axes: int, strategy: Any = "auto") -> Propagation:
    settings = PropagationSettings(strategy, axes=axes)
    return propagate(scene.volume, scene.marks, model=model, settings=settings)


@pytest.mark.parametrize("axis", AXES)
def test_a_ball_in_noise_is_found_better(model, overlap, axis: str) -> None:
    scene = ball(axis, noise=330.0)
    one, three = (overlap(run(scene, model, axes).labels > 0, scene.truth) for axes in (1, 3))
    assert three > one + 0.005 and one > 0.9


def test_axis_marks_and_suggestions_remain_those_of_the_marked_axis(model) -> None:
    scene = ball("i")
    one, three = (run(scene, model, axes) for axes in (1, 3))
    assert (three.axis, three.marked) == (one.axis, one.marked) == ("i", scene.marked)
    assert three.next_slices and not {s.index for s in three.next_slices} & set(scene.marked)
    assert abs(three.next_slices[0].index - one.next_slices[0].index) <= 2
    assert three.confidence.dtype == np.float32 and 0 <= three.confidence.min() <= three.confidence.max() <= 1
    assert three.confidence.mean() < one.confidence.mean(), "axes that disagree make it less certain"


@pytest.mark.parametrize("spacing", [(1, 1, 3), (2.5, 1, 1), (0.6, 0.8, 1.6)])
def test_a_ball_is_round_along_every_axis(model, overlap, spacing) -> None:
    """Whatever the shape of the voxels, the network sees circles."""
    scene = ball("k", spacing, noise=0.0)
    assert overlap(run(scene, model, 3).labels > 0, scene.truth) > 0.95
    images = np.concatenate(model.queries)[:, 0] > 0.5
    heights, widths = images.any(axis=2).sum(axis=1), images.any(axis=1).sum(axis=1)
    large = np.sqrt(heights * widths) > 0.8 * np.sqrt(heights * widths).max()
    assert large.sum() >= 10
    np.testing.assert_allclose(heights[large], widths[large], rtol=0.3)


def test_an_oblique_grid_plays_no_part(model) -> None:
    scene = ball()
    turned = Geometry(scene.volume.geometry.size, (1, 1, 1), (5, 6, 7), (0.6, 0.8, 0, -0.8, 0.6, 0, 0, 0, -1))
    oblique = propagate(
        Volume(scene.volume.array, turned), scene.marks, model=model, settings=PropagationSettings("prior", axes=3)
    )
    np.testing.assert_array_equal(oblique.labels, run(scene, model, 3, "prior").labels)


@pytest.mark.parametrize("strategy", ["independent", "cascade", "prior", "guided"])
def test_marked_slices_come_back_bit_for_bit(phantom, model, strategy: str) -> None:
    marks = phantom.marks([8, 13])
    marks[8, ::7, ::5] = 2  # something that no network would draw
    settings = PropagationSettings(strategy=strategy, axes=3)
    result = propagate(phantom.volume, marks, model=model, settings=settings)
    np.testing.assert_array_equal(result.labels[[8, 13]], marks[[8, 13]])
    assert (result.confidence[[8, 13]] == 1).all()


@pytest.mark.parametrize("strategy", ["independent", "cascade", "prior"])
def test_every_strategy_spreads_along_every_axis(phantom, model, overlap, strategy: str) -> None:
    settings = PropagationSettings(strategy=strategy, axes=3)
    result = propagate(phantom.volume, phantom.marks([6, 12, 17]), model=model, settings=settings)
    for value in (1, 2):
        assert overlap(result.labels == value, phantom.truth == value) > 0.9


def test_the_real_network_runs_through(phantom_of, tiny_model) -> None:
    phantom = phantom_of((12, 18, 20))
    settings = PropagationSettings(axes=3, ensemble=2, flips=True, detail=2)
    result = propagate(phantom.volume, phantom.marks([4, 8]), model=tiny_model, settings=settings)
    assert set(np.unique(result.labels)) <= {0, 1, 2}
    np.testing.assert_array_equal(result.labels[[4, 8]], phantom.truth[[4, 8]])
    assert np.isfinite(result.confidence).all() and 0 <= result.confidence.min() <= result.confidence.max() <= 1


def test_labels_with_marks_of_their_own_do_not_overlap(phantom, model, overlap) -> None:
    marks = np.zeros_like(phantom.truth)
    marks[[7, 16]] = np.where(phantom.truth[[7, 16]] == 1, 1, 0)
    marks[[10, 13]] = np.where(phantom.truth[[10, 13]] == 2, 2, 0)
    result = propagate(phantom.volume, marks, model=model, settings=THREE)
    assert result.labels.dtype == np.uint16 and set(np.unique(result.labels)) == {0, 1, 2}
    np.testing.assert_array_equal(result.labels[[7, 10, 13, 16]], marks[[7, 10, 13, 16]])
    rest = np.setdiff1d(np.arange(24), [7, 10, 13, 16])
    for value in (1, 2):
        assert overlap((result.labels == value)[rest], (phantom.truth == value)[rest]) > 0.8


def test_a_slice_with_only_other_labels_is_no_hole_in_the_structure() -> None:
    stack = np.zeros((5, 4, 4), np.uint16)
    stack[1:4] = 1
    stack[2] = 0
    stack[2, 0] = 2
    found = _without_gaps(stack, 1, [2, 9, -1])
    assert found[2, 1:].all() and not found[2, 0].any()
    np.testing.assert_array_equal(found[[0, 1, 3, 4]], stack[[0, 1, 3, 4]] == 1)
    assert not _without_gaps(stack, 1, range(5))[2].any()


def test_a_support_set_alone_is_enough(phantom, phantom_of, model, overlap) -> None:
    support = SupportSet.from_volume(phantom.volume, phantom.marks([8, 12, 16]))
    other = phantom_of((20, 45, 40), (1.4, 1.4, 2))
    result = propagate(other.volume, None, model=model, support=support, settings=THREE)
    assert (result.axis, result.marked) == ("k", ())
    for value in (1, 2):
        assert overlap(result.labels == value, other.truth == value) > 0.85


def test_a_structure_on_as_few_slices_as_marks_stays_as_it_is(phantom_of, model) -> None:
    phantom = phantom_of((6, 6, 6), (1, 1, 1))
    one, three = (
        propagate(phantom.volume, phantom.marks([2], values=(1,)), model=model, settings=PropagationSettings(axes=n))
        for n in (1, 3)
    )
    assert one.labels.any()
    np.testing.assert_array_equal(one.labels, three.labels)
    np.testing.assert_array_equal(one.confidence, three.confidence)


@pytest.mark.parametrize("shape", [(12, 3, 30), (1, 20, 20), (20, 20, 1)])
def test_thin_volumes_are_ordinary_input(phantom_of, model, shape) -> None:
    phantom = phantom_of(shape, (1, 1, 1))
    middle = shape[0] // 2
    marks = phantom.marks([middle], values=(1,))
    result = propagate(phantom.volume, marks, model=model, axis="k", settings=THREE)
    np.testing.assert_array_equal(result.labels[middle], marks[middle])
    assert np.isfinite(result.confidence).all()


def test_nothing_found_stays_nothing(phantom, model) -> None:
    support = SupportSet.from_volume(phantom.volume, phantom.marks([12]))
    empty = Volume(np.zeros(phantom.truth.shape, np.float32), phantom.volume.geometry)
    assert not propagate(empty, None, model=model, support=support, settings=THREE).labels.any()


def test_the_range_bounds_what_is_predicted(phantom, model, overlap) -> None:
    settings = PropagationSettings(axes=3, slice_range=(8, 15))
    result = propagate(phantom.volume, phantom.marks([12, 20]), model=model, settings=settings)
    assert np.flatnonzero(result.labels.any(axis=(1, 2))).tolist() == [8, 9, 10, 11, 12, 13, 14, 20]
    assert overlap(result.labels[8:15] > 0, phantom.truth[8:15] > 0) > 0.9


def test_disagreement_is_part_of_the_spread() -> None:
    frame = SliceFrame.fit((8, 8), (1.0, 1.0), size=8)
    first = LabelResult(1, frame, LabelLogits(np.full((2, 8, 8), 4, np.float16)))
    same, other = np.full((2, 8, 8), 4, np.float16), np.full((2, 8, 8), -4, np.float16)
    for views, logit, disagreement in (([same, same], 4.0, 0.0), ([same, other], 2.0, 0.4), ([other], 0.0, 0.45)):
        mean = _mean(first, slice(0, 2), views)
        np.testing.assert_allclose(mean.found.logits, logit)
        assert mean.found.spread.min() >= disagreement and mean.found.spread.max() <= disagreement + 0.05
    partly = _mean(first, slice(1, 2), [other[:1], other[:1]])
    assert (partly.found.logits[0] == 4).all() and (partly.found.logits[1] == 0).all()


def test_certain_background_is_not_outvoted() -> None:
    frame = SliceFrame.fit((8, 8), (1.0, 1.0), size=8)
    first = LabelResult(1, frame, LabelLogits(np.full((1, 8, 8), -30, np.float16)))
    mean = _mean(first, slice(0, 1), [np.full((1, 8, 8), 8, np.float16)] * 2)
    assert not (mean.found.logits > 0).any()


@pytest.mark.parametrize(("axis", "across"), [("k", "j"), ("k", "i"), ("i", "k"), ("j", "i")])
def test_logits_find_their_place_along_another_axis(axis: str, across: str) -> None:
    """A function that is linear in space is the same along either axis."""
    shape, spacing = (20, 24, 28), (1.0, 2.0, 3.0)
    values = np.tensordot([0.2, -0.1, 0.15], np.indices(shape) - 12.0, 1)
    fields = []
    for one in (axis, across):
        stack = slice_stack(values, one)
        pixels = slice_spacing(Geometry(shape[::-1], spacing), one)
        frame = SliceFrame.fit(stack.shape[1:], pixels, size=64)
        logits = np.stack([frame.to_network((plane + 8) / 16) * 16 - 8 for plane in stack]).astype(np.float16)
        fields.append(_Field.of(LabelResult(1, frame, LabelLogits(logits)), one, slice(0, len(stack))))
    there, here = fields
    moved = here.at(there.lines).astype(float)
    assert moved.shape == there.logits.shape
    ends = zip(there.lines, shape, strict=True)
    inside = np.ix_(*[np.flatnonzero((line.places > 2) & (line.places < count - 3)) for line, count in ends])
    np.testing.assert_allclose(moved[inside], there.logits.astype(float)[inside], atol=0.06)


def test_progress_rises_to_the_end(phantom, model) -> None:
    told: list[float] = []
    settings = PropagationSettings(axes=3, ensemble=2, passes=2)
    marks = phantom.marks([7, 12])
    propagate(phantom.volume, marks, model=model, settings=settings, progress=lambda share, _: told.append(share))
    assert told == sorted(told)
    assert 0 < told[0] < 0.3 and told[-1] == 1
    assert sum(0.95 / 3 < share < 0.94 for share in told) > 4


@pytest.mark.parametrize(("share", "strategy"), [(0.1, "cascade"), (0.4, "guided"), (0.7, "cascade")])
def test_cancelling_stops_along_every_axis(model, share: float, strategy: str) -> None:
    cancel = CancelToken()
    passes: list[int] = []

    def progress(done: float, message: str) -> None:
        passes.append(model.passes)
        if done > share:
            cancel.cancel()

    scene = ball()
    with pytest.raises(Cancelled):
        settings = PropagationSettings(strategy, axes=3)
        propagate(scene.volume, scene.marks, model=model, settings=settings, progress=progress, cancel=cancel)
    assert model.passes == passes[-1]


def test_a_correction_looks_along_its_own_axis(model) -> None:
    scene = ball()
    labels = run(scene, model, 1, "cascade").labels
    one, three = (
        correct_neighbours(scene.volume, labels, "k", 11, model=model, settings=PropagationSettings("cascade", axes=n))
        for n in (1, 3)
    )
    np.testing.assert_array_equal(one.labels, three.labels)


@pytest.mark.parametrize("wrong", [0, 2, 4, -3, "3", None])
def test_other_numbers_of_axes_are_refused(wrong: object) -> None:
    with pytest.raises(InputError, match=r"axes is .*expected 1 .* or 3"):
        PropagationSettings(axes=wrong)


def test_off_by_default() -> None:
    assert PropagationSettings().axes == 1
