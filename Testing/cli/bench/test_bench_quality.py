"""The benchmark of quality: a run from folder to tables, and known answers of its parts."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from UniverSegSlicerLib.cli.bench.quality import walks
from UniverSegSlicerLib.cli.bench.quality.classic import CLASSIC, expected_ends
from UniverSegSlicerLib.cli.bench.quality.confidence import bins_of, expected_calibration_error
from UniverSegSlicerLib.cli.bench.quality.distances import hausdorff95, surface_dice, surface_distances
from UniverSegSlicerLib.cli.bench.quality.methods import all_methods, settings_of
from UniverSegSlicerLib.cli.bench.quality.more_marks import middle_of_longest
from UniverSegSlicerLib.cli.bench.quality.record import Extra, Score, append_rows, read_rows
from UniverSegSlicerLib.cli.bench.quality.tables import (
    best_baseline,
    bootstrap_interval,
    comparable,
    over_cases,
    over_datasets,
    suggestion_section,
)
from UniverSegSlicerLib.cli.bench.scores import dice
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files import write_label_map, write_volume
from UniverSegSlicerLib.files.labelled_scans import LabelledVolume, MarkedCase, Scan, find_scans, place_marks
from UniverSegSlicerLib.imaging import Geometry, Volume

KEY = ("set", "volume", 1, "even", 3, "model")


def cone(axis: int = 0) -> np.ndarray:
    """Discs whose radius grows from 4 to 15 pixels over slices 4 to 15 of 20, along an array axis."""
    rows, cols = np.indices((40, 44))
    stack = np.stack([np.hypot(rows - 20, cols - 22) < (n if 4 <= n < 16 else 0) for n in range(20)])
    return np.moveaxis(stack, 0, axis)


def volume_of(truth: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 2.0)) -> LabelledVolume:
    noise = np.random.default_rng(0).normal(0, 4, truth.shape)
    image = Volume((100 + 80.0 * truth + noise).astype(np.float32), Geometry(truth.shape[::-1], spacing))
    return LabelledVolume(Scan("set", "one", Path(), {}), image, truth.astype(np.uint16))


def case_of(truth: np.ndarray, marked: tuple[int, ...]) -> MarkedCase:
    return MarkedCase.of(volume_of(truth), 1, marked)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two data sets of one small volume each, with a catalogue."""
    folder = tmp_path / "scans"
    for name, role in (("first", "val"), ("second", "val"), ("other", "train")):
        place = folder / role / name / "a"
        place.mkdir(parents=True)
        made = volume_of(cone())
        write_volume(place / "image.nii.gz", made.image.array, made.image.geometry)
        write_label_map(place / "label.nii.gz", made.labels, made.image.geometry)
    entries = [
        {"id": name, "kind": "3d", "role": role, "path": f"{role}/{name}", "labels": {"1": "cone"}}
        for name, role in (("first", "val"), ("second", "val"), ("other", "train"))
    ]
    (folder / "catalogue.json").write_text(json.dumps([*entries, {"id": "flat", "kind": "2d", "role": "val"}]))
    return folder


def test_a_run_leaves_tables_plots_and_numbers_and_goes_on(command, scans: Path, tiny_model_path: Path) -> None:
    out = scans.parent / "out"
    arguments = ["bench", "quality", "--data", scans, "-o", out, "--model", tiny_model_path, "--marks", "2,3"]
    arguments += ["--placements", "even", "--methods", "default nearest shapes nearest-told", "--datasets", "first"]
    done = command(*arguments)
    assert done.code == 0, done.err
    assert "shape-based interpolation" in done.out and "Which slice to mark next" in done.out
    report = (out / "quality.md").read_text()
    assert report.strip() == done.out.strip()
    assert {path.name for path in out.iterdir()} == {
        "scores.csv", "reliability.csv", "next.csv", "quality.md", "dice-even.png", "reliability.png",
    }  # fmt: skip
    before = (out / "scores.csv").read_text()
    rows = list(csv.DictReader(before.splitlines()))
    assert len(rows) == 8 and {row["dataset"] for row in rows} == {"first"}
    assert all(0 <= float(row["dice"]) <= 1 for row in rows)

    # The same again measures nothing; a line that a killed run left half is measured anew.
    assert command(*arguments).out.strip() == report.strip()
    assert (out / "scores.csv").read_text() == before
    (out / "scores.csv").write_text(before[:-30])
    assert command(*arguments).code == 0
    again = list(csv.DictReader((out / "scores.csv").read_text().splitlines()))
    assert [{**row, "seconds": ""} for row in again] == [{**row, "seconds": ""} for row in rows]


