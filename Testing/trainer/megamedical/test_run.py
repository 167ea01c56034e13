"""The run: nothing silent, nothing twice, and a killed run ends with the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from Testing.trainer.declarations.builders import write_picture
from Testing.trainer.megamedical.made import PICTURES, VOLUMES, declare, write_pictures, write_volumes
from trainer.megamedical.standardize import unit as unit_module
from trainer.megamedical.standardize.plan import Settings
from trainer.megamedical.standardize.run import standardize
from trainer.megamedical.standardize.unit import UnitResult
from trainer.megamedical.store import Store
from UniverSegSlicerLib.errors import DependencyError, InputError, OutputError
from UniverSegSlicerLib.locking import folder_lock
from UniverSegSlicerLib.parallel import run_parallel

SMALL = Settings((16, 32))


def content(store: Path) -> dict[str, str]:
    """Checksum of every file of a store that a reader sees."""
    return {
        path.relative_to(store).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.name not in (".lock", "report.json")
    }


def run(root: Path, store: Path, group: dict[str, Any] = PICTURES, **options: Any):  # type: ignore[no-untyped-def]
    changes = options.pop("changes", {})
    (report,) = standardize([declare(group, **changes)], root, store, options.pop("settings", SMALL), **options)
    return report


def test_a_damaged_case_is_reported_and_the_others_are_there(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a", "b", "c", "d"])
    (tmp_path / "in" / "labels" / "b.png").write_bytes(b"\x89PNG half")
    (tmp_path / "in" / "labels" / "d.png").unlink()
    report = run(tmp_path / "in", tmp_path / "store")
    assert (report.status, report.images, report.subjects) == ("written", 2, 2)
    text = "\n".join(report.problems)
    assert "b.png" in text
    assert "no label for the image images/d.png" in text
    written = json.loads((tmp_path / "store" / "report.json").read_text(encoding="utf-8"))
    assert written[0]["problems"] == report.problems
    shard = json.loads((tmp_path / "store" / "made" / "shard.json").read_text(encoding="utf-8"))
    assert [failure["case"] for failure in shard["failures"]] == ["all/b"]


def test_extra_label_values_are_reported_and_an_empty_mask_keeps_its_picture(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a", "b", "c"])
    write_picture(tmp_path / "in" / "labels" / "a.png", np.zeros((40, 52), np.uint8))
    odd = np.zeros((40, 52), np.uint8)
    odd[5:20, 5:20] = 9
    write_picture(tmp_path / "in" / "labels" / "b.png", odd)
    report = run(tmp_path / "in", tmp_path / "store")
    assert report.images == 3
    assert any("does not name: 9" in problem for problem in report.problems)
    store = Store.open(tmp_path / "store")
    assert set(store.masks["image"]) == {2}


def test_a_second_run_changes_nothing_and_a_changed_file_only_its_data_set(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a", "b", "c"])
    assert run(tmp_path / "in", tmp_path / "store").status == "written"
    before = content(tmp_path / "store")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "store" / "made").iterdir()}
    assert run(tmp_path / "in", tmp_path / "store").status == "up to date"
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store" / "made").iterdir()} == times
    write_picture(tmp_path / "in" / "images" / "a.png", np.zeros((40, 52), np.uint8))
    assert run(tmp_path / "in", tmp_path / "store").status == "written"
    after = content(tmp_path / "store")
    assert before["made/res16_images.npy"] != after["made/res16_images.npy"]
    assert before["made/res16_masks.npy"] == after["made/res16_masks.npy"]
    assert run(tmp_path / "in", tmp_path / "store", settings=Settings((16,), seed=3)).status == "written"
    assert not (tmp_path / "store" / "made" / "res32_images.npy").exists()


def test_a_damaged_shard_is_written_again(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a", "b"])
    run(tmp_path / "in", tmp_path / "store")
    before = content(tmp_path / "store")
    path = tmp_path / "store" / "made" / "res16_masks.npy"
    path.write_bytes(path.read_bytes()[:-3] + b"xyz")
    assert Store.open(tmp_path / "store").verify() == ["made/res16_masks.npy"]
    assert run(tmp_path / "in", tmp_path / "store").status == "written"
    assert content(tmp_path / "store") == before


def test_two_workers_give_the_bytes_of_one(tmp_path: Path) -> None:
    write_volumes(tmp_path / "in", ["a", "b", "c"])
    run(tmp_path / "in", tmp_path / "one", VOLUMES)
    run(tmp_path / "in", tmp_path / "two", VOLUMES, jobs=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")


_KILLED = """
import sys, time
from pathlib import Path
import trainer.megamedical.standardize.run as run
from Testing.trainer.megamedical.made import PICTURES, declare
from trainer.megamedical.standardize.plan import Settings

