"""What a waiting result shows beside its voxels: a surface, how the marks agree, ml, and the Segment Editor's masks."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import vtk

from Testing.scene.running_case import SHAPE, on_slices, segment_on, structure

SURFACE = "Closed surface"


@pytest.fixture
def editor(world):
    """The rules that a user set in the Segment Editor."""
    return world.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode", "Rules")


def surface(preview, segment_id):
    return preview.GetSegmentation().GetSegment(segment_id).GetRepresentation(SURFACE)


def segmentations(case) -> int:
    return int(case.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"))


def enclosed(polydata) -> float:
    """The volume in mm³ that a closed surface encloses."""
    mass = vtk.vtkMassProperties()
    mass.SetInputData(polydata)
    return float(mass.GetVolume())


def test_the_surface_of_the_preview_comes_by_itself_and_goes(make):
    case = make(matrix=np.array([[-0.9, 0, 0, 5], [0, -0.8, 0, -7], [0, 0, 1.5, 11], [0, 0, 0, 1.0]]))
    case.logic.start(case.selection, replace(case.options, surface=True))
    report = case.finish().report
    assert report.preview.GetDisplayNode().GetPreferredDisplayRepresentationName3D() == SURFACE
    for segment_id in "ab":
        found = surface(report.preview, segment_id)
        bounds = np.array(found.GetBounds()).reshape(3, 2)
        shown = segment_on(report.preview, segment_id, case.volume)
        corners = np.argwhere(shown)[:, ::-1]
        ras = corners * [-0.9, -0.8, 1.5] + [5, -7, 11]
        assert bounds.mean(axis=1) == pytest.approx((ras.min(0) + ras.max(0)) / 2, abs=1.5)
        assert enclosed(found) == pytest.approx(shown.sum() * 0.9 * 0.8 * 1.5, rel=0.25)
    case.logic.show_surface(False)
    assert surface(report.preview, "a") is None
    case.logic.show_surface(True)
    case.finish()
    assert surface(report.preview, "a") is not None
    case.logic.apply()
    assert segmentations(case) == 1, "the preview goes"


def test_a_result_that_is_applied_before_its_surface_is_there(make):
    case = make()
    case.logic.start(case.selection, replace(case.options, surface=True))
    while case.logic.poll().phase != "preview":
        time.sleep(0.005)
    case.logic.apply()
    assert case.finish().error == ""
    assert case.logic.state.phase == "idle"


def test_large_structures_are_seen_coarser_at_the_same_place():
    pytest.importorskip("slicer")
    from UniverSegSlicerLib.scene.mrml.grid import Part
    from UniverSegSlicerLib.scene.running import surface as surfaces

    k, j, i = np.indices((40, 50, 60))
    ball = ((k - 20) ** 2 + (j - 24) ** 2 + (i - 30) ** 2 < 15**2).astype(np.uint8)
    part = Part((100, 159, 10, 59, 5, 44), ball)
    fine = surfaces.surface_of(part, np.eye(4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surfaces, "_MOST_VOXELS", 20_000)
        coarse = surfaces.surface_of(part, np.eye(4))
    assert coarse.GetNumberOfPoints() < fine.GetNumberOfPoints() / 3
    for found in (fine, coarse):
        assert np.array(found.GetCenter()) == pytest.approx([130, 34, 25], abs=0.6)
        assert enclosed(found) == pytest.approx(ball.sum(), rel=0.08)
    mirrored = surfaces.surface_of(part, np.diag([-1.0, 1, 1, 1]))
    assert np.array(mirrored.GetCenter()) == pytest.approx([-130, 34, 25], abs=0.6)


def test_the_report_tells_ml(make):
    case = make(matrix=np.diag([2.0, 2.0, 3.0, 1]))
    case.logic.start(case.selection, case.options)
    report = case.finish().report
    assert report.names == {"a": "a", "b": "b"}
    for segment_id in "ab":
        assert report.millilitres[segment_id] == pytest.approx(report.voxels[segment_id] * 12 / 1000)


def test_the_table_tells_which_mark_the_others_do_not_bear_out(make):
    case = make()
    case.segmentation.GetSegmentation().RemoveSegment("b")
    marks = on_slices(structure(1), 0, 2, 4, 6, 8)
    marks[4] = np.roll(marks[4], 9, axis=1)  # a slip: painted beside the structure
    case.world.paint(case.segmentation, "a", marks, case.volume)
    assert all(row.agreement is None for row in case.logic.support(case.selection).rows)
    case.logic.start(case.selection, case.options)
    case.finish()
    rows = {row.index: row for row in case.logic.support(case.selection).rows}
    assert rows[0].agreement is None and rows[8].agreement is None, "nobody foretells the outermost marks"
    assert rows[4].agreement == min(rows[index].agreement for index in (2, 4, 6))
    assert "Look here again" in rows[4].note
    # Repainted: what was said of the slice is said no more, and the rest stands until the next run.
    marks[4] = structure(1)[4]
    case.world.paint(case.segmentation, "a", marks, case.volume)
    rows = {row.index: row for row in case.logic.support(case.selection).rows}
    assert rows[4].agreement is None and rows[4].note == ""
    assert rows[2].agreement is not None
    case.logic.start(case.selection, case.options)
    case.finish()
    rows = {row.index: row for row in case.logic.support(case.selection).rows}
    assert rows[4].agreement > 0.7
    assert [index for index, row in rows.items() if row.note] == []


@pytest.mark.parametrize(
    ("scores", "low"),
    [({3: 0.3}, [3]), ({3: 0.6}, []), ({3: 0.9, 5: 0.6, 7: 0.92}, [5]), ({3: 0.6, 5: 0.55, 7: 0.62}, []),
     ({3: 0.9, 5: 0.8}, []), ({}, [])],
)  # fmt: skip
def test_what_counts_as_low(scores, low):
    pytest.importorskip("slicer")
    from UniverSegSlicerLib.scene.support.agreement import look_again

    assert [index for index in scores if look_again(index, scores)] == low


def test_the_preview_is_what_apply_will_make_under_masks(make, editor):
    """Inside another segment only; then within grey values, changed while the preview waits."""
    import slicer

    case = make()
    half = np.zeros(SHAPE, np.uint8)
    half[:, :12] = 1
    case.segmentation.GetSegmentation().AddEmptySegment("half", "half")
    case.world.paint(case.segmentation, "half", half, case.volume)
    editor.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)
    editor.SetMaskSegmentID("half")
    selection = replace(case.selection, segment_ids=("a",), editor=editor)
    case.logic.start(selection, replace(case.options, surface=True))
    report = case.finish().report
    assert segmentations(case) == 2, "the preview, and no copy left behind"
    free = [k for k in range(SHAPE[0]) if k not in (2, 6)]

    def shown():
        return segment_on(report.preview, "a", case.volume)

    first = shown()
    assert first[free].any()
    assert not first[free][:, 12:].any()
    editor.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
    editor.SetSourceVolumeIntensityMask(True)
    editor.SetSourceVolumeIntensityMaskRange(100, 1000)
    end = time.monotonic() + 20
    while np.array_equal(shown(), first):
        case.logic.poll()
        assert time.monotonic() < end, "the preview does not follow"
        time.sleep(0.02)
    case.finish()
    assert surface(report.preview, "a") is not None
    from UniverSegSlicerLib.scene.mrml.volumes import array_of

    second = shown()
    assert (array_of(case.volume)[free][second[free] > 0] >= 100).all()
    assert second[free][:, 12:].any()
    case.logic.apply()
    assert np.array_equal(case.read("a"), second), "Apply makes what was shown"
