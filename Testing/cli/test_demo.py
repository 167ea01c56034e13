"""The demo: its real input, and the whole command on a coarse copy of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from UniverSegSlicerLib.cli import demo, demo_data
from UniverSegSlicerLib.cli.bench.scores import dice_of_labels
from UniverSegSlicerLib.cli.demo_data import NAMES, VENTRICLES, DemoData, load_demo_data, spread_marks
from UniverSegSlicerLib.cli.demo_files import write_inputs
from UniverSegSlicerLib.errors import DependencyError
from UniverSegSlicerLib.files import read_label_map, read_volume
from UniverSegSlicerLib.imaging import Geometry, Volume, slice_stack

from .conftest import Command
from .test_bad_input import assert_refused


@pytest.fixture(scope="module")
def data() -> DemoData:
    return load_demo_data()


def test_the_volume_is_a_real_brain_with_its_tissues(data: DemoData) -> None:
    assert data.volume.geometry.size == (197, 233, 189) and data.volume.geometry.spacing == (1.0, 1.0, 1.0)
    millilitres = {NAMES[value]: np.count_nonzero(data.truth == value) / 1000 for value in NAMES}
    assert 1000 < millilitres["grey matter"] < 1200
    assert 550 < millilitres["white matter"] < 700
    # Lateral ventricles of adults hold some 10 to 40 ml.
    assert 10 < millilitres["lateral ventricles"] < 40
    # On T1 fluid is dark, grey matter is in the middle, white matter is bright.
    grey, white, fluid = (float(data.volume.array[data.truth == value].mean()) for value in NAMES)
    assert fluid < 0.8 * grey < grey < 0.9 * white


def test_the_ventricles_are_one_region_on_both_sides_of_the_middle(data: DemoData) -> None:
    mask = (data.truth == VENTRICLES).astype(np.uint8)
    labels = sitk.ConnectedComponent(sitk.GetImageFromArray(mask))
    assert sitk.GetArrayViewFromImage(labels).max() == 1
    k, j, i = np.nonzero(mask)
    world = data.volume.geometry.to_world(np.stack([i, j, k], axis=-1))
    left = np.count_nonzero(world[:, 0] > 0) / len(world)
    assert 0.4 < left < 0.6
    assert np.abs(world[:, 0]).max() < 50 and world[:, 2].min() > -20, "deep inside: not in the sulci or the cerebellum"


def test_marks_are_spread_evenly(data: DemoData) -> None:
    truth = np.zeros((5, 40, 5), np.uint8)
    truth[2, 10:30, 2] = 1
    assert spread_marks(truth, "j", 4) == [12, 17, 22, 27]
    assert spread_marks(truth, "j", 1) == [20]
    marked = spread_marks(data.truth, "j", 5)
    showing = [index for index in marked if (slice_stack(data.truth, "j")[index] == VENTRICLES).any()]
    assert len(showing) >= 2, "the smallest structure is on several of the marked slices"


def test_the_demo_on_a_coarse_copy(
    data: DemoData, tiny_model_path: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = 6
    coarse = data.volume.array[::step, ::step, ::step]
    geometry = replace(data.volume.geometry, size=coarse.shape[::-1], spacing=(step, step, step))
    small = DemoData(Volume(np.ascontiguousarray(coarse), geometry), data.truth[::step, ::step, ::step].copy())
    monkeypatch.setattr(demo, "load_demo_data", lambda: small)
    folder = tmp_path / "demo"
    done = command("demo", "--output", folder, "-m", tiny_model_path, "--marks", 4)
    assert (done.code, done.err) == (0, "")
    assert {path.name for path in folder.iterdir()} == {
        *("segmentation.nii.gz", "preview.png", "report.json"),
        *("brain.nii.gz", "marks.nii.gz", "next.nii.gz", "pictures", "new"),
    }
    result = read_label_map(folder / "segmentation.nii.gz")
    assert isinstance(geometry, Geometry) and result.geometry.difference(geometry) is None
    report = json.loads((folder / "report.json").read_text())
    assert len(report["marked"]) == 4 and report["axis"] == "j"
    assert np.array_equal(
        slice_stack(result.array, "j")[report["marked"]], slice_stack(small.truth, "j")[report["marked"]]
    )
    again = dice_of_labels(result.array, small.truth, NAMES, axis="j", without=report["marked"])
    for value, name in NAMES.items():
        assert report["structures"][name]["dice"] == pytest.approx(again[value], abs=1e-4)
        assert f"{report['structures'][name]['dice']:.3f}" in done.out and name in done.out
        assert 0 < report["structures"][name]["dice_copy_nearest"] < 1
    assert report["mean"]["dice"] == pytest.approx(np.mean(list(again.values())), abs=1e-4)
    assert report["model"] == "tiny" and report["seconds"] > 0 and "torch" in report["versions"]
    with Image.open(folder / "preview.png") as picture:
        assert min(picture.size) > 300


def test_the_files_for_the_other_commands(data: DemoData, tmp_path: Path) -> None:
    marks = np.zeros_like(data.truth)
    marks[:, 100] = data.truth[:, 100]
    write_inputs(tmp_path, data, marks)
    brain = read_volume(tmp_path / "brain.nii.gz")
    assert brain.geometry.difference(data.volume.geometry) is None and np.array_equal(brain.array, data.volume.array)
    assert np.array_equal(read_label_map(tmp_path / "marks.nii.gz").array, marks)
    following = read_volume(tmp_path / "next.nii.gz")
    assert following.geometry.spacing == pytest.approx((1.25, 1.25, 1.25))
    litres = [np.count_nonzero(v.array) * np.prod(v.geometry.spacing) / 1e6 for v in (brain, following)]
    # A stretch of the space that is sampled by 1.06 x 1.04 x 1.10 shrinks the brain by as much; its edge grows.
    assert litres[1] == pytest.approx(litres[0] / (1.06 * 1.04 * 1.10), rel=0.05)
    assert not np.any(following.array[[0, -1]]), "the whole brain lies inside"
    images, labels = (sorted((tmp_path / "pictures" / name).iterdir()) for name in ("images", "labels"))
    assert [path.name for path in images] == [path.name for path in labels] and len(images) == 9
    with Image.open(labels[4]) as picture:
        pixels = np.asarray(picture)
        assert set(np.unique(pixels)) == {0, 255} and 0.1 < (pixels > 0).mean() < 0.5
    assert len(list((tmp_path / "new").iterdir())) == 3


def test_without_the_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: Command) -> None:
    monkeypatch.setattr(demo_data.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match="nilearn"):
        load_demo_data()
    assert_refused(command("demo", "--output", tmp_path / "demo"), "universegslicer[demo]")
    assert not (tmp_path / "demo").exists()


def test_bad_output(tmp_path: Path, command: Command) -> None:
    (tmp_path / "demo").write_text("a file")
    assert_refused(command("demo", "--output", tmp_path / "demo"), "demo is a file")
    assert_refused(command("demo", "--marks", 0), "--marks")
