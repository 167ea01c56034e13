"""Cancel, lost nodes, closed scenes and quitting, all while a run is in progress."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from Testing.scene.running_case import MARKED, Case, image, on_slices, segment_on, structure
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.scene.interface import RunOptions, Selection


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
    end = time.monotonic() + 120
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
