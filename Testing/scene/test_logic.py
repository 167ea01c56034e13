"""The whole story against real MRML with a tiny seeded network: run, preview, apply, undo, cancel, lose nodes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from UniverSegSlicerLib.errors import DependencyError, InputError
from UniverSegSlicerLib.scene.interface import Logic, RunOptions, Selection

SHAPE = (9, 24, 28)
MARKED = (2, 6)


def structure(value: int = 1) -> np.ndarray:
    """A cone that changes from slice to slice, (K, J, I); ``value`` 2 is another one beside it."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    centre = 9 if value == 1 else 20
    return (np.hypot(j - 12, i - centre) < 2 + 0.5 * k).astype(np.uint8)


def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    grey = 100 * structure(1) + 60 * structure(2) + rng.normal(0, 5, SHAPE)
    return grey.astype(np.int16)


def on_slices(mask: np.ndarray, *slices: int) -> np.ndarray:
    result = np.zeros_like(mask)
    result[list(slices)] = mask[list(slices)]
    return result


class Case:
    """A scene with a volume, two marked segments, and the logic under test."""

    def __init__(self, world: Any, model: Path, loader: Callable[..., Any] | None = None, matrix: Any = None) -> None:
        from UniverSegSlicerLib.scene.logic import UniverSegLogic

        self.world = world
        self.scene = world.scene
        self.volume = world.volume(image(), matrix)
        self.segmentation = world.segmentation(
            self.volume, {"a": on_slices(structure(1), *MARKED), "b": on_slices(structure(2), *MARKED)}
        )
        self.logic = UniverSegLogic(self.scene, loader) if loader else UniverSegLogic(self.scene)
        self.options = RunOptions(model=str(model), device="cpu", quality="fast")
        self.selection = Selection(self.volume, self.segmentation)

    def read(self, segment_id: str) -> np.ndarray:
        from UniverSegSlicerLib.scene.segments import read_segment

        return read_segment(self.segmentation, segment_id, self.volume)

    def finish(self, timeout: float = 60.0) -> Any:
        end = time.monotonic() + timeout
        while self.logic.poll().busy or self.logic.state.phase == "running":
            time.sleep(0.005)
            assert time.monotonic() < end, "the run did not finish"
        return self.logic.state

    def nodes(self) -> int:
        return int(self.scene.GetNumberOfNodes())

    def marked(self) -> list[int]:
        return [row.index for row in self.logic.support(self.selection).rows]


