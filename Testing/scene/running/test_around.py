"""A corrected slice and its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.scene.running_case import MARKED, SHAPE, on_slices, structure
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.network import load_model
from UniverSegSlicerLib.scene.interface import RunOptions
from UniverSegSlicerLib.scene.mrml.volumes import volume_of
from UniverSegSlicerLib.scene.running.plan import REACH, settings_for
from UniverSegSlicerLib.segmentation import correct_neighbours


def test_only_the_neighbours_follow_up_to_the_next_mark(make):
    case = make()
    case.logic.propagate(case.volume, case.segmentation, **vars(case.options))
    corrected = case.read("a")
    # Different from any prediction: a slice painted as it was is no correction.
    corrected[4] = np.roll(structure(1)[4], 2, axis=0)
    case.world.paint(case.segmentation, "a", corrected, case.volume)
    other = case.read("b")
    options = {**vars(case.options), "reach": "around", "current": 4}
    report = case.logic.propagate(case.volume, case.segmentation, ["a"], **options)
    after = case.read("a")
    assert report.segment_ids == ("a",)
    assert set(np.flatnonzero((after != corrected).any(axis=(1, 2)))) <= {3, 5}  # 2 and 6 are marked
    np.testing.assert_array_equal(case.read("b"), other)
    assert case.logic.writer.undo()
    np.testing.assert_array_equal(case.read("a"), corrected)


def test_the_scene_gives_what_the_arrays_give(make, tiny_model_path):
    case = make()
    case.logic.propagate(case.volume, case.segmentation, ["a"], **vars(case.options))
    corrected = case.read("a")
    corrected[7] = structure(1)[7]
    case.world.paint(case.segmentation, "a", corrected, case.volume)
    expected = correct_neighbours(
        volume_of(case.volume),
        corrected.astype(np.uint16),
        "k",
        7,
        model=load_model(tiny_model_path, "cpu"),
        marked=(*MARKED, 7),
        reach=REACH,
        label_values=[1],
        support=case_support(case),
        settings=settings_for(case.options, (), SHAPE[0]),
    )
    options = {**vars(case.options), "reach": "around", "current": 7}
    case.logic.propagate(case.volume, case.segmentation, ["a"], **options)
    np.testing.assert_array_equal(case.read("a"), expected.labels)


def case_support(case):
    """The marked slices of segment "a" as a support set."""
    from UniverSegSlicerLib.scene.support.examples import slices_of
    from UniverSegSlicerLib.scene.support.marks import marked_slices

    rows = marked_slices(case.segmentation, ["a"], case.volume, "k")
    assert [row.index for row in rows] == [2, 6, 7]
    return slices_of(case.volume, case.segmentation, {"a": 1}, rows, "k").support()


def test_a_slice_has_to_be_named(make):
    case = make()
    for current in (None, -1, SHAPE[0]):
        with pytest.raises(InputError, match="is not one of 0 to 8"):
            case.logic.start(case.selection, RunOptions(reach="around", current=current))
    np.testing.assert_array_equal(case.read("a"), on_slices(structure(1), *MARKED))
