"""The built-in declarations as a whole: which data sets there are, what they say of themselves, and what is refused."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import trainer.megamedical.declaration as module
from Testing.trainer.declarations.paths import vary
from trainer.megamedical.declaration import Declaration, builtin_declarations, load_declaration, parse_declaration
from trainer.megamedical.modality import family
from UniverSegSlicerLib.errors import InputError

FOLDER = Path(module.__file__).with_name("datasets")
FILES = sorted(FOLDER.glob("*.yaml"))
DECLARATIONS = builtin_declarations()
PAPER = [d for d in DECLARATIONS.values() if d.paper.get("membership") != "none"]

# Facts of the paper and of its successors, not of these files.
HELD_OUT = {"ACDC", "PanDental", "SCD", "STARE", "SpineWeb", "WBC"}
SURE = 39
RECALLED = {"CoNSeP", "TUCC"}
INFERRED = {
    "BrainMetShare", "FLARE", "ISBI-EM", "ISIC", "PanNuke", "VerSe", "TotalSegmentator",
    "ABIDE", "ADHD200", "ADNI", "COBRE", "GSP",
}  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_is_valid_and_named_after_its_data_set(path: Path) -> None:
    assert load_declaration(path).id == path.stem


def test_the_paper_has_53_data_sets_of_which_6_are_held_out() -> None:
    assert len(FILES) == len(DECLARATIONS)
    assert len(PAPER) == 53
    assert {d.id for d in DECLARATIONS.values() if d.role == "heldout"} == HELD_OUT


def test_membership_is_told_with_its_confidence() -> None:
    by_membership: dict[str, set[str]] = {}
    for declaration in PAPER:
        by_membership.setdefault(declaration.paper["membership"], set()).add(declaration.id)
    assert by_membership["recalled"] == RECALLED
    assert by_membership["inferred"] == INFERRED
    assert len(by_membership["successor_table"]) == SURE


def test_names_in_the_paper_are_unique_and_ids_differ_beyond_case() -> None:
    names = [d.paper["name"] for d in PAPER]
    assert len(set(names)) == len(names)
    assert len({d.id.casefold() for d in DECLARATIONS.values()}) == len(DECLARATIONS)


def test_scans_add_up_to_what_the_paper_counts() -> None:
    """The 39 sure and 2 recalled rows carry 16,565 scans."""
    total = sum(d.paper["scans"] or 0 for d in PAPER if d.paper["membership"] in ("successor_table", "recalled"))
    assert total == 16_565


def test_every_reader_is_used() -> None:
    used = {group.reader for d in DECLARATIONS.values() for group in d.groups}
    assert used == {"volume", "stack", "image", "table", "json"}


@pytest.mark.parametrize("declaration", DECLARATIONS.values(), ids=lambda d: d.id)
def test_sharing_is_told_by_both_sides_and_names_data_sets(declaration: Declaration) -> None:
    for other in declaration.shares_data_with:
        assert declaration.id in DECLARATIONS[other].shares_data_with


def test_no_training_set_shares_files_with_a_held_out_one() -> None:
    """The volumes of cDEMRIS were also read as part of SCD; here the folders of SCD are others."""
    theirs = {root for group in DECLARATIONS["cDEMRIS"].groups for root in group.roots}
    assert not theirs & {root for group in DECLARATIONS["SCD"].groups for root in group.roots}


@pytest.mark.parametrize("declaration", DECLARATIONS.values(), ids=lambda d: d.id)
def test_rank_follows_the_licence(declaration: Declaration) -> None:
    licence = declaration.licence
    if licence.commercial_use != "yes":
        assert licence.rank == ("B" if licence.commercial_use == "no" else "C")
    elif re.search(r"-SA|GPL", licence.name):
        assert licence.rank == "B"
    else:
        assert licence.rank == "A"


@pytest.mark.parametrize("declaration", DECLARATIONS.values(), ids=lambda d: d.id)
def test_a_doubtful_licence_is_no_permission(declaration: Declaration) -> None:
    """Where no text was seen or recalled, nothing is promised."""
    if declaration.confidence["licence"] == "unknown":
        assert declaration.licence.commercial_use in ("unknown", "unclear")


@pytest.mark.parametrize("declaration", DECLARATIONS.values(), ids=lambda d: d.id)
def test_the_intensity_rule_fits_the_modality(declaration: Declaration) -> None:
    """The original sent MRI scans of AMOS through the CT window, and called CT "FLAIR" and dermoscopy "OCT"."""
    rules = {"CT": {"ct"}, "MR": {"mr"}}
    for group in declaration.groups:
        for name in group.modalities:
            assert family(name) != "other", name
            # The FLAIR of LGGFlair comes as pictures of 8 bits that are windowed already.
            expected = rules.get(family(name), {"none"}) if group.reader != "stack" else {"ct", "mr", "none"}
            assert group.intensity.rule in expected, (group.name, name)


def test_ct_windows_are_those_of_the_paper() -> None:
    windows = {g.intensity.window for d in DECLARATIONS.values() for g in d.groups if g.intensity.rule == "ct"}
    assert windows == {(-500.0, 1000.0), (-250.0, 250.0)}


@pytest.mark.parametrize("declaration", DECLARATIONS.values(), ids=lambda d: d.id)
def test_label_names_are_unique_words(declaration: Declaration) -> None:
    for group in declaration.groups:
        names = [label.name for label in group.label.labels]
        assert len(set(names)) == len(names), group.name
        assert len({label.value for label in group.label.labels}) == len(names), group.name
        assert all(name == name.strip() and "_" not in name for name in names), group.name


@pytest.mark.parametrize("declaration", DECLARATIONS.values(), ids=lambda d: d.id)
def test_official_splits_are_what_the_patterns_catch(declaration: Declaration) -> None:
    for group in declaration.groups:
        catches = any("(?P<split>" in pattern for pattern in group.image_patterns)
        assert catches == bool(group.official_split), group.name
        for value in group.official_split:
            vary(group.image_patterns, group.example_image, split=value)


def test_task_counts_of_well_known_sets() -> None:
    """Groups x modalities x axes x labels, counted by hand from the published label lists."""
    counts = {"ACDC": 3, "BTCV": 39, "WORD": 48, "OASIS": 105, "MSD": 76, "TotalSegmentator": 312, "BRATS": 132}
    assert {name: DECLARATIONS[name].task_count for name in counts} == counts


def _valid() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / "SegTHOR.yaml").read_text(encoding="utf-8"))
    return loaded


def _edited(*path: str | int, value: Any) -> dict[str, Any]:
    data = copy.deepcopy(_valid())
    place: Any = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (_edited("groups", 0, "label", "pattern", value="^(?P<subject"), "does not compile"),
        (_edited("groups", 0, "image", "pattern", value="^nothing$"), "example_image"),
        (_edited("groups", 0, "label", "names", value={"heart": "heart"}), "label key 'heart'"),
        (_edited("groups", 0, "reader", value="picture"), "groups/0/reader"),
        (_edited("groups", 0, "alternative_to", value="nobody"), "'nobody' is no group"),
        (_edited("licence", "commercial_use", value=False), "licence/commercial_use"),
        (_edited("licnce", value={}), "licnce"),
        (_edited("groups", 0, "label", "encoding", value="classes"), "named group class"),
        (_edited("groups", value=[_valid()["groups"][0]] * 2), "same name"),
        ({}, "required"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_declaration_is_refused_with_the_place(data: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        parse_declaration(data, "SegTHOR.yaml")