def test_wrong_questions_are_answered_in_a_sentence(command, scans: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, said in (
        (["--data", empty], "holds no labelled volume"),
        (["--data", scans, "--marks", "0"], "at least 1"),
        (["--data", scans, "--methods", "magic"], "there is no method 'magic'"),
        (["--data", scans, "--methods", "default:speed=3"], "is not a setting"),
        (["--data", scans, "--placements", "middle"], "is not one of even, uneven, end"),
        (["--data", scans, "--datasets", "third"], "none of these data sets"),
    ):
        done = command("bench", "quality", "-o", tmp_path / "out", *arguments)
        assert done.code == 2 and said in done.err, done.err


def test_scans_are_found_with_and_without_a_catalogue(scans: Path) -> None:
    assert [(s.dataset, s.name, s.labels) for s in find_scans(scans)] == [
        ("first", "a", {1: "cone"}), ("second", "a", {1: "cone"}),
    ]  # fmt: skip
    assert [s.dataset for s in find_scans(scans, role="train")] == ["other"]
    (scans / "catalogue.json").unlink()
    assert [s.dataset for s in find_scans(scans)] == ["first", "other", "second"]


def test_marks_are_spread_or_at_one_end() -> None:
    present = np.arange(10, 50)
    assert place_marks(present, 1, "even") == (30,)
    assert place_marks(present, 4, "even") == (15, 25, 34, 44)
    uneven = place_marks(present, 4, "uneven")
    assert uneven is not None and uneven[0] < 13 and (np.diff(np.diff(uneven)) > 0).all()
    end = place_marks(present, 4, "one end")
    assert end is not None and end[0] >= 10 and end[-1] < 20 and len(end) == 4
    assert place_marks(present[:4], 4, "even") is None
    with pytest.raises(InputError, match="placement"):
        place_marks(present, 2, "odd")


def test_slices_are_taken_along_the_widest_spacing_else_where_the_structure_is_longest() -> None:
    truth = cone(axis=2)
    assert volume_of(truth, (1.0, 1.0, 2.0)).axis(1) == "k"
    long = np.zeros((30, 30, 30), bool)
    long[5:9, 3:28, 10:15] = True
    assert volume_of(long, (1.0, 1.01, 1.0)).axis(1) == "j"


def test_a_case_holds_back_the_truth() -> None:
    case = case_of(cone(), (6, 12))
    assert np.flatnonzero(case.marks.any(axis=(1, 2))).tolist() == [6, 12]
    assert case.ends == (4, 15)
    assert case.with_ends_marked().marked == (3, 6, 12, 16)


@pytest.mark.parametrize("method", ["nearest", "shapes", "nearest-told", "shapes-told"])
def test_simple_baselines_fill_the_cone(method: str) -> None:
    case = case_of(cone(), (5, 8, 11, 14))
    found = CLASSIC[method](case)
    assert dice(found, case.truth) > (0.93 if "shapes" in method else 0.88)
    assert np.array_equal(found[[5, 8, 11, 14]], case.truth[[5, 8, 11, 14]])


def test_contour_interpolation_fills_the_cone() -> None:
    pytest.importorskip("itk", reason="the extra 'quality' is not installed")
    case = case_of(cone(), (5, 8, 11, 14))
    assert dice(CLASSIC["contours"](case), case.truth) > 0.93


def test_contour_interpolation_fills_gaps_beside_marks_that_touch() -> None:
    """The filter alone takes marks on neighbouring slices for a structure that is drawn, and fills nothing."""
    pytest.importorskip("itk", reason="the extra 'quality' is not installed")
    case = case_of(cone(), (5, 6, 9, 10, 13, 14))
    found = CLASSIC["contours"](case)
    assert dice(found[5:15], case.truth[5:15]) > 0.93 and found[[7, 8, 11, 12]].any(axis=(1, 2)).all()


def contours_of(count: int) -> list[int]:
    """Voxels found in some cones, one after the other."""
    return [int(CLASSIC["contours"](case_of(cone(), (5, 8, 11, 14))).sum()) for _ in range(count)]


def test_contour_interpolation_lets_the_processes_of_a_run_end() -> None:
    """Each process has one of its own for it, and waited for that one forever."""
    pytest.importorskip("itk", reason="the extra 'quality' is not installed")
    pool = ProcessPoolExecutor(2, get_context("spawn"))
    found = list(pool.map(contours_of, [1, 2]))
    assert {*found[0], *found[1]} == {found[0][0]} and found[0][0] > 0
    processes = list(pool._processes.values())
    ending = Thread(target=pool.shutdown)
    ending.start()
    ending.join(60)
    waits = ending.is_alive()
    for process in processes if waits else []:
        process.kill()
    assert not waits


def test_the_random_walker_follows_the_brightness_between_the_marks() -> None:
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    case = case_of(cone(), (5, 10, 14))
    found = CLASSIC["randomwalk"](case)
    assert dice(found[5:15], case.truth[5:15]) > 0.93
    assert np.array_equal(found[[5, 10, 14]], case.truth[[5, 10, 14]])


def test_walks_that_would_take_too_long_are_left_out_and_the_others_go_on(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(walks, "MOST_VOXELS", 10)
    case = case_of(cone(), (5, 10, 14))
    with pytest.raises(walks.TooLargeError, match="voxels"):
        CLASSIC["randomwalk"](case)
    assert "randomwalk" not in all_methods()
    assert "biomedisa" not in all_methods()


@pytest.mark.mrml
def test_grow_cut_follows_the_brightness() -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    case = case_of(cone(), (5, 10, 14))
    assert dice(CLASSIC["growcut"](case), case.truth) > 0.9
    assert dice(CLASSIC["growcut-told"](case), case.truth) > 0.95


def test_the_end_is_expected_half_a_gap_or_half_a_width_away() -> None:
    assert expected_ends(case_of(cone(), (6, 10))) == (4, 12)
    # A disc of radius 10 mm; slices are 2 mm apart.
    assert expected_ends(case_of(cone(), (10,))) == (6, 14)


def test_distances_are_in_mm_and_of_unmarked_slices_only() -> None:
    truth = np.zeros((12, 30, 30), bool)
    truth[3:9, 8:20, 8:20] = True
    case = case_of(truth, (4,))
    same = surface_distances(truth, case)
    assert hausdorff95(same) == 0 and surface_dice(same, 0.1) == 1
    moved = np.roll(truth, 1, axis=0)
    assert hausdorff95(surface_distances(moved, case)) == pytest.approx(2.0)
    assert 0.2 < surface_dice(surface_distances(moved, case), 1.0) < 0.9
    assert surface_dice(surface_distances(moved, case), 2.0) == 1
    assert hausdorff95(surface_distances(np.zeros_like(truth), case)) == np.inf
    wrong = truth.copy()
    wrong[4] = False
    own, _ = surface_distances(wrong, case)
    everything = MarkedCase.of(volume_of(truth), 1, ())
    assert len(own) <= len(surface_distances(wrong, everything)[0])


def test_calibration_of_honest_and_of_boastful_probabilities() -> None:
    rng = np.random.default_rng(0)
    chance = rng.random(40000)
    truth = rng.random(40000) < chance
    assert expected_calibration_error(bins_of(chance, truth, KEY)) < 0.02
    boast = np.where(chance > 0.5, 0.99, 0.01)
    assert expected_calibration_error(bins_of(boast, truth, KEY)) > 0.15


def test_extra_marks_go_into_the_longest_gap() -> None:
    present = np.arange(10, 40)
    assert middle_of_longest(present, (15, 20)) in (29, 30)
    assert middle_of_longest(present, (25, 39)) in (16, 17)


def test_settings_follow_a_method() -> None:
    settings = settings_of("default:passes=1,smooth=0.5,flips=true")
    assert (settings.passes, settings.smooth, settings.flips, settings.strategy) == (1, 0.5, True, "auto")
    assert settings_of("cascade").strategy == "cascade"
    with pytest.raises(InputError, match="no method"):
        settings_of("best")


def score(method: str, value: float, dataset: str = "a", volume: str = "v", marks: int = 3) -> Score:
    return Score(dataset, volume, 1, "cone", "even", marks, method, "", value, 1.0, value, 0.1)


def test_means_over_cases_and_over_data_sets_and_only_of_what_all_methods_did() -> None:
    rows = [score("default", 1.0, "a", "1"), score("default", 0.5, "a", "2"), score("default", 0.0, "b")]
    assert over_cases(rows, lambda s: s.dice) == pytest.approx(0.5)
    assert over_datasets(rows, lambda s: s.dice) == pytest.approx(0.375)
    rows += [score("shapes", 0.4, "a", "1"), score("nearest", 0.6, "a", "1"), score("nearest-told", 0.9, "a", "1")]
    shared = comparable(rows)
    assert {s.case for s in shared} == {("a", "1", 1)}
    assert best_baseline(shared, 3, over_cases) == ("nearest", 0.6)


def test_rows_survive_a_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "scores.csv"
    rows = [score("default", 0.25), score("shapes", float("inf"))]
    append_rows(path, rows[:1])
    append_rows(path, rows[1:])
    assert read_rows(path, Score) == rows
    path.write_text("something else\n")
    with pytest.raises(InputError, match="columns"):
        read_rows(path, Score)


def test_suggestions_are_compared_with_even_marks_and_an_interval() -> None:
    rows = [Extra("set", f"v{n}", 1, "m", 3, 3, 0.5, 0.8 + 0.01 * (n % 3), 0.8) for n in range(12)]
    text = "\n".join(suggestion_section(rows))
    assert "mean over 12 cases: +0.0100" in text and "8 of 12" in text
    low, high = bootstrap_interval([row.suggested - row.even for row in rows])
    assert 0.003 < low < 0.008 < 0.012 < high < 0.017
    assert bootstrap_interval([0.25]) == (0.25, 0.25)
