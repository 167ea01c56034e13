"""The main job through the command: files in, files out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from UniverSegSlicerLib.files import read_label_map, read_volume, write_volume

from .conftest import Command, Scan


def test_a_new_user_segments_a_volume(scan: Scan, tiny_model_path: Path) -> None:
    out, sure, picture = (scan.folder / name for name in ("out.nii.gz", "sure.nii.gz", "out.png"))
    arguments = ["propagate", scan.volume, scan.labels, "-o", out, "--confidence", sure, "--preview", picture]
    run = subprocess.run(
        [sys.executable, "-m", "UniverSegSlicerLib.cli", *arguments, "--model", tiny_model_path, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    summary = json.loads(run.stdout)
    result = read_label_map(out)
    assert result.geometry.difference(scan.image.geometry) is None
    assert np.array_equal(result.array[list(scan.marked)], scan.truth[list(scan.marked)]), "marks come back as given"
    assert summary["marked"] == list(scan.marked) and summary["axis"] == "k" and summary["slices"] == 16
    assert set(summary["labels"]) == {str(value) for value in np.unique(result.array) if value}
    for value, found in summary["labels"].items():
        assert found["voxels"] == np.count_nonzero(result.array == int(value))
        assert found["ml"] == pytest.approx(found["voxels"] * 0.8 * 1.1 * 2.5 / 1000, abs=1e-3)
    assert summary["model"] == "tiny" and summary["device"] == "cpu" and summary["seconds"] > 0
    confidence = read_volume(sure)
    assert confidence.geometry.difference(scan.image.geometry) is None
    assert 0 <= confidence.array.min() <= confidence.array.max() <= 1
    with Image.open(picture) as drawn:
        assert drawn.format == "PNG" and min(drawn.size) > 200


def test_words_for_people(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    out = scan.folder / "out.nrrd"
    done = command("propagate", scan.volume, scan.labels, "-o", out, "-m", tiny_model_path, "--names", "1=left body")
    assert (done.code, done.err) == (0, "")
    assert f"{out}: left body " in done.out and "label 3 " in done.out
    assert "marked: k:4, k:8, k:12" in done.out and "with tiny on cpu" in done.out
    assert read_label_map(out).geometry.difference(scan.image.geometry) is None


def test_the_same_call_gives_the_same_file(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    results = []
    for name in ("a.nrrd", "b.nrrd"):
        arguments = ("--ensemble", 2, "--seed", 5, "--flips", "--precision", "fp32")
        assert (
            command(
                "propagate", scan.volume, scan.labels, "-o", scan.folder / name, "-m", tiny_model_path, *arguments
            ).code
            == 0
        )
        results.append(read_label_map(scan.folder / name).array)
    assert np.array_equal(*results)


def test_labels_range_and_strategy(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    out = scan.folder / "out.nii.gz"
    options = ("--labels", "3", "--range", "6:9", "--strategy", "independent", "--axis", "k", "--json")
    done = command("propagate", scan.volume, scan.labels, "-o", out, "-m", tiny_model_path, *options)
    assert done.code == 0 and done.json["strategy"] == "independent"
    result = read_label_map(out).array
    assert set(np.unique(result)) <= {0, 3}
    outside = [index for index in range(16) if not 6 <= index <= 9 and index not in scan.marked]
    assert not result[outside].any()
    assert np.array_equal(result[[4, 8, 12]] == 3, scan.truth[[4, 8, 12]] == 3)


def test_an_empty_slice_can_be_marked(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    out = scan.folder / "out.nii.gz"
    arguments = ("-m", tiny_model_path, "--marked", "0,4,8,12,15", "--json")
    done = command("propagate", scan.volume, scan.labels, "-o", out, *arguments)
    assert done.code == 0 and done.json["marked"] == [0, 4, 8, 12, 15]
    assert not read_label_map(out).array[[0, 15]].any(), "the slices that were marked as empty stay empty"


def test_a_support_set_alone_is_enough(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    support = scan.folder / "bodies.npz"
    assert command("support", "create", scan.volume, scan.labels, "-o", support).code == 0
    out = scan.folder / "out.nii.gz"
    done = command("propagate", scan.volume, "-o", out, "--support", support, "-m", tiny_model_path, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["marked"] == [] and done.json["support"] == 3 and done.json["axis"] == "k"
    assert read_label_map(out).array.shape == scan.truth.shape


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64])
def test_every_type_of_voxel_is_ordinary_input(
    dtype: type, scan: Scan, tiny_model_path: Path, command: Command
) -> None:
    volume, out = scan.folder / "typed.nrrd", scan.folder / "out.nrrd"
    voxels = np.clip(scan.image.array / 2, 0, 127).astype(dtype)
    if np.issubdtype(dtype, np.floating):
        voxels[0, 0, :3] = np.nan, np.inf, -np.inf
    write_volume(volume, voxels, scan.image.geometry)
    options = ("--labels", "1", "--range", "7:9", "--strategy", "independent")
    done = command("propagate", volume, scan.labels, "-o", out, "-m", tiny_model_path, *options)
    assert (done.code, done.err) == (0, "")


def test_a_constant_volume_is_ordinary_input(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    volume, out = scan.folder / "flat.nii.gz", scan.folder / "out.nii.gz"
    write_volume(volume, np.full(scan.truth.shape, 7, np.int16), scan.image.geometry)
    done = command(
        "propagate", volume, scan.labels, "-o", out, "-m", tiny_model_path, "--preview", scan.folder / "p.png"
    )
    assert (done.code, done.err) == (0, "")


def test_an_old_output_is_replaced(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    out = scan.folder / "out.nii.gz"
    out.write_bytes(b"something old")
    assert command("propagate", scan.volume, scan.labels, "-o", out, "-m", tiny_model_path, "--range", "7:9").code == 0
    assert read_label_map(out).array.any()


def test_all_three_axes(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    confidence = []
    for axes in (1, 3):
        out, sure = scan.folder / f"out{axes}.nii.gz", scan.folder / f"sure{axes}.nii.gz"
        options = ("-m", tiny_model_path, "--axes", axes, "--confidence", sure, "--json")
        done = command("propagate", scan.volume, scan.labels, "-o", out, *options)
        assert (done.code, done.err) == (0, "") and done.json["axis"] == "k"
        assert np.array_equal(read_label_map(out).array[list(scan.marked)], scan.truth[list(scan.marked)])
        confidence.append(read_volume(sure).array)
    assert confidence[1].mean() < confidence[0].mean(), "the other axes have a say"


def test_another_number_of_axes_is_refused(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    out = scan.folder / "out.nii.gz"
    done = command("propagate", scan.volume, scan.labels, "-o", out, "-m", tiny_model_path, "--axes", 2)
    assert done.code == 2 and "axes is 2, expected 1" in done.err
    assert not out.exists()


def test_what_touches_no_mark_is_removed_and_said(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    """The untrained network finds something here and there; asked to keep it, it stays."""
    arguments = ["propagate", scan.volume, scan.labels, "-m", tiny_model_path, "--strategy", "independent"]
    kept = command(*arguments, "-o", scan.folder / "kept.nrrd", "--keep-detached", "--json").json
    found = command(*arguments, "-o", scan.folder / "found.nrrd", "--json").json
    before, after = (read_label_map(scan.folder / f"{name}.nrrd").array for name in ("kept", "found"))
    gone = {value: int(np.count_nonzero((before == value) & (after == 0))) for value in np.unique(before) if value}
    assert kept["removed"] == {} and any(gone.values())
    assert found["removed"] == {str(value): n for value, n in gone.items() if n}
    assert np.array_equal(before[after > 0], after[after > 0]), "nothing else is changed"
    words = command(*arguments, "-o", scan.folder / "found.nrrd", "--names", "1=left body").out
    assert "connected with no mark (--keep-detached keeps it): left body " in words
