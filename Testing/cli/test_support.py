"""Support sets through the command: made, looked into, unpacked, used again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from UniverSegSlicerLib.files import write_label_map
from UniverSegSlicerLib.files.pictures import read_label_picture, read_picture
from UniverSegSlicerLib.imaging import IntensityWindow
from UniverSegSlicerLib.segmentation import SupportSet

from .conftest import Command, Scan
from .test_bad_input import assert_refused


@pytest.fixture
def made(scan: Scan, command: Command) -> Path:
    """A support set of the scan's marked slices."""
    path = scan.folder / "bodies.npz"
    done = command("support", "create", scan.volume, scan.labels, "-o", path, "--names", "1=left, 3=right")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{path}: 3 examples, labels 1 (left), 3 (right).\n"
    return path


def test_a_support_set_holds_the_slices_without_loss(scan: Scan, made: Path) -> None:
    support = SupportSet.load(made)
    assert [example.index for example in support.examples] == list(scan.marked)
    assert support.label_names == {1: "left", 3: "right"}
    window = IntensityWindow.of(scan.image.array)
    for example in support.examples:
        assert example.index is not None
        assert np.array_equal(example.image, window.apply(scan.image.array[example.index]))
        assert np.array_equal(example.labels, scan.truth[example.index])
        assert example.spacing == pytest.approx((1.1, 0.8))


def test_inspect(scan: Scan, made: Path, command: Command) -> None:
    picture = scan.folder / "set.png"
    done = command("support", "inspect", made, "--preview", picture)
    assert (done.code, done.err) == (0, "")
    for part in ("1 (left), 3 (right)", "k:8", "48 x 40", "0.8 x 1.1", "1, 3", "scan.nii.gz"):
        assert part in done.out
    with Image.open(picture) as drawn:
        assert drawn.format == "PNG" and min(drawn.size) > 200
    content = command("support", "inspect", made, "--json").json
    assert content["label_names"] == {"1": "left", "3": "right"} and content["preview"] is None
    assert [example["index"] for example in content["examples"]] == list(scan.marked)
    assert content["examples"][0]["size"] == [40, 48]


@pytest.mark.parametrize("form", ["npy", "png"])
def test_export_and_back(form: str, scan: Scan, made: Path, command: Command) -> None:
    folder = scan.folder / "unpacked"
    assert command("support", "export", made, "-o", folder, "--format", form).code == 0
    support = SupportSet.load(made)
    described = json.loads((folder / "support.json").read_text())
    assert [entry["stem"] for entry in described["examples"]] == ["example_0", "example_1", "example_2"]
    for entry, example in zip(described["examples"], support.examples, strict=True):
        assert np.array_equal(read_label_picture(folder / "labels" / f"{entry['stem']}.png"), example.labels)
        pixels = read_picture(folder / "images" / f"{entry['stem']}.{form}")
        if form == "npy":
            assert np.array_equal(pixels, example.image)
        else:
            assert np.abs(pixels / 65535 - example.image).max() < 1e-5
    again = scan.folder / "again.npz"
    folders = ("--images", folder / "images", "--image-labels", folder / "labels")
    assert command("support", "create", "-o", again, *folders, "--merge", made).code == 0
    both = SupportSet.load(again)
    assert len(both) == 6 and both.label_names == support.label_names
    assert np.array_equal(both.examples[0].image, support.examples[0].image)


def test_chosen_slices_may_be_empty(scan: Scan, command: Command) -> None:
    path = scan.folder / "some.npz"
    assert (
        command("support", "create", scan.volume, scan.labels, "-o", path, "--slices", "0,4", "--axis", "k").code == 0
    )
    examples = SupportSet.load(path).examples
    assert [example.index for example in examples] == [0, 4]
    assert not examples[0].labels.any() and examples[0].complete


def test_a_complete_label_map_needs_no_axis_and_keeps_the_scan(scan: Scan, command: Command) -> None:
    whole = scan.folder / "whole.nii.gz"
    write_label_map(whole, scan.truth, scan.image.geometry)
    path = scan.folder / "whole.npz"
    done = command("support", "create", scan.volume, whole, "-o", path)
    assert done.code == 0 and "taken along k" in done.out and "1 whole scan" in done.out
    assert "can identify a patient" in done.out
    assert len(SupportSet.load(path).scans) == 1
    shown = command("support", "inspect", path)
    assert "Whole scan: scan.nii.gz" in shown.out
    assert command("support", "inspect", path, "--json").json["scans"][0]["labels"] == [1, 3]
    done = command("support", "create", scan.volume, whole, "-o", path, "--slices-only")
    assert done.code == 0 and "whole scan" not in done.out and not SupportSet.load(path).scans
    marked = SupportSet.load(path)
    assert len(marked) > 3 and all(example.complete for example in marked.examples)


def test_a_label_map_that_looks_like_marks_is_complete_on_request(scan: Scan, command: Command) -> None:
    """Lesions that were drawn on thick slices: plates with gaps between them."""
    plates, path = np.zeros_like(scan.truth), scan.folder / "lesions.npz"
    plates[2:5], plates[9:12] = scan.truth[3], scan.truth[10]
    labels = scan.folder / "plates.nii.gz"
    write_label_map(labels, plates, scan.image.geometry)
    done = command("support", "create", scan.volume, labels, "-o", path)
    assert done.code == 0 and not SupportSet.load(path).scans
    done = command("support", "create", scan.volume, labels, "-o", path, "--complete")
    assert done.code == 0 and "1 whole scan" in done.out
    (held,) = SupportSet.load(path).scans
    assert np.count_nonzero(held.labels) == np.count_nonzero(plates)
    refused = command("support", "create", scan.volume, labels, "-o", path, "--complete", "--slices", "3,10")
    assert_refused(refused, "give one of them")
    write_label_map(labels, np.zeros_like(plates), scan.image.geometry)
    assert_refused(command("support", "create", scan.volume, labels, "-o", path, "--complete"), "no label")


def test_bad_input(scan: Scan, made: Path, command: Command) -> None:
    out = scan.folder / "out.npz"
    before = scan.files()
    assert_refused(command("support", "create", "-o", out), "VOLUME and LABELS")
    assert_refused(command("support", "create", scan.volume, "-o", out), "LABELS is missing")
    assert_refused(command("support", "create", scan.volume, scan.labels, "-o", scan.folder / "out.zip"), ".npz")
    assert_refused(command("support", "create", scan.volume, scan.labels, "-o", out, "--names", "0=air"), "--names")
    assert_refused(command("support", "create", "--images", scan.folder, "-o", out), "--image-labels")
    assert_refused(command("support", "create", scan.volume, made, "-o", out), "bodies.npz is not an image")
    assert_refused(command("support", "inspect", scan.volume), "scan.nii.gz")
    assert_refused(command("support", "inspect", scan.folder / "none.npz"), "none.npz")
    assert_refused(command("support", "export", scan.volume, "-o", scan.folder / "unpacked"), "scan.nii.gz")
    assert_refused(command("support", "export", made, "-o", scan.volume), "scan.nii.gz is a file")
    assert_refused(command("support", "export", made, "-o", scan.folder / "u", "--format", "bmp"), "--format")
    assert scan.files() == before


def test_a_cut_file_is_refused(scan: Scan, made: Path, command: Command) -> None:
    made.write_bytes(made.read_bytes()[:-300])
    assert_refused(command("support", "inspect", made), "bodies.npz is not a usable support set")
