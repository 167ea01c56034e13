"""Options that change nothing beside the others are said to, on stderr, in one line each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from UniverSegSlicerLib.files import Segment, read_label_map, read_layers, write_layers
from UniverSegSlicerLib.files.label_maps import LabelMap
from UniverSegSlicerLib.files.pictures import write_picture
from UniverSegSlicerLib.segmentation import SupportSet

from ..conftest import Command, Scan
from ..test_bad_input import assert_refused


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--names 1=liver,7=spleen", "--names: there is no label 7 to be called spleen; there are 1, 3."),
        ("--names 3=liver --labels 1", "--names: there is no label 3 to be called liver; there are 1."),
        ("--strategy cascade --passes 2", "--passes has no effect with the strategy cascade."),
        ("--strategy independent --smooth 0", "--smooth has no effect with the strategy independent."),
        ("--strategy independent --detail 2", "--detail has no effect with the strategy independent."),
        ("--strategy cascade --ending 0", "--ending has no effect with the strategy cascade."),
        ("--choice all --support-size 3", "--support-size has no effect with --choice all."),
        ("--seed 4", "--seed 4 has no effect: nothing in this run is drawn at random."),
        ("--marked 8 --ensemble 2", "--ensemble 2 has no effect: there is one example, which every draw takes."),
    ],
)
def test_an_option_without_effect_is_said_to_be_one(
    scan: Scan, tiny_model_path: Path, command: Command, given: str, said: str
) -> None:
    run = ("propagate", scan.volume, scan.labels, "-o", scan.folder / "out.nii.gz", "-m", tiny_model_path)
    done = command(*run, "--range", "7:9", *given.split())
    assert done.code == 0 and done.err == f"Note: {said}\n"


@pytest.mark.parametrize("given", ["--seed 4 --ensemble 2", "--seed 4 --choice random", "--passes 1 --smooth 2"])
def test_an_option_with_effect_is_not(scan: Scan, tiny_model_path: Path, command: Command, given: str) -> None:
    run = ("propagate", scan.volume, scan.labels, "-o", scan.folder / "out.nii.gz", "-m", tiny_model_path)
    done = command(*run, "--range", "7:9", *given.split())
    assert (done.code, done.err) == (0, "")


def test_a_label_that_is_asked_for_and_absent(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    run = ("propagate", scan.volume, scan.labels, "-o", scan.folder / "out.nii.gz", "-m", tiny_model_path)
    assert_refused(command(*run, "--labels", "9"), "--labels 9: label 9 is absent")


def test_without_marks(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    labels = read_label_map(scan.labels)
    examples = SupportSet.from_volume(scan.image, labels.array, "k")
    examples.save(scan.folder / "set.npz")
    run = ("propagate", scan.volume, "--support", scan.folder / "set.npz", "-o", scan.folder / "out.nii.gz")
    done = command(*run, "-m", tiny_model_path, "--range", "7:8", "--keep-detached", "--labels", "1")
    assert done.code == 0 and "--keep-detached has no effect without marked slices" in done.err
    assert "--margin-mm" not in done.err
    done = command(*run, "-m", tiny_model_path, "--range", "7:8", "--margin-mm", "9", "--labels", "1")
    assert done.code == 0 and "--margin-mm has no effect without marked slices" in done.err
    SupportSet.from_scan(scan.image, scan.truth, source="a").save(scan.folder / "whole.npz")
    run = ("propagate", scan.volume, "--support", scan.folder / "whole.npz", "-o", scan.folder / "out.nii.gz")
    done = command(*run, "-m", tiny_model_path, "--range", "7:8", "--margin-mm", "9", "--support-size", "20")
    assert done.code == 0 and "--support-size 20 has no effect beyond 6" in done.err and "--margin-mm" not in done.err
    done = command(*run, "-m", tiny_model_path, "--range", "7:8", "--support-size", "20", "--choice", "all")
    assert "--support-size has no effect with --choice all." in done.err and "beyond" not in done.err
    done = command(*run, "-m", tiny_model_path, "--range", "7:8", "--support-size", "10")
    assert "--support-size 10 has no effect beyond 6" in done.err
    done = command("click", scan.volume, "--slice", "k:6", "--include", "20,20", "--support", scan.folder / "set.npz",
                   "--label", "2", "-o", scan.folder / "out.nii.gz", "-m", tiny_model_path)  # fmt: skip
    assert "set.npz has no example of label 2; it has 1, 3." in done.err


def test_support_sets_and_pictures(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    made = command("support", "create", scan.volume, scan.labels, "-o", scan.folder / "set.npz", "--slices-only",
                   "--names", "2=kidney,3=liver")  # fmt: skip
    assert made.code == 0
    assert made.err.splitlines() == [
        "Note: --names: there is no label 2 to be called kidney; there are 1, 3.",
        "Note: --slices-only has no effect: a scan goes in only where LABELS is complete and no --slices are named.",
    ]
    for folder, value in (("images", 90), ("labels", 1)):
        (scan.folder / folder).mkdir()
        picture = np.zeros((16, 16), np.uint8)
        picture[4:9, 4:9] = value
        write_picture(scan.folder / folder / "a.png", picture)
    pairs = ("--support-images", scan.folder / "images", "--support-labels", scan.folder / "labels")
    run = ("segment", *pairs, "--images", scan.folder / "images", "-m", tiny_model_path, "-o", scan.folder / "masks")
    done = command(*run, "--ensemble", "3", "--seed", "5")
    assert done.code == 0 and "--ensemble 3 has no effect" in done.err and "--seed 5 has no effect" in done.err


def test_layers_that_overlap_are_segmented_side_by_side(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    marks = read_label_map(scan.labels)
    liver, tumour = (marks.array == 1).astype(np.uint16), np.zeros_like(marks.array)
    tumour[8][liver[8] > 0] = 2
    layers = [LabelMap(liver, marks.geometry, (Segment(1, "liver", (1.0, 0.0, 0.0)),)),
              LabelMap(tumour, marks.geometry, (Segment(2, "tumour"),))]  # fmt: skip
    write_layers(scan.folder / "marks.seg.nrrd", layers)
    run = ("propagate", scan.volume, scan.folder / "marks.seg.nrrd", "-m", tiny_model_path, "--json")
    done = command(*run, "-o", scan.folder / "out.seg.nrrd", "--range", "6:10")
    assert done.code == 0 and set(done.json["labels"]) == {"1", "2"}
    first, second = read_layers(scan.folder / "out.seg.nrrd")
    assert (first.names, second.names) == ({1: "liver"}, {2: "tumour"}) and first.segments[0].colour == (1, 0, 0)
    np.testing.assert_array_equal(first.array[8], liver[8])
    np.testing.assert_array_equal(second.array[8], tumour[8])
    assert ((first.array[8] > 0) & (second.array[8] > 0)).any()
    done = command(*run, "-o", scan.folder / "out.nii.gz")
    assert_refused(done, "overlap, in 2 layers (liver, tumour)")
