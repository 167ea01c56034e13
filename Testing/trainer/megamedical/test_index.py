"""Finding and pairing files: nothing is lost silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from Testing.trainer.megamedical.made import PICTURES, VOLUMES, declare
from trainer.megamedical.index import list_files, match_dataset
from UniverSegSlicerLib.errors import InputError


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")


def only(match_root: Path, group: dict, **changes: object):  # type: ignore[no-untyped-def]
    (match,) = match_dataset(declare(group, **changes), match_root)
    return match


def test_unpaired_files_are_reported_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "images/b.png", "labels/b.png", "labels/c.png")
    match = only(tmp_path, PICTURES)
    assert [case.name for case in match.cases] == ["b"]
    assert match.images_without_label == ["images/a.png"]
    assert match.labels_without_image == ["labels/c.png"]
    assert any("images/a.png" in problem for problem in match.problems)


def test_mac_litter_is_not_looked_at(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "labels/a.png", "images/._a.png", "labels/._a.png", "images/.DS_Store")
    touch(tmp_path, "__MACOSX/images/z.png")
    assert list(list_files(tmp_path)) == ["images/a.png", "labels/a.png"]
    match = only(tmp_path, {**PICTURES, "image": {"pattern": r"images/(?P<subject>[^/]+)\.png$"}})
    assert [case.name for case in match.cases] == ["a"]
    assert not match.problems


def test_letters_of_any_case_and_uppercase_extensions_pair(tmp_path: Path) -> None:
    touch(tmp_path, "Images/Case01.PNG", "LABELS/case01.png")
    match = only(tmp_path, PICTURES)
    assert [case.subject for case in match.cases] == ["Case01"]
    assert not match.problems


def test_folder_of_the_data_set_comes_first_then_the_alternatives(tmp_path: Path) -> None:
    group = {**PICTURES, "root": ["v1", "v2"]}
    touch(tmp_path, "v2/images/a.png", "v2/labels/a.png")
    assert only(tmp_path, group).root == tmp_path / "v2"
    touch(tmp_path, "made/v2/images/b.png", "made/v2/labels/b.png")
    assert only(tmp_path, group).root == tmp_path / "made" / "v2"


def test_channels_are_one_case_and_a_second_file_of_one_channel_is_reported(tmp_path: Path) -> None:
    group = {
        **VOLUMES,
        "image": {"pattern": r"^(?P<subject>\w+)/(?P<channel>t1|t2)(?:_again)?\.nii\.gz$"},
        "modality": {"t1": "T1 MRI", "t2": "T2 MRI"},
        "example_image": "a/t1.nii.gz",
    }
    touch(tmp_path, "a/t1.nii.gz", "a/t2.nii.gz", "a/t2_again.nii.gz", "a/label.nii.gz")
    match = only(tmp_path, group)
    (case,) = match.cases
    assert set(case.images) == {"t1", "t2"}
    assert match.duplicates == ["a/t2_again.nii.gz"]


def test_official_split_and_composed_subject(tmp_path: Path) -> None:
    group = {
        **PICTURES,
        "image": {"pattern": r"^(?P<split>tr|te)/(?P<site>\w)_(?P<subject>\d+)\.png$"},
        "label": {**PICTURES["label"], "pattern": r"^(?P<split>tr|te)/(?P<site>\w)_(?P<subject>\d+)_gt\.png$"},
        "subject_from": ["site", "subject"],
        "official_split": {"tr": "train", "te": "test"},
        "example_image": "tr/A_1.png",
        "example_label": "tr/A_1_gt.png",
    }
    touch(tmp_path, "tr/A_1.png", "tr/A_1_gt.png", "te/B_1.png", "te/B_1_gt.png", "te/A_1_gt.png")
    match = only(tmp_path, group)
    assert {(case.subject, case.official_split) for case in match.cases} == {("A_1", "train"), ("B_1", "test")}
    assert match.labels_without_image == ["te/A_1_gt.png"]


def test_subjects_come_from_a_table_beside_the_files(tmp_path: Path) -> None:
    option = {"subjects": {"file": "who.csv", "row": "picture", "column": "patient"}}
    group = {**PICTURES, "image": {**PICTURES["image"], "options": option}}
    touch(tmp_path, "images/a.png", "labels/a.png", "images/b.png", "labels/b.png", "images/c.png", "labels/c.png")
    (tmp_path / "who.csv").write_text("picture,patient\na,P7\nb,P7\nc,\n", encoding="utf-8")
    assert [case.subject for case in only(tmp_path, group).cases] == ["P7", "P7", "c"]
    (tmp_path / "who.csv").unlink()
    with pytest.raises(InputError, match=r"who\.csv is missing"):
        only(tmp_path, group)


def test_a_root_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        only(tmp_path / "nowhere", PICTURES)


def test_one_listing_serves_many_data_sets(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "labels/a.png")
    listings: dict = {}
    assert match_dataset(declare(PICTURES), tmp_path, listings)[0].cases
    assert set(listings) == {tmp_path}
    listings[tmp_path] = []
    assert not match_dataset(declare(PICTURES), tmp_path, listings)[0].cases


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere", "images/a.png", "labels/a.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "made").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "again").symlink_to(tmp_path / "in")
    assert list(list_files(tmp_path / "in")) == ["made/images/a.png", "made/labels/a.png"]
    assert len(only(tmp_path / "in", PICTURES).cases) == 1
