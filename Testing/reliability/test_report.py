"""The report: what helps, and no name of anybody."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from UniverSegSlicerLib.cli.running import run
from UniverSegSlicerLib.diagnostics import RunRecord, model_fact, report_text, run_log, where_raised
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files import read_volume, write_label_map, write_volume
from UniverSegSlicerLib.imaging import Geometry
from UniverSegSlicerLib.network.weights.files import write_network

from .networks import tiny_network

NAME = "Doe_Jane_19700101"


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the name of a patient in every path."""
    monkeypatch.setenv("UNIVERSEG_CACHE", str(tmp_path / "cache"))
    run_log.records.clear()
    folder = tmp_path / NAME
    folder.mkdir()
    marks = np.zeros((8, 10, 12), np.uint8)
    marks[[2, 5], 2:6, 3:8] = 1
    write_volume(
        folder / f"{NAME}.nii.gz", np.random.default_rng(0).random(marks.shape), Geometry((12, 10, 8), (1, 2, 3))
    )
    write_label_map(folder / f"{NAME}_marks.nii.gz", marks, Geometry((12, 10, 8), (1, 2, 3)))
    write_network(folder / f"{NAME}.safetensors", tiny_network().network)
    return folder


def test_a_report_tells_sizes_and_timings_and_no_names(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(case / f"{NAME}.nii.gz"), str(case / f"{NAME}_marks.nii.gz")]
    model = ["--model", str(case / f"{NAME}.safetensors")]
    assert run(["propagate", *given, "-o", str(case / "out.nii.gz"), *model]) == 0
    click = ["--slice", "k:3", "--include", "4,4", "-o", str(case / "c.nii.gz"), *model]
    assert run(["click", given[0], *click]) == 0
    assert run(["propagate", str(case / "absent.nii"), given[1], "-o", str(case / "out.nii.gz")]) == 2
    assert run([NAME]) == 2
    capsys.readouterr()
    assert run(["report"]) == 0
    text = capsys.readouterr().out
    for fact in ("universegslicer: ", "python: ", "torch: ", "threads: ", "SimpleITK: ", "system: ", "processors: "):
        assert f"\n{fact}" in text
    assert "voxels [8, 10, 12], spacing_mm [1.0, 2.0, 3.0], type float64, labels 1, marked 2, support 0" in text
    assert "model a file, device cpu" in text
    assert "- propagate: done after " in text and "- click: done after " in text
    assert "- propagate: InputError at files/reading.py:" in text
    for private in (NAME, "Doe", str(case), case.parent.name, str(Path.home())):
        assert private not in text
    assert run(["report", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) >= 3


def test_only_the_last_runs_are_kept_and_damage_is_overlooked(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from UniverSegSlicerLib.cli.report import keep_runs, read_runs

    file = case.parent / "cache" / "runs.json"
    for number in range(30):
        run_log.add(RunRecord("propagate", number, "done", {"labels": number}))
        keep_runs()
    assert [entry["facts"]["labels"] for entry in read_runs()] == list(range(10, 30))
    for text in ("", "[", "[1]", '[{"what": 1, "other": 2}]', "{}"):
        file.write_text(text)
        assert read_runs() == [] and run(["report"]) == 0
    file.unlink()
    file.mkdir()  # cannot be written: the run itself is not spoilt
    assert run(["propagate", str(case / "absent.nii"), "-o", str(case / "out.nii.gz")]) == 2


def test_an_error_is_told_by_kind_and_place_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_volume(tmp_path / f"{NAME}.nii")
    assert where_raised(caught.value).startswith("InputError at files/reading.py:")
    assert where_raised(ValueError(NAME)) == "ValueError"
    assert model_fact(NAME, ["default"]) == "a file" and model_fact("default", ["default"]) == "default"


def test_a_report_survives_a_broken_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    text = report_text([])
    assert "torch cannot be imported: ModuleNotFoundError" in text
