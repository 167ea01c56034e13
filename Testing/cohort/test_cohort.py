"""A cohort from Python: what comes out, and what is done again."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from Testing.cohort.conftest import GRID, QUICK, Made, body, write_support
from UniverSegSlicerLib.cohort import Cohort, CohortSettings, open_cohort
from UniverSegSlicerLib.cohort.running import case as case_module
from UniverSegSlicerLib.errors import Cancelled, InputError, OutputError
from UniverSegSlicerLib.files import read_label_map, write_volume
from UniverSegSlicerLib.network import load_model
from UniverSegSlicerLib.progress import CancelToken
from UniverSegSlicerLib.segmentation import SupportSet, propagate


def rows_of(cohort: Cohort) -> list[dict[str, str]]:
    return list(csv.DictReader((cohort.folder / "cohort.csv").open(encoding="utf-8")))


def test_label_maps_and_table_of_every_volume(made: Made) -> None:
    cohort = made.run()
    assert [record.case for record in cohort.records] == ["a", "b", "c"] and not cohort.failed
    model = load_model(made.model, "cpu")
    for record, row in zip(cohort.records, rows_of(cohort), strict=True):
        alone = propagate(
            body("abc".index(record.case))[0], None, model=model, support=SupportSet.load(made.support),
            settings=QUICK.propagation,
        )  # fmt: skip
        written = read_label_map(made.out / f"{record.case}.nii.gz")
        assert written.geometry.difference(GRID) is None
        assert np.array_equal(written.array, alone.labels), "what `propagate --support` gives"
        count = int(np.count_nonzero(alone.labels))
        assert count, "a network that finds nothing would show little here"
        assert (record.labels[1].voxels, record.labels[1].ml) == (count, pytest.approx(count * 0.002))
        assert (row["case"], row["status"], row["error"]) == (record.case, "done", "")
        assert int(row["body_voxels"]) == count and float(row["body_ml"]) == pytest.approx(count * 0.002)
        assert row["version"] and len(row["model_sha256"]) == len(row["support_sha256"]) == 64
        assert float(row["distance"]) >= 0 and float(row["seconds"]) > 0
    table = pyarrow.parquet.read_table(made.out / "cohort.parquet").to_pylist()
    assert [row["body_voxels"] for row in table] == [int(row["body_voxels"]) for row in rows_of(cohort)]
    assert np.array_equal(cohort.labels("b").array, read_label_map(made.out / "b.nii.gz").array)


def test_only_what_changed_is_done_again(made: Made) -> None:
    assert made.run().redone == 3
    before = {path.name: path.read_bytes() for path in made.out.glob("*.nii.gz")}
    assert made.run().redone == 0
    for path in made.volumes.iterdir():  # another time, the same content
        os.utime(path, (1, 1))
    assert made.run().redone == 0
    write_volume(made.volumes / "b.nii.gz", body(7)[0].array, GRID)
    assert made.run().redone == 1
    (made.out / "c.nii.gz").unlink()
    assert made.run().redone == 1
    write_volume(made.volumes / "d.nii.gz", body(4)[0].array, GRID)
    assert [record.case for record in made.run().records] == ["a", "b", "c", "d"]
    (made.volumes / "d.nii.gz").unlink()
    assert len(rows_of(made.run())) == 3
    assert (made.out / "c.nii.gz").read_bytes() == before["c.nii.gz"]


@pytest.mark.parametrize("change", ["support", "settings", "model"])
def test_another_recipe_does_all_cases_again(made: Made, change: str, tiny_model_path: Path) -> None:
    made.run()
    options: dict[str, object] = {}
    if change == "support":
        write_support(made.support, (1, 3))
    elif change == "settings":
        options["settings"] = CohortSettings(QUICK.propagation, draws=1)
    else:
        from UniverSegSlicerLib.network import Architecture, UniverSeg
        from UniverSegSlicerLib.network.weights.files import write_network

        options["model"] = made.root / "other.safetensors"
        write_network(options["model"], UniverSeg(Architecture(query_channels=4, encoder=(8, 8), resolution=64)))
    cohort = made.run(**options)
    assert cohort.redone == 3
    assert all((record.labels[1].agreement is not None) == (change == "settings") for record in cohort.records)
    assert open_cohort(made.out).records == cohort.records


def test_a_case_that_fails_is_a_row_and_is_tried_again(made: Made) -> None:
    whole = (made.volumes / "b.nii.gz").read_bytes()
    (made.volumes / "b.nii.gz").write_bytes(whole[: len(whole) // 2])
    cohort = made.run()
    assert [record.case for record in cohort.failed] == ["b"]
    assert "b.nii.gz" in cohort.failed[0].error and not (made.out / "b.nii.gz").exists()
    assert [row["status"] for row in rows_of(cohort)] == ["done", "failed", "done"]
    (made.volumes / "b.nii.gz").write_bytes(whole)
    cohort = made.run()
    assert cohort.redone == 1 and not cohort.failed


def test_cancelled_in_the_middle_and_gone_on(made: Made) -> None:
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        made.run(cancel=cancel, progress=lambda share, _: cancel.cancel() if share > 0.3 else None)
    assert [record.case for record in open_cohort(made.out).records] == ["a"]
    assert made.run().redone == 2


def test_the_disk_is_full_in_the_middle(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    real = case_module.write_label_map

    def full(path: Path, *arguments: object, **options: object) -> None:
        if path.name == "b.nii.gz":
            raise OutputError(f"{path} cannot be written: No space left on device.")
        real(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(case_module, "write_label_map", full)
    with pytest.raises(OutputError, match=r"out/b.nii.gz cannot be written: No space left"):
        made.run()
    assert sorted(path.name for path in made.out.glob("*.nii.gz")) == ["a.nii.gz"]
    assert not list((made.out / ".cohort" / "unfinished").iterdir())
    monkeypatch.undo()
    assert made.run().redone == 2


def test_a_folder_of_something_else_is_refused(made: Made) -> None:
    made.out.mkdir()
    (made.out / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty and holds no cohort"):
        made.run()
    (made.out / "thesis.txt").unlink()
    made.run()
    with pytest.raises(InputError, match=r"holds another cohort, of the volumes .*scans"):
        made.run(volumes=made.volumes / "a.nii.gz")
    write_support(made.support, name="liver")
    with pytest.raises(InputError, match=r"of the labels 1 \(body\); choose another folder for 1 \(liver\)"):
        made.run()


def test_two_runs_on_one_folder(made: Made) -> None:
    from UniverSegSlicerLib.cohort.folder import CohortFolder

    with CohortFolder(made.out).held(), pytest.raises(InputError, match=rf"Another run .*process {os.getpid()}"):
        made.run()
    (made.out / ".cohort" / ".lock").write_text("1")  # left behind by a process that is no more
    assert made.run().redone == 3


def test_labels_that_differ_between_supports(made: Made) -> None:
    other = write_support(made.root / "other.npz", name="liver")
    with pytest.raises(InputError, match=r"label 1 is body in body.npz and liver in other.npz"):
        made.run(support=[made.support, other])


@pytest.mark.parametrize(("factor", "warned"), [(1.0, False), (1.8, False), (2.5, True), (0.3, True)])
def test_other_spacing_than_the_support_is_a_warning(made: Made, factor: float, warned: bool) -> None:
    for path in made.volumes.iterdir():
        path.unlink()
    grid = replace(GRID, spacing=tuple(factor * mm for mm in GRID.spacing))
    write_volume(made.volumes / "a.nii.gz", body()[0].array, grid)
    (record,) = made.run().records
    assert not record.failed and any("those of the support 1 x 1 mm" in text for text in record.warnings) == warned


def test_slices_of_another_kind_of_picture_are_a_warning(made: Made) -> None:
    """The bundled network's features tell a bright body in noise from stripes."""
    k, j, i = np.indices(GRID.shape)
    write_volume(made.volumes / "b.nii.gz", (100.0 * ((i + k) % 4 < 2) + 10 * (j % 3)).astype(np.float32), GRID)
    (made.volumes / "c.nii.gz").unlink()
    alike, foreign = made.run(model="default").records
    assert not any("looks unlike the slices" in text for text in alike.warnings)
    assert not foreign.failed and any(
        re.search(r"looks unlike the slices of the support \(distance \d\.\d\d, up to 0\.55 is usual\)", text)
        for text in foreign.warnings
    )
