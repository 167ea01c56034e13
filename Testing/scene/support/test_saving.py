"""Support sets with whole scans: what goes into the file, and every structure on the next volume without a mark."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from Testing.scene.running_case import MARKED, image, structure
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.scene.interface import Selection
from UniverSegSlicerLib.segmentation import SupportSet


@pytest.fixture
def complete(make):
    """A segmentation in which a result filled every slice of both segments."""
    from UniverSegSlicerLib.scene.support.marks import remember_result

    case = make()
    for value, segment_id in enumerate("ab", start=1):
        case.world.paint(case.segmentation, segment_id, structure(value), case.volume)
        remember_result(case.segmentation, [segment_id], case.volume, "k", MARKED)
    return case


def test_a_complete_segmentation_goes_in_whole(complete, tmp_path):
    saved = complete.logic.save_support(complete.selection, tmp_path / "whole")
    assert (saved.slices, saved.scans) == (2, 1), "the marked slices, and the scan"
    again = SupportSet.load(saved.path)
    assert again.label_names == {1: "a", 2: "b"}
    held = again.scans[0]
    for value in (1, 2):
        assert np.count_nonzero(held.labels == value) == structure(value).sum()
    saved = complete.logic.save_support(complete.selection, tmp_path / "slices", slices_only=True)
    assert (saved.slices, saved.scans) == (2, 0)
    assert SupportSet.load(saved.path).scans == ()


def test_segmented_elsewhere_every_slice_goes_in(make, tmp_path):
    case = make()
    for value, segment_id in enumerate("ab", start=1):
        case.world.paint(case.segmentation, segment_id, structure(value), case.volume)
    saved = case.logic.save_support(case.selection, tmp_path / "imported")
    assert (saved.slices, saved.scans) == (len(structure()), 1)


def test_marks_and_half_done_segmentations_go_in_as_slices(make, complete, tmp_path):
    assert make().logic.save_support(make().selection, tmp_path / "marks").scans == 0
    half = structure(1)
    half[5] = 0
    complete.world.paint(complete.segmentation, "a", half, complete.volume)
    assert complete.logic.save_support(complete.selection, tmp_path / "half").scans == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_neighbours_that_bound_each_other_go_in_whole(complete, tmp_path, axis):
    """As the two halves of a hippocampus: each ends abruptly, where the other goes on."""
    both = structure(1)
    middle = int(np.argwhere(both)[:, axis].mean())
    upper = both.copy()
    upper[(slice(None),) * axis + (slice(None, middle),)] = False
    for segment_id, part in (("a", both & ~upper), ("b", upper)):
        complete.world.paint(complete.segmentation, segment_id, part, complete.volume)
    saved = complete.logic.save_support(complete.selection, tmp_path / "halves")
    assert saved.scans == 1
    complete.world.paint(complete.segmentation, "b", np.zeros_like(upper), complete.volume)
    assert complete.logic.save_support(complete.selection, tmp_path / "one").scans == 0, "nothing goes on there now"


def test_pairs_and_stored_sets_bring_their_scans(complete, make, tmp_path):
    case = make()
    case.logic.add_pair(complete.volume, complete.segmentation)
    saved = case.logic.save_support(case.selection, tmp_path / "pair")
    assert saved.scans == 1
    case.logic.add_file(saved.path)
    assert case.logic.save_support(case.selection, tmp_path / "both").scans == 2
    assert case.logic.save_support(case.selection, tmp_path / "none", slices_only=True).scans == 0


def test_used_on_the_next_volume_for_every_structure(complete, tmp_path):
    """Segments are made for the names that are missing; confidence and the next slices come with the result."""
    saved = complete.logic.save_support(complete.selection, tmp_path / "whole")
    volume = complete.world.volume(np.roll(image(), 1, axis=2), name="Next")
    node = complete.world.segmentation(volume, {"A": np.zeros(image().shape)}, "Result")
    selection = Selection(volume, node)
    with pytest.raises(InputError, match="There is no support set to use"):
        complete.logic.use_support(selection, complete.options)
    complete.logic.add_file(saved.path)
    seen = []
    complete.logic.use_support(selection, replace(complete.options, surface=True))
    while complete.logic.poll().phase == "running":
        seen.append(complete.logic.state.fraction)
    state = complete.finish()
    assert state.phase == "preview", state.error
    assert seen == sorted(seen)
    report = state.report
    assert sorted(report.names.values()) == ["A", "b"], "the one that was there in other letters, and a new one"
    assert report.suggestions
    complete.logic.show_confidence(True)
    assert complete.logic.state.report.confidence is not None
    complete.logic.apply()
    ids = list(node.GetSegmentation().GetSegmentIDs())
    assert [node.GetSegmentation().GetSegment(each).GetName() for each in ids] == ["A", "b"]
