"""From marked slices to a volume: what must hold for every strategy."""

from __future__ import annotations

import numpy as np
import pytest

from UniverSegSlicerLib.errors import Cancelled, GeometryError, InputError
from UniverSegSlicerLib.imaging import AXES, Geometry, IntensityWindow, Volume, slice_stack
from UniverSegSlicerLib.progress import CancelToken
from UniverSegSlicerLib.segmentation import PropagationSettings, SupportSet, propagate

STRATEGIES = ["independent", "cascade", "prior", "guided"]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("axis", AXES)
def test_both_structures_are_found_along_every_axis(phantom, model, overlap, strategy: str, axis: str) -> None:
    present = np.flatnonzero(slice_stack(phantom.truth, axis).any(axis=(1, 2)))
    indices = [int(present[round(len(present) * share)]) for share in (0.2, 0.5, 0.8)]
    marks = phantom.marks(indices, 2 - AXES.index(axis))
    result = propagate(phantom.volume, marks, model=model, settings=PropagationSettings(strategy=strategy))
    assert (result.axis, list(result.marked), result.strategy) == (axis, indices, strategy)
    assert result.labels.shape == phantom.truth.shape and result.labels.dtype == np.uint16
    for value in (1, 2):
        assert overlap(result.labels == value, phantom.truth == value) > 0.9
    assert (result.model, result.device) == ("brightness", "cpu") and result.seconds > 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_marked_slices_come_back_bit_for_bit(phantom, model, strategy: str) -> None:
    marks = phantom.marks([8, 13])
    marks[8, ::7, ::5] = 2  # something that no network would draw
    result = propagate(phantom.volume, marks, model=model, settings=PropagationSettings(strategy=strategy))
    np.testing.assert_array_equal(result.labels[[8, 13]], marks[[8, 13]])
    assert (result.confidence[[8, 13]] == 1).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_marked_slices_are_predicted_on_request(phantom, model, overlap, strategy: str) -> None:
    marks = phantom.marks([8, 13])
    marks[8, 1:3, 1:3] = 2
    settings = PropagationSettings(strategy=strategy, keep_marked=False)
    result = propagate(phantom.volume, marks, model=model, settings=settings)
    assert (result.labels[8] != marks[8]).any()
    assert overlap(result.labels[13] > 0, marks[13] > 0) > 0.9


def test_other_labels_are_ignored(phantom, model) -> None:
    marks = phantom.marks([8, 13])
    marks[20, 5:9, 5:9] = 7
    result = propagate(phantom.volume, marks, model=model, label_values=[2])
    assert set(np.unique(result.labels)) == {0, 2}
    assert result.marked == (8, 13)
    np.testing.assert_array_equal(result.labels[8] == 2, phantom.truth[8] == 2)


def test_one_label_does_not_need_the_other(phantom, model) -> None:
    """Each label has its own marked slices; a slice with only the other one does not say that it is absent."""
    marks = np.zeros_like(phantom.truth)
    marks[[7, 16]] = np.where(phantom.truth[[7, 16]] == 1, 1, 0)
    marks[[10, 13]] = np.where(phantom.truth[[10, 13]] == 2, 2, 0)
    result = propagate(phantom.volume, marks, model=model)
    assert result.marked == (7, 10, 13, 16)
    for z in (8, 11, 14):
        assert (result.labels[z] == 1).any() and (result.labels[z] == 2).any()
    np.testing.assert_array_equal(result.labels[[7, 10, 13, 16]], marks[[7, 10, 13, 16]])


@pytest.mark.parametrize("strategy", ["prior", "cascade", "guided"])
def test_an_empty_marked_slice_ends_the_structure(phantom, model, strategy: str) -> None:
    """The volume shows the structure everywhere, but a person marked that it is not there."""
    array = np.repeat(phantom.volume.array[12:13], 24, axis=0)
    volume = Volume(array, phantom.volume.geometry)
    marks = np.zeros_like(phantom.truth)
    marks[8] = np.where(phantom.truth[12] == 1, 1, 0)
    settings = PropagationSettings(strategy=strategy)
    result = propagate(volume, marks, model=model, axis="k", marked_indices=[8, 16], settings=settings)
    assert result.marked == (8, 16)
    assert not result.labels[16].any()
    assert result.labels[12].any()
    if strategy in ("prior", "guided"):
        assert not result.labels[17:].any()


