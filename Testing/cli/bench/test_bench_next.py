"""The benchmark of the next patient: a run from folder to table, which goes on where it was."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from UniverSegSlicerLib.cli.bench.next_patient.command import REPORT, SCORES
from UniverSegSlicerLib.files import write_label_map, write_volume
from UniverSegSlicerLib.imaging import Geometry

GRID = Geometry((26, 24, 22))


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Three patients with one organ in a body, each a little farther to one side."""
    for number in range(3):
        k, j, i = np.indices(GRID.shape)
        body = ((k - 11) / 9) ** 2 + ((j - 12) / 10) ** 2 + ((i - 13 - number) / 11) ** 2 < 1
        organ = ((k - 9) / 4) ** 2 + ((j - 14) / 5) ** 2 + ((i - 10 - number) / 4) ** 2 < 1
        noise = np.random.default_rng(number).normal(size=GRID.shape) * 2
        place = tmp_path / "patients" / f"p{number}"
        place.mkdir(parents=True)
        write_volume(place / "image.nii.gz", (50.0 * body + 80 * organ + noise).astype(np.float32), GRID)
        write_label_map(place / "label.nii.gz", organ.astype(np.uint16), GRID)
    return tmp_path / "patients"


def test_a_run_leaves_a_table_and_numbers_and_goes_on(command, scans: Path, tiny_model_path: Path) -> None:
    out = scans.parent / "next"
    given = ("bench", "next", "--data", scans, "-o", out, "--counts", "1,2", "--patients", "1", "-m", tiny_model_path)
    done = command(*given)
    assert done.code == 0, done.err
    with (out / SCORES).open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["method"], row["scans"]) for row in rows} >= {
        ("ours", "2"),
        ("network alone", "1"),
        ("stretched", "2"),
    }
    assert len(rows) == 12 and {row["volume"] for row in rows} == {"p2"}
    by_method = {row["method"]: float(row["dice"]) for row in rows if row["scans"] == "1"}
    assert by_method["affine"] > 0.9 > by_method["stretched"] and by_method["joint label fusion"] > 0.9
    assert "| patients | 1 | 1 |" in (out / REPORT).read_text()
    before = (out / SCORES).read_bytes()
    assert command(*given).code == 0
    assert (out / SCORES).read_bytes() == before


def test_bad_input(command, scans: Path) -> None:
    for options, words in (
        (("--counts", "0"), "--counts"),
        (("--methods", "magic"), "magic"),
        (("--datasets", "none"), "at least 2 volumes"),
    ):
        done = command("bench", "next", "--data", scans, *options)
        assert done.code == 2 and words in done.err
