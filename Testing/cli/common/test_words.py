"""What the command line says: in the user's words, on every console, with nothing passed over in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from UniverSegSlicerLib.files import Segment, read_label_map, write_label_map

from ..conftest import Command, Scan
from ..test_bad_input import assert_refused

COMMANDS = [
    (),
    ("propagate",),
    ("segment",),
    ("click",),
    ("support",),
    ("support", "create"),
    ("models", "list"),
    ("demo",),
]


@pytest.mark.parametrize("words", COMMANDS)
def test_short_help_of_every_command(command: Command, words: tuple[str, ...]) -> None:
    done = command(*words, "-h")
    assert done.code == 0 and "Usage" in done.out


def run_propagate(command: Command, scan: Scan, model: Path, *more: object, labels: Path | None = None) -> object:
    return command(
        "propagate", scan.volume, labels or scan.labels, "-o", scan.folder / "out.seg.nrrd", "-m", model, *more
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--range", "30:40"), "--range 30:40"),
        (("--marked", "99"), "--marked 99"),
        (("--ending", "200"), "--ending is 200.0"),
        (("--axis", "i"), "no i slice is wholly marked"),
    ],
)
def test_options_are_named_as_typed(
    scan: Scan, tiny_model_path: Path, command: Command, given: tuple[str, ...], said: str
) -> None:
    done = run_propagate(command, scan, tiny_model_path, *given)
    assert_refused(done, said)
    assert not any(word in done.err for word in ("slice_range", "marked_indices", "0x"))


def test_two_outputs_of_one_name(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    done = run_propagate(command, scan, tiny_model_path, "--confidence", scan.folder / "out.seg.nrrd")
    assert_refused(done, "given for two outputs")


def test_axes_in_any_case_and_names_of_segments(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    marks = read_label_map(scan.labels)
    named = (Segment(1, "liver", (1.0, 0.0, 0.0)), Segment(3, "catheter"))
    write_label_map(scan.folder / "named.seg.nrrd", marks.array, marks.geometry, segments=named)
    done = run_propagate(command, scan, tiny_model_path, "--axis", "K", labels=scan.folder / "named.seg.nrrd")
    assert done.code == 0 and "liver" in done.out and "catheter" in done.out
    out = read_label_map(scan.folder / "out.seg.nrrd")
    assert out.names == {1: "liver", 3: "catheter"} and out.segments[0].colour == (1.0, 0.0, 0.0)


def test_a_finished_segmentation_leaves_nothing_to_do(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    geometry = read_label_map(scan.labels).geometry
    write_label_map(scan.folder / "all.nii.gz", np.ones(scan.truth.shape, np.uint8), geometry)
    done = run_propagate(command, scan, tiny_model_path, "--axis", "k", labels=scan.folder / "all.nii.gz")
    assert done.code == 0 and "every slice is marked" in done.err


def test_cropped_and_reordered_marks_are_said_to_be_taken(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    image = sitk.ReadImage(str(scan.labels))
    sitk.WriteImage(sitk.Flip(image, [False, True, False]), str(scan.folder / "flipped.nii.gz"))
    done = run_propagate(command, scan, tiny_model_path, labels=scan.folder / "flipped.nii.gz")
    assert done.code == 0 and "in another axis order: reordered" in done.err
    flipped = read_label_map(scan.folder / "out.seg.nrrd").array
    assert run_propagate(command, scan, tiny_model_path).err == ""
    np.testing.assert_array_equal(flipped, read_label_map(scan.folder / "out.seg.nrrd").array)


def test_examples_without_any_label_are_no_support_set(scan: Scan, command: Command) -> None:
    create = ("support", "create", scan.volume, scan.labels, "-o", scan.folder / "set.npz")
    assert_refused(command(*create, "--slices", "0,1", "--axis", "k"), "none of the examples has a label")
    assert_refused(command(*create, "--slices", "99", "--axis", "k"), "--slices 99")


def test_clicks_that_say_nothing_or_contradict(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    click = ("click", scan.volume, "--slice", "k:2", "-o", scan.folder / "out.nii.gz", "-m", tiny_model_path)
    assert_refused(command(*click, "--exclude", "3,4"), "click on the structure at least once")
    assert_refused(command(*click, "--exclude", "3,4", "--include", "3,4"), "both name the voxel 3,4")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_console_that_cannot_show_a_letter_does_not_end_the_run(tmp_path: Path, encoding: str) -> None:
    folder = tmp_path / "患者"
    folder.mkdir()
    code = (
        "import sys; from UniverSegSlicerLib.cli.running import run; run(['--version']);"
        "from UniverSegSlicerLib.cli.common.console import say, notice, print_json;"
        "say(sys.argv[1]); notice(sys.argv[1]); print_json({'a': sys.argv[1]})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
