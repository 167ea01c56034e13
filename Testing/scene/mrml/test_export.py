"""Label maps on disk: read back by SimpleITK voxel for voxel, values that stay, nothing half-written."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from UniverSegSlicerLib.errors import InputError, OutputError

SHAPE = (6, 8, 10)


def masks() -> dict[str, np.ndarray]:
    first, second = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    first[1:4, 2:5, 0:7] = 1
    second[3:6, 4:8, 6:10] = 1
    return {"Liver": first, "Spleen": second}


@pytest.mark.parametrize("degrees", [0.0, 20.0, 160.0])
@pytest.mark.parametrize("moved", [False, True])
def test_round_trip_through_simpleitk(world, oblique, tmp_path, degrees, moved):
    from UniverSegSlicerLib.scene.mrml.export import export_nifti

    matrix = oblique(degrees=degrees)
    volume = world.volume(np.zeros(SHAPE, np.int16), matrix)
    segmentation = world.segmentation(volume, masks(), "Case 1")
    move = oblique((1, 1, 1), 33.0)
    if moved:
        for node in (volume, segmentation):
            node.SetAndObserveTransformNodeID(world.transform(move).GetID())
    report = export_nifti(volume, segmentation, tmp_path / "new", single_files=True)
    assert report.label_map == tmp_path / "new" / "Case_1.nii.gz"
    assert report.values == {"Liver": 1, "Spleen": 2}
    image = sitk.ReadImage(str(report.label_map))
    expected = masks()["Liver"].copy()
    expected[masks()["Spleen"] > 0] = 2
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)
    assert report.overlap_voxels == np.count_nonzero(masks()["Liver"] & masks()["Spleen"])
    # Each voxel lies where Slicer shows it.
    world_matrix = (move if moved else np.eye(4)) @ matrix
    for ijk in ((0, 0, 0), (9, 0, 5), (3, 7, 2)):
        ras = world_matrix[:3, :3] @ ijk + world_matrix[:3, 3]
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(ijk), ras * [-1, -1, 1], atol=1e-3)
    for path, mask in zip(report.single_files, masks().values(), strict=True):
        np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), mask)


def test_values_stay_the_same_from_case_to_case(world, tmp_path):
    from UniverSegSlicerLib.scene.mrml.export import export_nifti

    volume = world.volume(np.zeros(SHAPE, np.int16))
    first = world.segmentation(volume, masks(), "One")
    export_nifti(volume, first, tmp_path)
    second = world.segmentation(volume, {"Kidney": masks()["Liver"], "Spleen": masks()["Spleen"]}, "Two")
    report = export_nifti(volume, second, tmp_path)
    assert report.values == {"Kidney": 3, "Spleen": 2}
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(report.label_map)))
    assert set(np.unique(labels)) == {0, 2, 3}
    with report.names_file.open(newline="") as file:
        rows = [(row["LabelValue"], row["Name"]) for row in csv.DictReader(file)]
    assert rows == [("1", "Liver"), ("2", "Spleen"), ("3", "Kidney")]
    # One structure alone keeps its value too.
    assert export_nifti(volume, second, tmp_path, chosen=("Kidney",), name="Three").values == {"Kidney": 3}


def test_slicer_reads_the_names_file_as_a_colour_table(world, tmp_path):
    from UniverSegSlicerLib.scene.mrml.export import export_nifti

    volume = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(volume, masks())
    segmentation.GetSegmentation().GetSegment("Liver").SetColor(1.0, 0.5, 0.0)
    report = export_nifti(volume, segmentation, tmp_path)
    storage = world.scene.AddNewNodeByClass("vtkMRMLColorTableStorageNode")
    storage.SetFileName(str(report.names_file))
    table = world.scene.AddNewNodeByClass("vtkMRMLColorTableNode")
    assert storage.ReadData(table)
    colour = [0.0] * 4
    table.GetColor(1, colour)
    assert table.GetColorName(1) == "Liver"
    assert colour[:3] == pytest.approx([1.0, 128 / 255, 0.0], abs=1e-3)
    assert table.GetColorName(2) == "Spleen"


def test_bad_names_files_and_twin_names_are_refused_before_writing(world, tmp_path):
    from UniverSegSlicerLib.scene.mrml.export import export_nifti

    volume = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(volume, masks())
    names = tmp_path / "labels.csv"
    for text in ("a,b\n1,2\n", "LabelValue,Name,Color_R,Color_G,Color_B\nx,Liver,1,2,3\n"):
        names.write_text(text)
        with pytest.raises(InputError, match="is not a names file"):
            export_nifti(volume, segmentation, tmp_path)
    names.write_text("LabelValue,Name,Color_R,Color_G,Color_B\n1,Liver,1,2,3\n1,Spleen,1,2,3\n")
    with pytest.raises(InputError, match="has the value 1 twice"):
        export_nifti(volume, segmentation, tmp_path)
    names.unlink()
    segmentation.GetSegmentation().GetSegment("Spleen").SetName("Liver")
    with pytest.raises(InputError, match="Two segments are called 'Liver'"):
        export_nifti(volume, segmentation, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_names_that_files_cannot_tell_apart(world, tmp_path):
    from UniverSegSlicerLib.scene.mrml.export import export_nifti

    volume = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(
        volume, {"a/b": masks()["Liver"], "A b": masks()["Spleen"], "ключ": masks()["Liver"]}
    )
    report = export_nifti(volume, segmentation, tmp_path, single_files=True)
    assert len({path.name.lower() for path in report.single_files}) == 3
    assert all(path.is_file() for path in report.single_files)


def test_folder_that_cannot_be_written_to(world, tmp_path):
    from UniverSegSlicerLib.scene.mrml.export import export_nifti

    volume = world.volume(np.zeros(SHAPE, np.int16))
    segmentation = world.segmentation(volume, masks())
    blocked = tmp_path / "file"
    blocked.write_text("a file, not a folder")
    with pytest.raises(OutputError, match="cannot be written to"):
        export_nifti(volume, segmentation, blocked)
    assert blocked.read_text() == "a file, not a folder"
    if Path("/proc/version").exists():  # a folder that even root cannot write to
        with pytest.raises(OutputError, match="cannot be written"):
            export_nifti(volume, segmentation, "/proc/export")