class Gate:
    """A loader that waits until it is let go, then loads the real model: a run that surely is in progress."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

    def __call__(self, name: str, device: str) -> Any:
        from UniverSegSlicerLib.network import load_model

        self.reached.set()
        assert self.go.wait(30)
        return load_model(name, device)


@pytest.fixture
def make(world, tiny_model_path) -> Iterator[Callable[..., Case]]:
    cases: list[Case] = []

    def make_case(**options: Any) -> Case:
        cases.append(Case(world, tiny_model_path, **options))
        return cases[-1]

    yield make_case
    for case in cases:
        case.logic.shutdown()


@pytest.fixture
def running(make) -> Iterator[tuple[Case, Gate]]:
    """A run that has started and waits inside the worker."""
    gate = Gate()
    case = make(loader=gate)
    case.logic.start(case.selection, case.options)
    assert gate.reached.wait(30)
    case.logic.poll()
    yield case, gate
    gate.go.set()


def test_it_is_what_the_panel_expects(make):
    logic: Logic = make().logic
    for name in (name for name in vars(Logic) if not name.startswith("_")):
        assert hasattr(logic, name), name


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_run_preview_apply_undo(make, oblique, degrees):
    case = make(matrix=oblique((1.0, 1.2, 2.5), degrees))
    before = {key: case.read(key) for key in "ab"}
    nodes = case.nodes()
    case.logic.start(case.selection, case.options)
    assert case.logic.state.phase == "running"
    state = case.finish()
    assert (state.phase, state.error) == ("preview", "")
    for key in "ab":
        np.testing.assert_array_equal(case.read(key), before[key])  # a preview changes nothing
    report = state.report
    assert report is not None
    assert (report.axis, report.segment_ids, report.examples) == ("k", ("a", "b"), 2)
    assert report.device == "cpu"
    assert report.seconds > 0
    assert {suggestion.index for suggestion in report.suggestions}.isdisjoint(MARKED)
    shown = {key: segment_on(report.preview, key, case.volume) for key in "ab"}

    voxels = case.logic.apply()
    assert case.logic.state.phase == "idle"
    assert case.nodes() - nodes <= 1  # the hidden writer is all that is left
    for key in "ab":
        after = case.read(key)
        np.testing.assert_array_equal(after, shown[key])  # what was shown is what was written
        np.testing.assert_array_equal(after[list(MARKED)], before[key][list(MARKED)])
    assert voxels == sum(np.count_nonzero(case.read(key) != before[key]) for key in "ab") > 0
    assert not (case.read("a") & case.read("b")).any()
    assert case.marked() == list(MARKED)
    assert case.logic.writer.undo()
    for key in "ab":
        np.testing.assert_array_equal(case.read(key), before[key])
    assert not case.logic.writer.undo()


def segment_on(node: Any, segment_id: str, volume: Any) -> np.ndarray:
    from UniverSegSlicerLib.scene.segments import read_segment

    return read_segment(node, segment_id, volume)


def test_the_scene_gives_what_the_arrays_give(make, tiny_model_path):
    """The result of a run in the scene is that of the same run on plain arrays."""
    from UniverSegSlicerLib.network import load_model
    from UniverSegSlicerLib.scene.runs import settings_for
    from UniverSegSlicerLib.scene.volumes import volume_of
    from UniverSegSlicerLib.segmentation import propagate

    case = make()
    case.logic.propagate(case.volume, case.segmentation, model=str(tiny_model_path), device="cpu", quality="fast")
    labels = on_slices(structure(1), *MARKED).astype(np.uint16)
    labels[on_slices(structure(2), *MARKED) > 0] = 2
    expected = propagate(
        volume_of(case.volume),
        labels,
        model=load_model(tiny_model_path, "cpu"),
        settings=settings_for(case.options, MARKED, SHAPE[0]),
    )
    for value, key in enumerate("ab", start=1):
        np.testing.assert_array_equal(case.read(key), expected.labels == value)


def test_a_second_pass_learns_from_the_corrections_and_keeps_them(make):
    case = make()
    case.logic.start(case.selection, case.options)
    case.finish()
    case.logic.apply()
    first = case.read("a")
    corrected = first.copy()
    corrected[4] = structure(1)[4]
    case.world.paint(case.segmentation, "a", corrected, case.volume)
    assert case.marked() == [2, 4, 6]
    case.logic.start(case.selection, case.options)
    state = case.finish()
    assert state.report.examples == 3
    case.logic.apply()
    np.testing.assert_array_equal(case.read("a")[[2, 4, 6]], corrected[[2, 4, 6]])


def test_what_the_user_paints_while_it_runs_is_not_overwritten(running):
    case, gate = running
    painted = case.read("a")
    painted[4, 3:6, 3:6] = 1
    case.world.paint(case.segmentation, "a", painted, case.volume)
    gate.go.set()
    case.finish()
    case.logic.apply()
    np.testing.assert_array_equal(case.read("a")[4], painted[4])
    assert 4 in case.marked()


def test_discard_leaves_no_trace(make):
    case = make()
    before, nodes = case.read("a"), case.nodes()
    case.logic.start(case.selection, case.options)
    case.finish()
    case.logic.show_confidence(True)
    case.logic.discard()
    assert case.nodes() == nodes
    assert case.logic.state.phase == "idle"
    assert case.logic.state.report is None
    np.testing.assert_array_equal(case.read("a"), before)
    with pytest.raises(InputError, match="no result to apply"):
        case.logic.apply()


def test_confidence_volume_comes_and_goes(make):
    from UniverSegSlicerLib.scene.volumes import array_of, ijk_to_ras

    case = make()
    case.logic.show_confidence(True)  # nothing to show yet
    case.logic.start(case.selection, case.options)
    case.finish()
    case.logic.show_confidence(True)
    node = case.logic.state.report.confidence
    percent = array_of(node)
    assert percent.shape == SHAPE
    assert percent.max() <= 100
    assert (percent[list(MARKED)] == 100).all()
    np.testing.assert_allclose(ijk_to_ras(node), ijk_to_ras(case.volume))
    assert not node.GetSaveWithScene()
    case.logic.apply()
    assert case.logic.state.report.confidence is node  # still there to look at
    case.logic.show_confidence(False)
    assert not case.scene.IsNodePresent(node)
    case.logic.show_confidence(True)
    case.scene.RemoveNode(case.logic.state.report.confidence)  # by the user, in the Data module
    case.logic.show_confidence(False)
    assert case.logic.state.report.confidence is None


def test_cancel_stops_within_half_a_second_and_changes_nothing(world, make):
    rng = np.random.default_rng(0)
    case = make()
    shape = (400, 64, 64)
    volume = world.volume(rng.normal(100, 20, shape).astype(np.int16), name="Long")
    mask = np.zeros(shape, np.uint8)
    mask[[0, 200, 399], 20:44, 20:44] = 1
    segmentation = world.segmentation(volume, {"a": mask})
    options = RunOptions(model=case.options.model, device="cpu", quality="best")
    case.logic.start(Selection(volume, segmentation), options)
    end = time.monotonic() + 60
    while case.logic.poll().fraction <= 0 and time.monotonic() < end:
        time.sleep(0.002)
    assert 0 < case.logic.state.fraction < 0.9
    begin = time.monotonic()
    case.logic.cancel()
    assert case.logic.state.phase == "idle"
    while case.logic.poll().busy:
        time.sleep(0.002)
    assert time.monotonic() - begin < 0.5
    assert segment_on(segmentation, "a", volume).sum() == mask.sum()
    assert "Cancelled" in case.logic.state.message
    assert case.logic.state.error == ""


def test_cancelled_before_the_worker_notices_and_started_again(running):
    case, gate = running
    case.logic.cancel()
    assert case.logic.state.phase == "idle"
    case.logic.start(case.selection, case.options)
    gate.go.set()
    assert case.finish().phase == "preview"
    assert case.logic.apply() > 0


def test_a_second_run_is_refused_politely(running):
    case, gate = running
    with pytest.raises(InputError, match="running already"):
        case.logic.start(case.selection, case.options)
    with pytest.raises(InputError, match="Finish the segmentation first"):
        case.logic.begin_clicks(case.selection, "k", 4, case.options)
    gate.go.set()
    assert case.finish().phase == "preview"
    with pytest.raises(InputError, match="Finish the segmentation first"):
        case.logic.begin_clicks(case.selection, "k", 4, case.options)


@pytest.mark.parametrize("lost", ["volume", "segmentation"])
def test_a_node_deleted_during_the_run(running, lost):
    case, gate = running
    before = case.read("a")
    case.scene.RemoveNode(getattr(case, lost))
    nodes = case.nodes()
    gate.go.set()
    state = case.finish()
    assert state.phase == "idle"
    assert f"The {lost} '" in state.error
    assert "was deleted" in state.error
    assert case.nodes() == nodes
    np.testing.assert_array_equal(case.read("a"), before)


@pytest.mark.parametrize("lost", ["volume", "segmentation"])
def test_a_node_deleted_while_the_preview_is_shown(make, lost):
    case = make()
    case.logic.start(case.selection, case.options)
    case.finish()
    preview = case.logic.state.report.preview
    case.scene.RemoveNode(getattr(case, lost))
    state = case.logic.poll()
    assert state.phase == "idle"
    assert "was deleted" in state.error
    assert not case.scene.IsNodePresent(preview)


def test_a_segment_deleted_during_the_run(running):
    case, gate = running
    case.segmentation.GetSegmentation().RemoveSegment("b")
    gate.go.set()
    state = case.finish()
    assert state.phase == "preview"
    assert any("Deleted during the run" in warning and "b" in warning for warning in state.report.warnings)
    assert case.logic.apply() > 0
    assert case.segmentation.GetSegmentation().GetNumberOfSegments() == 1


def test_every_segment_deleted_during_the_run(running):
    case, gate = running
    case.segmentation.GetSegmentation().RemoveAllSegments()
    gate.go.set()
    state = case.finish()
    assert state.phase == "idle"
    assert "Every segment of the run was deleted" in state.error


def test_closing_the_scene_during_a_run_and_going_on_in_the_next(running):
    case, gate = running
    case.logic.scene_closing()
    case.scene.Clear(0)
    gate.go.set()
    assert case.finish().phase == "idle"
    assert case.logic.state.error == ""
    again = Case.__new__(Case)
    again.__dict__.update(case.__dict__)
    again.volume = case.world.volume(image())
    again.segmentation = case.world.segmentation(again.volume, {"a": on_slices(structure(1), *MARKED)})
    again.selection = Selection(again.volume, again.segmentation)
    again.logic.start(again.selection, again.options)
    assert again.finish().phase == "preview"
    assert again.logic.apply() > 0
    again.logic.start(again.selection, again.options)
    again.finish()
    again.logic.scene_closing()
    assert again.logic.state.phase == "idle"


def test_shutdown_during_a_run(running):
    case, gate = running
    before = case.read("a")
    gate.go.set()
    case.logic.shutdown()
    case.logic.shutdown()
    assert not any(thread.name == "UniverSeg worker" for thread in threading.enumerate())
    np.testing.assert_array_equal(case.read("a"), before)
    assert case.logic.poll().phase == "idle"


def test_reach_between_the_marks_and_one_slice(make):
    case = make()
    before = case.read("a")
    options = RunOptions(**{**vars(case.options), "reach": "between"})
    case.logic.start(case.selection, options)
    case.finish()
    case.logic.apply()
    changed = np.flatnonzero((case.read("a") != before).any(axis=(1, 2)))
    assert changed.size
    assert set(changed) <= {3, 4, 5}
    case.logic.writer.undo()
    case.logic.start(case.selection, RunOptions(**{**vars(options), "reach": "slice", "current": 4}))
    case.finish()
    case.logic.apply()
    assert set(np.flatnonzero((case.read("a") != before).any(axis=(1, 2)))) <= {4}
    with pytest.raises(InputError, match="Slice 6 is marked already"):
        case.logic.start(case.selection, RunOptions(reach="slice", current=6))
    with pytest.raises(InputError, match="Slice 99 is not one of 0 to 8"):
        case.logic.start(case.selection, RunOptions(reach="slice", current=99))


def test_marked_slices_may_be_replaced_on_request(make):
    case = make()
    before = case.read("a")
    case.logic.propagate(case.volume, case.segmentation, ["a"], **{**vars(case.options), "keep_marked": False})
    after = case.read("a")
    assert (after[list(MARKED)] != before[list(MARKED)]).any()
    np.testing.assert_array_equal(case.read("b"), on_slices(structure(2), *MARKED))


def test_switched_off_slices_are_no_examples_but_stay(make):
    case = make()
    before = case.read("a")
    case.logic.set_used(case.selection, "k:6", False)
    case.logic.start(case.selection, case.options)
    assert case.finish().report.examples == 1
    case.logic.apply()
    np.testing.assert_array_equal(case.read("a")[6], before[6])
    case.logic.set_used(case.selection, "k:2", False)
    with pytest.raises(InputError, match="Every marked slice is switched off"):
        case.logic.start(case.selection, case.options)


def test_overlapping_segments_are_run_apart_and_both_keep_their_marks(world, make):
    case = make()
    overlapping = on_slices(np.roll(structure(1), 3, axis=2), *MARKED)
    segmentation = world.segmentation(
        case.volume, {"a": on_slices(structure(1), *MARKED), "c": overlapping}, "Overlapping"
    )
    report = case.logic.propagate(case.volume, segmentation, **vars(case.options))
    assert report.segment_ids == ("a", "c")
    for key, mask in (("a", on_slices(structure(1), *MARKED)), ("c", overlapping)):
        np.testing.assert_array_equal(segment_on(segmentation, key, case.volume)[list(MARKED)], mask[list(MARKED)])


def test_rules_of_the_editor_are_obeyed(world, make):
    case = make()
    rules = world.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    rules.SetSourceVolumeIntensityMask(True)
    rules.SetSourceVolumeIntensityMaskRange(80.0, 200.0)
    before = case.read("a")
    case.logic.propagate(case.volume, case.segmentation, editor=rules, **vars(case.options))
    added = (case.read("a") > 0) & (before == 0)
    assert not added[image() < 80].any()


def without_segmentation(case: Case) -> None:
    case.selection = Selection(case.volume, None)


def without_volume(case: Case) -> None:
    case.selection = Selection(None, case.segmentation)


def all_hidden(case: Case) -> None:
    case.segmentation.GetDisplayNode().SetAllSegmentsVisibility(False)


def emptied(case: Case) -> None:
    case.world.paint(case.segmentation, "a", np.zeros(SHAPE), case.volume)
    case.selection = Selection(case.volume, case.segmentation, ("a",))


def warped(case: Case) -> None:
    case.segmentation.SetAndObserveTransformNodeID(case.world.warp().GetID())


def without_model(case: Case) -> None:
    case.options = RunOptions(model="/nowhere/x.safetensors", device="cpu")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_segmentation, "No segmentation is selected"),
        (without_volume, "No volume is selected"),
        (all_hidden, "Every segment of"),
        (emptied, "The segment 'a' is empty"),
        (warped, "non-linear transform"),
        (without_model, "x.safetensors"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(make, spoil, message):
    case = make()
    spoil(case)
    nodes = case.nodes()
    try:
        case.logic.start(case.selection, case.options)
        sentence = case.finish().error
    except InputError as error:
        sentence = str(error)
    assert message in sentence
    assert "\n" not in sentence
    assert case.logic.state.phase == "idle"
    assert case.nodes() == nodes


def test_missing_torch_is_said_with_the_way_to_get_it(make, monkeypatch):
    from UniverSegSlicerLib.scene import run_control
    from UniverSegSlicerLib.scene.dependencies import torch_status

    case = make()
    monkeypatch.setattr(run_control, "torch_status", lambda: torch_status(find=lambda name: None))
    with pytest.raises(DependencyError, match=r"PyTorch is not installed yet.*installTorch"):
        case.logic.start(case.selection, case.options)
    with pytest.raises(DependencyError):
        case.logic.begin_clicks(case.selection, "k", 4, case.options)


def test_new_segmentation_is_ready_to_mark_on(world, make):
    case = make()
    node = case.logic.new_segmentation(case.volume, "Liver")
    infos = node.GetSegmentation()
    assert infos.GetNumberOfSegments() == 1
    assert infos.GetNthSegment(0).GetName() == "Liver"
    role = node.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(role) is case.volume
    with pytest.raises(InputError, match="No volume"):
        case.logic.new_segmentation(None)