def test_the_range_bounds_what_is_predicted(phantom, model) -> None:
    marks = phantom.marks([12])
    settings = PropagationSettings(slice_range=(9, 15))
    result = propagate(phantom.volume, marks, model=model, settings=settings)
    found = np.flatnonzero(result.labels.any(axis=(1, 2)))
    assert found.tolist() == [9, 10, 11, 12, 13, 14]
    with pytest.raises(InputError, match="slices 9 to 24 are not all in the volume, whose slices are 0 to 23"):
        propagate(phantom.volume, marks, model=model, settings=PropagationSettings(slice_range=(9, 25)))


def test_a_support_set_alone_is_enough(phantom, phantom_of, model, overlap) -> None:
    support = SupportSet.from_volume(phantom.volume, phantom.marks([8, 12, 16]))
    other = phantom_of((20, 90, 80), (0.7, 0.7, 2))
    for strategy in STRATEGIES:
        settings = PropagationSettings(strategy=strategy)
        result = propagate(other.volume, None, model=model, support=support, settings=settings)
        assert (result.axis, result.marked) == ("k", ())
        for value in (1, 2):
            assert overlap(result.labels == value, other.truth == value) > 0.85
    empty = propagate(other.volume, np.zeros_like(other.truth), model=model, support=support)
    assert empty.labels.any()


def test_a_support_set_adds_the_labels_that_are_not_marked(phantom, model, overlap) -> None:
    support = SupportSet.from_volume(phantom.volume, phantom.marks([8, 12, 16], values=(2,)))
    result = propagate(phantom.volume, phantom.marks([10], values=(1,)), model=model, support=support)
    unmarked = np.arange(24) != 10
    assert overlap((result.labels == 2)[unmarked], (phantom.truth == 2)[unmarked]) > 0.85


def test_a_support_set_along_another_axis_gives_the_axis(phantom, model) -> None:
    support = SupportSet.from_volume(phantom.volume, phantom.marks([28], axis=2))
    assert propagate(phantom.volume, None, model=model, support=support).axis == "i"


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("choice", ["nearest", "random", "all"])
def test_a_seed_fixes_the_result(phantom, model, strategy: str, choice: str) -> None:
    settings = PropagationSettings(strategy=strategy, choice=choice, support_size=2, ensemble=2, seed=5)
    marks = phantom.marks([8, 12, 16])
    first, second = (propagate(phantom.volume, marks, model=model, settings=settings) for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.confidence, second.confidence)
    assert first.next_slices == second.next_slices


def test_nothing_that_is_passed_in_changes(phantom, model) -> None:
    array, marks = phantom.volume.array.copy(), phantom.marks([8, 13])
    before = marks.copy()
    propagate(Volume(array, phantom.volume.geometry), marks, model=model)
    np.testing.assert_array_equal(array, phantom.volume.array)
    np.testing.assert_array_equal(marks, before)


def test_confidence_is_low_where_the_picture_is_doubtful(phantom, model) -> None:
    array = phantom.volume.array.copy()
    array[10, 20:34, 20:36] = 660  # hard to tell from a structure of 500
    marks = phantom.marks([6, 14, 18], values=(1,))
    settings = PropagationSettings(shape_weight=0.0, smooth=0.0, passes=1)
    result = propagate(Volume(array, phantom.volume.geometry), marks, model=model, settings=settings)
    assert result.confidence.dtype == np.float32
    assert result.confidence.min() >= 0 and result.confidence.max() <= 1
    assert result.confidence[10].mean() < result.confidence[[8, 9, 11, 12]].mean()
    assert result.next_slices[0].index in (9, 10, 11)


def test_disagreement_between_draws_lowers_the_confidence(phantom, model) -> None:
    marks = phantom.marks([7, 12, 17], values=(1,))
    array = phantom.volume.array.copy()
    array[7] += 150  # one example looks different, so the draws disagree
    volume = Volume(array, phantom.volume.geometry)
    plain, drawn = (
        propagate(volume, marks, model=model, settings=PropagationSettings("independent", "all", ensemble=n))
        for n in (1, 6)
    )
    assert drawn.confidence.mean() < plain.confidence.mean()


def test_confidence_can_be_left_out(phantom, model) -> None:
    result = propagate(phantom.volume, phantom.marks([8]), model=model, confidence=False)
    assert result.confidence is None and result.next_slices


def test_the_window_can_be_given(phantom, model) -> None:
    propagate(phantom.volume, phantom.marks([12]), model=model, window=IntensityWindow(-1e6, 1e6))
    seen = np.concatenate([q[:, 0].ravel() for q in model.queries])
    assert np.abs(seen[seen > 0] - 0.5).max() < 0.01  # 0 is padding


