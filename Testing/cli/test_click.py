"""One slice from clicks through the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from UniverSegSlicerLib.cli.common.values import parse_point
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files import read_label_map, read_volume

from .conftest import Command, Scan
from .test_bad_input import assert_refused


def test_a_click_segments_its_slice_only(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    out, chance = scan.folder / "out.nii.gz", scan.folder / "chance.nii.gz"
    clicks = ("--include", "16,16", "--include", "18,14", "--exclude", "34,26")
    done = command(
        "click",
        scan.volume,
        "--slice",
        "k:8",
        *clicks,
        "-o",
        out,
        "--probability",
        chance,
        "-m",
        tiny_model_path,
        "--json",
    )
    assert (done.code, done.err) == (0, "")
    result, probability = read_label_map(out), read_volume(chance)
    assert result.geometry.difference(scan.image.geometry) is None
    assert np.count_nonzero(result.array) == done.json["pixels"] == np.count_nonzero(result.array[8])
    assert np.array_equal(result.array[8] == 1, probability.array[8] > 0.5)
    assert not np.delete(probability.array, 8, axis=0).any()


def test_marks_serve_as_examples_and_stay(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    out = scan.folder / "out.nii.gz"
    options = ("--label", 3, "--slice", "k:6", "--include", "34,26", "-m", tiny_model_path, "--json")
    done = command("click", scan.volume, scan.labels, *options, "-o", out)
    assert (done.code, done.err) == (0, "") and done.json["examples"] == 3
    result = read_label_map(out).array
    assert np.array_equal(result[list(scan.marked)], scan.truth[list(scan.marked)])
    assert set(np.unique(result[6])) <= {0, 3}


def test_what_is_on_the_slice_is_corrected(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    out = scan.folder / "out.nii.gz"
    options = ("--label", 3, "--slice", "k:8", "--exclude", "34,26", "-m", tiny_model_path)
    assert command("click", scan.volume, scan.labels, *options, "-o", out).code == 0
    result = read_label_map(out).array
    others = scan.truth[8] == 1
    assert np.array_equal(result[8] == 1, others & (result[8] != 3)), "label 1 gives way only where 3 was found"
    assert np.array_equal(result[[4, 12]], scan.truth[[4, 12]])


def test_the_output_goes_on_to_propagate(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    marks, out = scan.folder / "clicked.nii.gz", scan.folder / "out.nii.gz"
    click = ("click", scan.volume, scan.labels, "--slice", "k:6", "--include", "16,16", "-m", tiny_model_path)
    assert command(*click, "-o", marks).code == 0
    done = command("propagate", scan.volume, marks, "-o", out, "-m", tiny_model_path, "--range", "5:7", "--json")
    assert done.code == 0 and set(scan.marked) <= set(done.json["marked"])


@pytest.mark.parametrize(
    ("text", "axis", "expected"),
    [
        ("12,34", "k", (34, 12)),  # I, J: rows are J
        ("12,34", "j", (34, 12)),  # I, K: rows are K
        ("12,34", "i", (34, 12)),  # J, K: rows are K
        ("12,34,7", "k", (34, 12)),
        ("12,7,34", "j", (34, 12)),
        ("7,12,34", "i", (34, 12)),
        (" 12 , 34 ", "k", (34, 12)),
    ],
)
def test_points_are_written_as_voxels(text: str, axis: str, expected: tuple[int, int]) -> None:
    assert parse_point(text, axis, 7, "--include") == expected


@pytest.mark.parametrize("text", ["12", "12;34", "1,2,3,4", "a,b", "-1,4", "1.5,2", "", "12,34,8"])
def test_points_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="--include"):
        parse_point(text, "k", 7, "--include")


def test_bad_input(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    before = scan.files()
    good = {"--slice": "k:8", "--include": "16,16", "-o": str(scan.folder / "out.nii.gz"), "-m": str(tiny_model_path)}
    bad = [
        ({"--slice": "k:16"}, "k:15"),
        ({"--slice": "x:3"}, "--slice 'x:3'"),
        ({"--slice": "k"}, "--slice 'k'"),
        ({"--include": "48,3"}, "--include 48,3 is outside"),
        ({"--include": "3,40"}, "--include 3,40 is outside"),
        ({"--include": "3"}, "--include '3'"),
        ({"-o": str(scan.volume)}, "input"),
        ({"--label": "0"}, "--label"),
        ({"--support": str(scan.volume)}, "scan.nii.gz"),
    ]
    for change, part in bad:
        options = [word for pair in {**good, **change}.items() for word in pair]
        assert_refused(command("click", scan.volume, *options), part)
    without = [word for key, value in good.items() if key != "--include" for word in (key, value)]
    assert_refused(command("click", scan.volume, *without), "nothing to go by")
    assert_refused(command("click", scan.volume, "--include", "1,1", "-o", "x.nii.gz"), "--slice")
    assert scan.files() == before
