"""Click to segment through the scene: points, previews, accept and leave, with a tiny seeded network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.scene.interface import RunOptions, Selection

SHAPE = (9, 24, 28)


def disc(*slices: int) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    j, i = np.ogrid[: SHAPE[1], : SHAPE[2]]
    mask[list(slices)] = np.hypot(j - 12, i - 10) < 6
    return mask


class Clicking:
    """A scene with one marked segment "a" and an empty one "b", and the logic."""

    def __init__(self, world: Any, model: Path, matrix: Any) -> None:
        from UniverSegSlicerLib.scene.logic import UniverSegLogic

        rng = np.random.default_rng(0)
        self.world = world
        self.volume = world.volume((100 * disc(*range(9)) + rng.normal(0, 5, SHAPE)).astype(np.int16), matrix)
        self.segmentation = world.segmentation(self.volume, {"a": disc(2, 6), "b": np.zeros(SHAPE)})
        self.logic = UniverSegLogic(world.scene)
        self.options = RunOptions(model=str(model), device="cpu")
        self.selection = Selection(self.volume, self.segmentation, ("a",))

    def ras(self, i: int, j: int, k: int) -> tuple[float, float, float]:
        from UniverSegSlicerLib.scene.mrml.transforms import to_world
        from UniverSegSlicerLib.scene.mrml.volumes import ijk_to_ras

        return tuple((to_world(self.volume) @ ijk_to_ras(self.volume) @ [i, j, k, 1])[:3])

    def read(self, segment_id: str = "a") -> np.ndarray:
        from UniverSegSlicerLib.scene.mrml.segments import read_segment

        return read_segment(self.segmentation, segment_id, self.volume)

    def wait(self) -> Any:
        end = time.monotonic() + 120
        while self.logic.poll().busy:
            time.sleep(0.005)
            assert time.monotonic() < end
        return self.logic.state

    def previewed(self, segment_id: str = "a") -> np.ndarray:
        from UniverSegSlicerLib.scene.mrml.preview import PREVIEW_ATTRIBUTE
        from UniverSegSlicerLib.scene.mrml.segments import read_segment

        count = self.world.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
        nodes = [self.world.scene.GetNthNodeByClass(n, "vtkMRMLSegmentationNode") for n in range(count)]
        (node,) = [node for node in nodes if node.GetAttribute(PREVIEW_ATTRIBUTE)]
        return read_segment(node, segment_id, self.volume)


@pytest.fixture
def clicking(world, tiny_model_path, oblique) -> Iterator[Clicking]:
    case = Clicking(world, tiny_model_path, oblique((1.0, 1.2, 2.5), 20.0))
    both = world.transform(oblique((1, 1, 1), 30.0)).GetID()
    case.volume.SetAndObserveTransformNodeID(both)
    case.segmentation.SetAndObserveTransformNodeID(both)
    yield case
    case.logic.shutdown()


def test_click_answer_accept_undo(clicking):
    before = clicking.read()
    nodes = clicking.world.scene.GetNumberOfNodes()
    clicking.logic.begin_clicks(clicking.selection, "k", 4, clicking.options)
    assert clicking.logic.state.phase == "click"
    assert clicking.logic.click(clicking.ras(10, 12, 4))
    assert clicking.logic.click(clicking.ras(25, 3, 4), include=False)
    clicks = clicking.logic.clicks
    assert (clicks.axis, clicks.index, clicks.segment_id) == ("k", 4, "a")
    assert (clicks.include, clicks.exclude) == (((12, 10),), ((3, 25),))
    assert clicking.wait().error == ""
    shown = clicking.previewed()
    assert shown[4].any()
    assert not shown[[0, 1, 2, 3, 5, 6, 7, 8]].any()
    np.testing.assert_array_equal(clicking.read(), before)

    voxels = clicking.logic.accept_clicks()
    after = clicking.read()
    assert voxels == np.count_nonzero(after != before) == np.count_nonzero(shown)
    np.testing.assert_array_equal(after[4], shown[4])
    np.testing.assert_array_equal(np.delete(after, 4, 0), np.delete(before, 4, 0))
    assert clicking.logic.clicks is None
    assert clicking.logic.state.phase == "idle"
    assert [row.index for row in clicking.logic.support(clicking.selection).rows] == [2, 4, 6]
    assert clicking.logic.writer.undo()
    np.testing.assert_array_equal(clicking.read(), before)
    assert clicking.world.scene.GetNumberOfNodes() - nodes <= 1


def test_the_scene_gives_what_the_arrays_give(clicking, tiny_model_path):
    from UniverSegSlicerLib.imaging import IntensityWindow, slice_spacing
    from UniverSegSlicerLib.network import load_model
    from UniverSegSlicerLib.scene.mrml.volumes import volume_of
    from UniverSegSlicerLib.segmentation import ClickSession, SupportSet

    clicking.logic.begin_clicks(clicking.selection, "k", 4, clicking.options)
    clicking.logic.click(clicking.ras(10, 12, 4))
    clicking.wait()
    volume = volume_of(clicking.volume)
    support = SupportSet.from_volume(volume, disc(2, 6), "k")
    session = ClickSession(
        load_model(tiny_model_path, "cpu"),
        shape=SHAPE[1:],
        spacing=slice_spacing(volume.geometry, "k"),
        support=support,
    )
    window = IntensityWindow.of(volume.array)
    expected = session.segment(window.apply(volume.array[4]), include=[(12, 10)], index=4).mask
    np.testing.assert_array_equal(clicking.previewed()[4], expected)


@pytest.mark.parametrize(("axis", "point"), [("j", (10, 7, 4)), ("i", (9, 12, 4))])
def test_clicks_along_the_other_axes(clicking, axis, point, tiny_model_path, tmp_path):
    from UniverSegSlicerLib.network.weights.files import read_network, write_network

    # The marks lie along k and are no examples here; without any, the untrained network's noise stays below one half.
    network = read_network(tiny_model_path)
    network.out_conv["conv"].bias.data += 0.1
    write_network(tmp_path / "willing.safetensors", network)
    options = RunOptions(model=str(tmp_path / "willing.safetensors"), device="cpu")
    index = point["ijk".index(axis)]
    clicking.logic.begin_clicks(clicking.selection, axis, index, options)
    assert clicking.logic.click(clicking.ras(*point))
    assert clicking.wait().error == ""
    voxels = np.argwhere(clicking.previewed() > 0)
    assert len(voxels)
    assert set(voxels[:, 2 - "ijk".index(axis)]) == {index}


def test_points_off_the_slice_are_not_taken(clicking):
    clicking.logic.begin_clicks(clicking.selection, "k", 4, clicking.options)
    assert not clicking.logic.click(clicking.ras(10, 12, 5))
    assert not clicking.logic.click((900.0, 0.0, 0.0))
    assert clicking.logic.clicks.include == ()
    with pytest.raises(InputError, match="click on the structure first"):
        clicking.logic.accept_clicks()


def test_taking_clicks_back(clicking):
    clicking.logic.begin_clicks(clicking.selection, "k", 4, clicking.options)
    assert not clicking.logic.take_back_click()
    clicking.logic.click(clicking.ras(10, 12, 4))
    clicking.wait()
    first = clicking.previewed()
    clicking.logic.click(clicking.ras(25, 20, 4))
    clicking.wait()
    assert clicking.logic.take_back_click()
    clicking.wait()
    np.testing.assert_array_equal(clicking.previewed(), first)
    assert clicking.logic.clicks.include == ((12, 10),)
    assert clicking.logic.take_back_click()
    assert clicking.logic.clicks.include == ()
    assert not clicking.previewed().any()


def test_the_answer_to_the_newest_click_counts(clicking):
    clicking.logic.begin_clicks(clicking.selection, "k", 4, clicking.options)
    for i in range(5, 16):
        clicking.logic.click(clicking.ras(i, 12, 4))
    with pytest.raises(InputError, match="not there yet"):
        clicking.logic.accept_clicks()
    clicking.wait()
    assert len(clicking.logic.clicks.include) == 11
    assert clicking.logic.accept_clicks() > 0


def test_leaving_writes_nothing(clicking):
    before, nodes = clicking.read(), clicking.world.scene.GetNumberOfNodes()
    clicking.logic.begin_clicks(clicking.selection, "k", 4, clicking.options)
    clicking.logic.click(clicking.ras(10, 12, 4))
    clicking.wait()
    clicking.logic.end_clicks()
    clicking.logic.end_clicks()
    assert clicking.wait().phase == "idle"
    np.testing.assert_array_equal(clicking.read(), before)
    assert clicking.world.scene.GetNumberOfNodes() == nodes
    with pytest.raises(InputError, match="Click mode is off"):
        clicking.logic.click(clicking.ras(10, 12, 4))


def test_an_accepted_prediction_becomes_a_mark_although_nothing_changed(clicking):
    from UniverSegSlicerLib.scene.support.marks import add_mark, remember_result

    filled = disc(*range(2, 7))
    clicking.world.paint(clicking.segmentation, "a", filled, clicking.volume)
    remember_result(clicking.segmentation, ["a"], clicking.volume, "k", [2, 6])
    add_mark(clicking.segmentation, "a", clicking.volume, "k", 4)
    assert [row.index for row in clicking.logic.support(clicking.selection).rows] == [2, 4, 6]


def test_the_segment_that_is_selected_in_the_editor_is_meant(clicking):
    editor = clicking.world.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    editor.SetSelectedSegmentID("b")
    selection = Selection(clicking.volume, clicking.segmentation, None, editor)
    clicking.logic.begin_clicks(selection, "k", 4, clicking.options)
    assert clicking.logic.clicks.segment_id == "b"
    clicking.logic.click(clicking.ras(10, 12, 4))
    clicking.wait()
    clicking.logic.accept_clicks()
    assert clicking.read("b").any()  # no example of it was needed
    np.testing.assert_array_equal(clicking.read("a"), disc(2, 6))


def test_a_model_without_click_planes_says_so(clicking, tmp_path):
    import torch

    from UniverSegSlicerLib.network import Architecture, UniverSeg
    from UniverSegSlicerLib.network.weights.files import write_network

    torch.manual_seed(0)
    write_network(tmp_path / "v1like.safetensors", UniverSeg(Architecture(encoder=(8, 8), resolution=64)))
    options = RunOptions(model=str(tmp_path / "v1like.safetensors"), device="cpu")
    clicking.logic.begin_clicks(clicking.selection, "k", 4, options)
    state = clicking.wait()
    assert "cannot read clicks" in state.error
    assert state.phase == "idle"


@pytest.mark.parametrize("lost", ["volume", "segmentation", "segment"])
def test_what_is_clicked_on_may_be_deleted(clicking, lost):
    clicking.logic.begin_clicks(clicking.selection, "k", 4, clicking.options)
    clicking.logic.click(clicking.ras(10, 12, 4))
    if lost == "segment":
        clicking.segmentation.GetSegmentation().RemoveSegment("a")
    else:
        clicking.world.scene.RemoveNode(getattr(clicking, lost))
    state = clicking.wait()
    assert state.phase == "idle"
    assert "was deleted" in state.error
    assert clicking.logic.clicks is None


def test_bad_slices_are_refused(clicking):
    for axis, index in (("k", 9), ("k", -1), ("x", 0)):
        with pytest.raises(InputError, match="There is no slice"):
            clicking.logic.begin_clicks(clicking.selection, axis, index, clicking.options)
