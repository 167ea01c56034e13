"""Which volumes are meant, and what their label maps are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from Testing.cohort.conftest import GRID, Made, body
from UniverSegSlicerLib.cohort.inputs.supports import read_support
from UniverSegSlicerLib.cohort.inputs.volumes import find_cases
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files import write_label_map, write_volume


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def outputs(root: Path, volumes: object, **options: str) -> list[str]:
    return [case.output for case in find_cases(volumes, root / "out", **options)]  # type: ignore[arg-type]


def test_a_folder_with_what_lies_in_it(tmp_path: Path) -> None:
    touch(tmp_path, "b/scan.nii.gz", "a.nrrd", "a.txt", "c.mhd", "c.raw", ".hidden/x.nii", "out/a.nrrd", "._a.nrrd")
    touch(tmp_path, "dicom/series/1.dcm", "dicom/series/2.dcm")
    found = find_cases(tmp_path, tmp_path / "out")
    assert [case.output for case in found] == ["a.nrrd", "c.nii.gz", "b/scan.nii.gz", "dicom/series.nii.gz"]
    assert [case.name for case in found] == ["a", "c", "b/scan", "dicom/series"]


def test_a_folder_of_dicom_files_is_one_volume(tmp_path: Path) -> None:
    touch(tmp_path, "p1/1.dcm", "p1/2.dcm", "p2/deep/1.dcm")
    assert outputs(tmp_path, tmp_path) == ["p1.nii.gz", "p2/deep.nii.gz"]


def test_a_pattern(tmp_path: Path) -> None:
    touch(tmp_path, "s1/image.nii.gz", "s1/label.nii.gz", "s2/image.nii.gz", "out/s1/image.nii.gz")
    assert outputs(tmp_path, f"{tmp_path}/*/image.nii.gz") == ["s1/image.nii.gz", "s2/image.nii.gz"]


@pytest.mark.parametrize("text", ["case,volume\none,s/a.nii.gz\n", "﻿Case;Volume\none;s/a.nii.gz\n"])
def test_a_table_names_its_cases(tmp_path: Path, text: str) -> None:
    touch(tmp_path, "s/a.nii.gz")
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    (case,) = find_cases(tmp_path / "list.csv", tmp_path / "out")
    assert (case.name, case.volume, case.output) == ("one", tmp_path / "s/a.nii.gz", "one.nii.gz")


def bids(root: Path, *images: str) -> Path:
    touch(root, *images)
    (root / "dataset_description.json").write_text(json.dumps({"Name": "Mine", "BIDSVersion": "1.8.0"}))
    return root


def test_bids_images_get_names_of_derivatives(tmp_path: Path) -> None:
    root = bids(
        tmp_path / "data", "sub-01/anat/sub-01_T1w.nii.gz", "sub-02/ses-1/anat/sub-02_ses-1_run-2_T1w.nii.gz",
        "sub-01/func/sub-01_task-rest_bold.nii.gz", "derivatives/x/sub-01/anat/sub-01_T1w.nii.gz",
    )  # fmt: skip
    assert outputs(tmp_path, root) == [
        "sub-01/anat/sub-01_desc-universeg_dseg.nii.gz",
        "sub-02/ses-1/anat/sub-02_ses-1_run-2_desc-universeg_dseg.nii.gz",
    ]
    bids(root, "sub-01/anat/sub-01_T2w.nii.gz")
    with pytest.raises(InputError, match=r"T1w \(2\), T2w \(1\); choose one"):
        outputs(tmp_path, root)
    assert len(outputs(tmp_path, root, suffix="T2w")) == 1
    with pytest.raises(InputError, match="no image with the suffix FLAIR"):
        outputs(tmp_path, root, suffix="FLAIR")


def test_a_bids_cohort_is_a_derivative(made: Made) -> None:
    root = bids(made.root / "data", "sub-01/anat/sub-01_T1w.nii.gz")
    write_volume(root / "sub-01/anat/sub-01_T1w.nii.gz", body()[0].array, GRID)
    cohort = made.run(volumes=root)
    assert not cohort.failed
    anat = made.out / "sub-01" / "anat"
    assert {path.name for path in anat.iterdir()} == {
        "sub-01_desc-universeg_dseg.nii.gz",
        "sub-01_desc-universeg_dseg.tsv",
    }
    assert (anat / "sub-01_desc-universeg_dseg.tsv").read_text() == "index\tname\n0\tBackground\n1\tbody\n"
    said = json.loads((made.out / "dataset_description.json").read_text())
    assert said["DatasetType"] == "derivative" and said["GeneratedBy"][0]["Name"] == "UniverSegSlicer"


@pytest.mark.parametrize(
    ("files", "given", "message"),
    [
        ([], "", r"no volume matched .*a CSV with a column"),
        ([], "*.nii", r"no volume matched"),
        ([], "gone", r"does not exist; give a file, a folder, a pattern"),
        (["a.nii", "b.csv"], "b.csv", r"one named `volume` with paths is needed"),
        (["a.hdr", "a.mhd"], "", r"a.hdr and .*a.mhd would both be written as a.nii.gz"),
    ],
)
def test_volumes_that_cannot_be_meant(tmp_path: Path, files: list[str], given: str, message: str) -> None:
    touch(tmp_path, *files)
    with pytest.raises(InputError, match=message):
        outputs(tmp_path, str(tmp_path / given))


def test_a_label_map_never_takes_the_place_of_its_volume(tmp_path: Path) -> None:
    touch(tmp_path, "s/a.nii.gz")
    with pytest.raises(InputError, match="would take its place"):
        find_cases([tmp_path / "s/a.nii.gz"], tmp_path / "s")


def test_supports_are_sets_and_pairs(made: Made) -> None:
    volume, truth = body(9)
    scan, labels = made.root / "scan.nii.gz", made.root / "labels.nii.gz"
    write_volume(scan, volume.array, GRID)
    write_label_map(labels, truth, GRID)
    support = read_support([made.support, scan, labels])
    assert len(support.scans) == 1 and len(support.examples) > 3 and support.label_names == {1: "body"}
    with pytest.raises(InputError, match=r"scan.nii.gz stands alone"):
        read_support([scan, made.support])
    write_label_map(labels, truth * 0, GRID)
    with pytest.raises(InputError, match="is empty: mark slices"):
        read_support([scan, labels])