def test_a_model_without_a_prior_plane(phantom, make_model, overlap) -> None:
    model = make_model(query_channels=1)
    marks = phantom.marks([8, 13])
    with pytest.raises(InputError, match="'prior' needs a model with a prior plane"):
        propagate(phantom.volume, marks, model=model, settings=PropagationSettings(strategy="prior"))
    result = propagate(phantom.volume, marks, model=model)
    assert result.strategy == "guided"
    assert overlap(result.labels == 1, phantom.truth == 1) > 0.9


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_real_network_runs_through(phantom_of, tiny_model, strategy: str) -> None:
    phantom = phantom_of((6, 40, 40))
    settings = PropagationSettings(strategy=strategy, ensemble=2, flips=True, passes=2, detail=2, smooth=0.7)
    result = propagate(phantom.volume, phantom.marks([2, 4]), model=tiny_model, settings=settings)
    assert set(np.unique(result.labels)) <= {0, 1, 2}
    np.testing.assert_array_equal(result.labels[[2, 4]], phantom.truth[[2, 4]])


def test_what_cannot_be_done_is_said(phantom, model) -> None:
    marks = phantom.marks([8, 13])
    with pytest.raises(GeometryError, match="one grid"):
        propagate(phantom.volume, marks[1:], model=model)
    with pytest.raises(InputError, match="no slice is marked"):
        propagate(phantom.volume, np.zeros_like(marks), model=model)
    with pytest.raises(InputError, match="no slice is marked"):
        propagate(phantom.volume, None, model=model)
    with pytest.raises(InputError, match="label 9 is absent; marks and support set hold 1, 2"):
        propagate(phantom.volume, marks, model=model, label_values=[1, 9])
    with pytest.raises(InputError, match="no label was asked for"):
        propagate(phantom.volume, marks, model=model, label_values=[])
    with pytest.raises(InputError, match="not a label map"):
        propagate(phantom.volume, marks - 0.5, model=model)
    with pytest.raises(InputError, match="axis 'z'"):
        propagate(phantom.volume, marks, model=model, axis="z")
    with pytest.raises(InputError, match="24 are not all slices of the volume, which has k:0 to k:23"):
        propagate(phantom.volume, marks, model=model, axis="k", marked_indices=[24])
    with pytest.raises(InputError, match="marked slices are named, and there are no marks on them"):
        support = SupportSet.from_volume(phantom.volume, marks)
        propagate(phantom.volume, None, model=model, support=support, marked_indices=[3])
    with pytest.raises(InputError, match="no finite value"):
        nothing = Volume(np.full(marks.shape, np.nan), phantom.volume.geometry)
        propagate(nothing, marks, model=model)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_cancelling_stops_within_a_chunk(phantom_of, model, strategy: str) -> None:
    phantom = phantom_of((200, 20, 20))
    cancel = CancelToken()
    passes = []

    def progress(share: float, message: str) -> None:
        passes.append(model.passes)
        if share > 0.1:
            cancel.cancel()

    with pytest.raises(Cancelled):
        settings = PropagationSettings(strategy=strategy)
        propagate(
            phantom.volume, phantom.marks([60, 140]), model=model, progress=progress, cancel=cancel, settings=settings
        )
    assert model.passes == passes[-1]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_progress_rises_to_the_end(phantom, model, strategy: str) -> None:
    told: list[float] = []
    settings = PropagationSettings(strategy=strategy, ensemble=2, passes=2)
    marks = phantom.marks([7, 12])
    propagate(phantom.volume, marks, model=model, settings=settings, progress=lambda share, _: told.append(share))
    assert told == sorted(told)
    assert 0 < told[0] < 0.5 and told[-1] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"strategy": "magic"}, {"choice": "best"}, {"support_size": 0}, {"ensemble": 0}, {"seed": -1}, {"margin": -0.1},
        {"margin_mm": -1.0}, {"passes": 0}, {"shape_weight": 1.5}, {"detail": 0}, {"smooth": float("nan")},
        {"slice_range": (5, 5)}, {"ending": -1.0}, {"axes": 2},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_named(wrong: dict) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        PropagationSettings(**wrong)


def test_geometry_plays_no_part_in_the_voxels(phantom, model) -> None:
    """An oblique, flipped scan is the same stack of slices."""
    marks = phantom.marks([8, 13])
    plain = propagate(phantom.volume, marks, model=model)
    turned = Geometry(phantom.volume.geometry.size, (1, 1, 2), (5, 6, 7), (0.6, 0.8, 0, -0.8, 0.6, 0, 0, 0, -1))
    result = propagate(Volume(phantom.volume.array, turned), marks, model=model)
    np.testing.assert_array_equal(plain.labels, result.labels)
