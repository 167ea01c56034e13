"""Examples from other volumes and from files: matched by name, along the right axis, with warnings; their table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from UniverSegSlicerLib.errors import InputError, OutputError
from UniverSegSlicerLib.imaging import Geometry, IntensityWindow, Volume
from UniverSegSlicerLib.scene.interface import RunOptions, Selection
from UniverSegSlicerLib.segmentation import SupportSet

SHAPE = (8, 20, 24)


def ball(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    k, j, i = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    return (np.sqrt(k**2 + j**2 + i**2) < 0.6).astype(np.uint8)


def grey(mask: np.ndarray, seed: int = 0) -> np.ndarray:
    return (100 * mask + np.random.default_rng(seed).normal(50, 8, mask.shape)).astype(np.int16)


class Case:
    """A patient without marks, and the logic."""

    def __init__(self, world: Any, model: Path) -> None:
        from UniverSegSlicerLib.scene.logic import UniverSegLogic

        self.world = world
        self.logic = UniverSegLogic(world.scene)
        self.volume = world.volume(grey(ball()), name="New patient")
        self.segmentation = world.segmentation(self.volume, {})
        self.selection = Selection(self.volume, self.segmentation)
        self.options = RunOptions(model=str(model), device="cpu", quality="fast")

    def run(self) -> Any:
        self.logic.start(self.selection, self.options)
        end = time.monotonic() + 120
        while self.logic.poll().busy:
            time.sleep(0.005)
            assert time.monotonic() < end
        assert self.logic.state.error == ""
        return self.logic.state.report

    def read(self, segment_id: str) -> np.ndarray:
        from UniverSegSlicerLib.scene.mrml.segments import read_segment

        return read_segment(self.segmentation, segment_id, self.volume)


@pytest.fixture
def case(world, tiny_model_path) -> Iterator[Case]:
    case = Case(world, tiny_model_path)
    yield case
    case.logic.shutdown()


def stored(path: Path, name: str = "Liver", scale: float = 1.0) -> Path:
    mask = ball()
    volume = Volume(grey(mask, 3), Geometry(SHAPE[::-1], (scale, scale, 2.0)))
    SupportSet.from_volume(volume, mask, "k", range(2, 6), label_names={1: name}).save(path)
    return path


def test_a_saved_set_segments_the_next_patient_without_any_marking(case, tmp_path):
    case.logic.add_file(stored(tmp_path / "livers.npz"))
    report = case.run()
    assert report.examples == 4
    (segment_id,) = report.segment_ids
    assert case.segmentation.GetSegmentation().GetSegment(segment_id).GetName() == "Liver"
    case.logic.apply()
    # Every slice is a prediction now: nothing counts as marked by hand.
    assert [row.kind for row in case.logic.support(case.selection).rows] == ["file"]


def test_another_volume_and_segmentation_of_the_scene(case, world):
    import slicer

    other = world.volume(grey(ball(), 1), name="Old patient")
    marked = ball()
    marked[[0, 1, 3, 5, 6, 7]] = 0
    theirs = world.segmentation(other, {"x": marked}, "Old segmentation")
    segment = theirs.GetSegmentation().GetSegment("x")
    segment.SetName("Liver")
    segment.SetColor(0.2, 0.4, 0.6)
    case.logic.add_pair(other, theirs)
    (row,) = case.logic.support(case.selection).rows
    assert (row.kind, row.examples, row.used) == ("pair", 2, True)
    report = case.run()
    assert report.examples == 2
    assert report.warnings == ()
    ours = case.segmentation.GetSegmentation().GetSegment(report.segment_ids[0])
    assert ours.GetName() == "Liver"
    assert ours.GetColor() == pytest.approx((0.2, 0.4, 0.6))
    assert isinstance(ours, slicer.vtkSegment)


def test_marks_and_examples_from_elsewhere_go_together(case, world, tmp_path):
    case.logic.add_file(stored(tmp_path / "livers.npz"))
    case.segmentation.GetSegmentation().AddEmptySegment("l", " liver ")  # case and spaces do not matter
    mask = ball()
    mask[[0, 1, 2, 3, 5, 6, 7]] = 0
    world.paint(case.segmentation, "l", mask, case.volume)
    rows = case.logic.support(case.selection).rows
    assert [(row.kind, row.examples) for row in rows] == [("marked", 1), ("file", 4)]
    assert case.run().examples == 5
    case.logic.set_used(case.selection, rows[1].key, False)
    assert case.run().examples == 1
    case.logic.remove(case.selection, rows[1].key)
    assert [row.kind for row in case.logic.support(case.selection).rows] == ["marked"]


def test_the_pair_is_cut_along_the_axis_that_faces_the_same_way(case, world):
    """The other scan is stored with K to the left: its I slices are the axial ones."""
    from UniverSegSlicerLib.scene.support.examples import pair_examples

    matrix = np.array([[0, 0, 1.0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    shape = (24, 20, 8)
    other = world.volume(grey(ball(shape)), matrix, "Sagittal scan")
    marked = ball(shape)
    marked[:, :, [0, 1, 2, 3, 5, 6, 7]] = 0
    theirs = world.segmentation(other, {"Liver": marked})
    found = pair_examples(other, theirs, {"Liver": 5}, case.volume, "k")
    assert found.axis == "i"
    assert list(found.labels) == [4]
    np.testing.assert_array_equal(found.labels[4], 5 * marked[:, :, 4])


def test_a_whole_segmentation_gives_an_even_choice_of_its_slices(case, world):
    from UniverSegSlicerLib.scene.support.examples import LARGEST_PAIR, pair_examples

    shape = (100, 20, 24)
    other = world.volume(grey(ball(shape)))
    theirs = world.segmentation(other, {"Liver": ball(shape)})
    found = pair_examples(other, theirs, {"Liver": 1}, case.volume, "k")
    assert len(found.labels) == LARGEST_PAIR
    steps = np.diff(sorted(found.labels))
    assert steps.min() >= 1
    assert steps.max() - steps.min() <= 1


def test_what_cannot_be_used_says_why_in_its_row(case, world, tmp_path):
    case.segmentation.GetSegmentation().AddEmptySegment("l", "Liver")
    case.segmentation.GetSegmentation().AddEmptySegment("s", "Spleen")
    case.logic.add_file(stored(tmp_path / "hearts.npz", "Heart"))
    other = world.volume(grey(ball()), name="Other")
    theirs = world.segmentation(other, {"Kidney": ball(), "Bladder": ball()})
    case.logic.add_pair(other, theirs)
    first, second = case.logic.support(case.selection).rows
    assert first.examples == second.examples == 0
    assert "'hearts.npz' holds 'Heart' but nothing called 'Liver', 'Spleen'" in first.note
    assert "has no segment called 'Liver', 'Spleen'" in second.note
    with pytest.raises(InputError, match="but nothing called"):
        case.logic.start(case.selection, case.options)
    world.scene.RemoveNode(other)
    assert "was deleted" in case.logic.support(case.selection).rows[1].note
    assert case.logic.thumbnail(case.selection, second.key).shape == (64, 64, 3)


def test_a_lone_label_is_taken_for_a_lone_segment(case, tmp_path):
    case.logic.add_file(stored(tmp_path / "livers.npz"))
    case.segmentation.GetSegmentation().AddEmptySegment("s", "Segment_1")
    assert case.run().segment_ids == ("s",)


def test_another_spacing_or_modality_is_a_warning_and_works(case, tmp_path):
    mask = ball()
    volume = Volume(grey(mask), Geometry(SHAPE[::-1], (4.0, 4.0, 2.0)))
    volume.array[:] = 200 - volume.array  # dark for bright
    SupportSet.from_volume(volume, mask, "k", range(2, 6), label_names={1: "Liver"}).save(tmp_path / "mr.npz")
    case.logic.add_file(tmp_path / "mr.npz")
    report = case.run()
    assert any("pixels of 4 mm and this volume 1 mm" in warning for warning in report.warnings)
    assert any("another modality" in warning for warning in report.warnings)
    assert case.logic.apply() >= 0


def test_relabelled_sets_keep_only_what_the_run_asks_for():
    pytest.importorskip("slicer")
    from UniverSegSlicerLib.scene.support.examples import relabelled

    labels = np.array([[0, 1], [3, 7]], np.uint16)
    pictures = [np.eye(2), np.eye(2), np.eye(2)]
    support = SupportSet.from_pairs(
        pictures,
        [labels, np.where(labels == 7, 7, 0), np.zeros((2, 2))],
        label_names={1: "Liver", 3: "Spleen", 7: "Fat"},
    )
    both = relabelled(support, {"spleen": 1, "LIVER": 2}, "set")
    np.testing.assert_array_equal(both.examples[0].labels, [[0, 2], [1, 0]])
    assert [example.label_values for example in both.examples] == [(1, 2), (), ()]
    assert all(example.complete for example in both.examples)
    # Of a label that the set does not know, its pictures cannot say "not there".
    partly = relabelled(support, {"Spleen": 1, "Heart": 2}, "set")
    assert [example.label_values for example in partly.examples] == [(1,)]
    assert not partly.examples[0].complete


def test_saving_and_reusing_a_support_set(case, world, tmp_path):
    case.segmentation.GetSegmentation().AddEmptySegment("l", "Liver")
    mask = ball()
    mask[[0, 1, 3, 5, 6, 7]] = 0
    world.paint(case.segmentation, "l", mask, case.volume)
    case.logic.add_file(stored(tmp_path / "livers.npz"))
    case.logic.set_used(case.selection, "k:2", False)
    path = case.logic.save_support(case.selection, tmp_path / "mine").path
    assert path == tmp_path / "mine.npz"
    again = SupportSet.load(path)
    assert again.label_names == {1: "Liver"}
    assert [example.source for example in again.examples] == ["New patient", *([""] * 4)]
    np.testing.assert_array_equal(again.examples[0].labels, mask[4])
    window = IntensityWindow.of(grey(ball()))
    np.testing.assert_array_equal(again.examples[0].image, window.apply(grey(ball())[4]))
    with pytest.raises(OutputError):
        case.logic.save_support(case.selection, tmp_path / "no folder" / "mine.npz")


def test_nothing_to_save_is_said(case):
    case.segmentation.GetSegmentation().AddEmptySegment("l", "Liver")
    with pytest.raises(InputError, match="The segment 'Liver' is empty"):
        case.logic.save_support(case.selection, "nowhere.npz")


def test_table_messages_and_pictures(case, world, tmp_path):
    table = case.logic.support(Selection(None, None))
    assert table.rows == ()
    assert "No volume is selected" in table.message
    assert "has no segment" in case.logic.support(case.selection).message
    case.segmentation.GetSegmentation().AddEmptySegment("l", "Liver")
    assert "is empty" in case.logic.support(case.selection).message
    case.logic.add_file(stored(tmp_path / "livers.npz"))
    assert case.logic.support(case.selection).message == ""  # the file will do
    mask = ball()
    mask[[0, 1, 2, 3, 5, 6, 7]] = 0
    world.paint(case.segmentation, "l", mask, case.volume)
    case.segmentation.GetSegmentation().GetSegment("l").SetColor(1.0, 0.0, 0.0)
    rows = case.logic.support(case.selection).rows
    assert rows[0].title == "Axial 4: Liver"
    assert rows[0].area_mm2 == mask.sum()
    for row in rows:
        picture = case.logic.thumbnail(case.selection, row.key, 48)
        assert (picture.shape, picture.dtype) == ((48, 48, 3), np.uint8)
        assert picture.any()
    outline = (case.logic.thumbnail(case.selection, "k:4", 48) == [255, 0, 0]).all(axis=2)
    assert 20 < outline.sum() < 400
    with pytest.raises(InputError, match="no row 'pair-9'"):
        case.logic.set_used(case.selection, "pair-9", True)


def test_a_saved_scene_reopens_ready_to_go_on(case, world, tmp_path, tiny_model_path):
    case.logic.add_file(stored(tmp_path / "livers.npz"))
    case.run()
    case.logic.apply()
    before = case.read(case.segmentation.GetSegmentation().GetNthSegmentID(0))
    world.save(tmp_path, "mrb")
    reopened = type(world)()
    reopened.load(tmp_path, "mrb")
    again = Case.__new__(Case)
    again.world, again.options = reopened, case.options
    from UniverSegSlicerLib.scene.logic import UniverSegLogic

    again.logic = UniverSegLogic(reopened.scene)
    again.volume = reopened.scene.GetFirstNodeByName("New patient")
    again.segmentation = reopened.scene.GetFirstNodeByName("Segmentation")
    again.selection = Selection(again.volume, again.segmentation)
    np.testing.assert_array_equal(again.read(again.segmentation.GetSegmentation().GetNthSegmentID(0)), before)
    assert [(row.kind, row.examples) for row in again.logic.support(again.selection).rows] == [("file", 4)]
    assert again.run().examples == 4
    again.logic.shutdown()