def slow(cases, path, resolutions, work=run._work):
    if len(list(Path(path).parent.glob("*.zip"))) >= 2:
        Path(sys.argv[3]).write_text("now")
        time.sleep(60)
    return work(cases, path, resolutions)

run._work = slow
run.standardize([declare(PICTURES)], sys.argv[1], sys.argv[2], Settings((16, 32)))
"""


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, repository: Path) -> None:
    write_pictures(tmp_path / "in", [f"p{number:03d}" for number in range(50)])  # four units of work
    run(tmp_path / "in", tmp_path / "whole")
    paths = os.pathsep.join([str(repository / "UniverSegSlicer"), str(repository)])
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(tmp_path / "in"), str(tmp_path / "store"), str(tmp_path / "now")],
        env={**os.environ, "PYTHONPATH": paths},
    )
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "now").exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (tmp_path / "now").exists()
    left = sorted((tmp_path / "store" / ".work" / "made").glob("*.zip"))
    assert len(left) == 2
    assert not (tmp_path / "store" / "made").exists()
    left[1].write_bytes(left[1].read_bytes()[:-100])  # as if the machine had gone down with it
    stamp = left[0].stat().st_mtime_ns
    seen: list[int] = []
    original = UnitResult.load

    def spy(path: Path) -> UnitResult:
        if path == left[0]:
            seen.append(path.stat().st_mtime_ns)
        return original(path)

    UnitResult.load = staticmethod(spy)  # type: ignore[method-assign, assignment]
    try:
        assert run(tmp_path / "in", tmp_path / "store").status == "written"
    finally:
        UnitResult.load = original  # type: ignore[method-assign]
    assert set(seen) == {stamp}  # the finished unit was taken as it was, not made again
    assert content(tmp_path / "store") == content(tmp_path / "whole")
    assert not (tmp_path / "store" / ".work").exists()


def test_one_run_at_a_time(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a", "b"])
    with (
        folder_lock(tmp_path / "store"),
        pytest.raises(InputError, match=rf"Another run is writing into .*process {os.getpid()}"),
    ):
        run(tmp_path / "in", tmp_path / "store")
    assert run(tmp_path / "in", tmp_path / "store").status == "written"


def test_a_full_disk_is_an_output_error_and_the_old_shard_stays(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a", "b", "c"])
    run(tmp_path / "in", tmp_path / "store")
    before = content(tmp_path / "store")
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))  # a file beyond this fails as on a full disk
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            run(tmp_path / "in", tmp_path / "store", settings=Settings((64,)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {k: v for k, v in content(tmp_path / "store").items() if not k.startswith(".")} == before
    assert run(tmp_path / "in", tmp_path / "store", settings=Settings((64,))).status == "written"


def test_a_full_disk_while_the_shard_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "in", ["a", "b", "c"])
    from trainer.megamedical.store import shard

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shard, "_write_arrays", full)
        with pytest.raises(OutputError, match="No space left on device"):
            run(tmp_path / "in", tmp_path / "store")
    assert not (tmp_path / "store" / "made").exists()
    # The units that were finished are used by the next run.
    monkeypatch.setattr(unit_module, "process", lambda *_: pytest.fail("read again"))
    assert run(tmp_path / "in", tmp_path / "store").status == "written"


def test_terms_must_be_accepted_by_name(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a", "b"])
    licence = {"name": "signed form", "commercial_use": "no", "registration": "form"}
    refused = run(tmp_path / "in", tmp_path / "store", changes={"licence": licence})
    assert refused.status == "licence not accepted"
    assert "--accept-licence made" in refused.problems[0]
    assert not (tmp_path / "store" / "made").exists()
    assert run(tmp_path / "in", tmp_path / "store", changes={"licence": licence}, accepted=["MADE"]).images == 2


def test_a_wrong_root_and_a_half_extracted_archive(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        run(tmp_path / "nowhere", tmp_path / "store")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="is it the right folder"):
        run(tmp_path / "empty", tmp_path / "store")
    write_pictures(tmp_path / "in", ["a", "b"])
    for path in (tmp_path / "in" / "labels").iterdir():
        path.unlink()
    report = run(tmp_path / "in", tmp_path / "store")
    assert (report.status, len(report.problems)) == ("nothing paired", 2)


def test_a_link_to_nowhere_is_a_case_that_cannot_be_read(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a", "b"])
    (tmp_path / "in" / "images" / "b.png").unlink()
    (tmp_path / "in" / "images" / "b.png").symlink_to(tmp_path / "annex" / "gone")
    report = run(tmp_path / "in", tmp_path / "store")
    assert report.images == 1
    assert "b.png is missing" in report.problems[0]


def test_a_store_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a", "b"])
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match=r"The store .* cannot be written to"):
        run(tmp_path / "in", tmp_path / "file" / "store")


def test_no_case_readable_leaves_no_shard(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a"])
    (tmp_path / "in" / "images" / "a.png").write_bytes(b"")
    report = run(tmp_path / "in", tmp_path / "store")
    assert report.status == "no case could be read"
    assert "empty (0 bytes)" in report.problems[0]
    assert not (tmp_path / "store" / "made").exists()


def test_a_missing_package_is_reported_once_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "in", ["a", "b"])

    def missing(_: object) -> None:
        raise DependencyError("Reading pictures needs the Python package pillow")

    with monkeypatch.context() as patch:
        patch.setattr(unit_module, "read_case", missing)
        report = run(tmp_path / "in", tmp_path / "store")
    assert report.status == "package missing"
    assert len(report.problems) == 1
    assert run(tmp_path / "in", tmp_path / "store").status == "written"


@pytest.mark.parametrize("values", [(), (0,), (100,), (-8,)])
def test_resolutions_must_be_multiples_of_eight(values: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="resolutions"):
        Settings(values)


def test_backends_that_are_not_there_say_so() -> None:
    with pytest.raises(InputError, match="spark"):
        list(run_parallel(len, [("a",)], 1, "spark"))
    with pytest.raises(InputError, match="jobs is 0"):
        list(run_parallel(len, [("a",)], 0, "loky"))
    for backend, module in (("dask", "distributed"), ("ray", "ray")):
        try:
            __import__(module)
        except ImportError:
            with pytest.raises(DependencyError, match=f"pip install '{backend}"):
                list(run_parallel(len, [("a",)], 2, backend))


@pytest.mark.parametrize(("backend", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_cluster_backends_give_the_same_bytes(tmp_path: Path, backend: str, module: str) -> None:
    pytest.importorskip(module, exc_type=ImportError)
    write_volumes(tmp_path / "in", ["a", "b"])
    run(tmp_path / "in", tmp_path / "one", VOLUMES)
    run(tmp_path / "in", tmp_path / "two", VOLUMES, jobs=2, backend=backend)
    assert content(tmp_path / "one") == content(tmp_path / "two")
