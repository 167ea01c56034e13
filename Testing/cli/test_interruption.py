"""Ctrl-C, a request to terminate, a full disk: an exit code and one sentence, and no half-written file."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from UniverSegSlicerLib.cli.common import outputs
from UniverSegSlicerLib.writing import all_or_none, replacing

from .conftest import Command, Scan

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")

#: Runs the command line, says when the network has begun to work, and makes it slow enough to be interrupted.
SLOW = """
import signal, sys, time
# A shell that runs the tests in the background makes its children deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
from UniverSegSlicerLib.network import InContextModel
plain = InContextModel.predict
def predict(*arguments, **options):
    print("predicting", flush=True)
    time.sleep(0.5)
    return plain(*arguments, **options)
InContextModel.predict = predict
from UniverSegSlicerLib.cli.running import run
sys.exit(run(sys.argv[1:]))
"""

#: Runs the command line with a limit on the size of files, as a full disk would have it.
LIMITED = """
import resource, signal, sys
from UniverSegSlicerLib.cli.running import run
import torch, matplotlib.figure  # anything that these keep on disk is written before the limit holds
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_while_it_predicts(number: int, code: int, scan: Scan, tiny_model_path: Path) -> None:
    before = scan.files()
    arguments = ["propagate", scan.volume, scan.labels, "-o", scan.folder / "out.nii.gz", "-m", tiny_model_path]
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "predicting\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err == ("universeg-slicer: interrupted; no output was written.\n" if code == 130 else "")
    assert scan.files() == before


def test_no_space_on_the_disk(scan: Scan, tiny_model_path: Path) -> None:
    before = scan.files()
    out = scan.folder / "out.nii.gz"
    arguments = ["propagate", scan.volume, scan.labels, "-o", out, "-m", tiny_model_path, "--range", "7:9"]
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments, "--preview", scan.folder / "out.png"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2, run.stderr
    assert run.stderr.startswith("universeg-slicer: ") and run.stderr.count("\n") == 1 and str(out) in run.stderr
    assert scan.files() == before


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "No space left on device"),
        (RuntimeError("Exception thrown in SimpleITK WriteImage:\n write failed"), 2, "write failed"),
    ],
)
def test_an_interrupted_write_keeps_the_old_files(
    error: BaseException,
    code: int,
    sentence: str,
    scan: Scan,
    tiny_model_path: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, sure = scan.folder / "out.nii.gz", scan.folder / "sure.nii.gz"
    out.write_bytes(b"the old result")
    before = scan.files()
    written: list[str] = []

    def write(path: Path, *_content: object) -> None:
        path.write_bytes(b"half of")
        written.append(path.name)
        if len(written) == 2:  # the confidence map, after the label map was complete
            raise error

    for writer in ("write_layers", "write_volume"):
        monkeypatch.setattr(f"UniverSegSlicerLib.cli.common.propagated.{writer}", write)
    arguments = ("-m", tiny_model_path, "--range", "7:9", "--confidence", sure)
    done = command("propagate", scan.volume, scan.labels, "-o", out, *arguments)
    assert done.code == code and sentence in done.err and done.err.count("\n") == 1
    assert len(written) == 2
    assert scan.files() == before and out.read_bytes() == b"the old result"


def test_a_folder_is_filled_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    with pytest.raises(KeyboardInterrupt), outputs.filling_folder(folder) as beside:
        (beside / "a.png").write_bytes(b"a")
        raise KeyboardInterrupt
    assert not folder.exists()
    folder.mkdir()
    (folder / "a.png").write_bytes(b"old")
    (folder / "other.txt").write_bytes(b"mine")
    with pytest.raises(KeyboardInterrupt), outputs.filling_folder(folder) as beside:
        (beside / "a.png").write_bytes(b"new")
        raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.png": b"old", "other.txt": b"mine"}
    with outputs.filling_folder(folder) as beside:
        (beside / "a.png").write_bytes(b"new")
        (beside / "deep").mkdir()
        (beside / "deep" / "b.png").write_bytes(b"b")
    assert (folder / "a.png").read_bytes() == b"new" and (folder / "deep" / "b.png").read_bytes() == b"b"
    assert (folder / "other.txt").read_bytes() == b"mine"
    assert {path.name for path in folder.iterdir()} == {"a.png", "other.txt", "deep"}


def test_files_take_their_places_together(tmp_path: Path) -> None:
    first, second = tmp_path / "a.nii.gz", tmp_path / "b.json"
    with all_or_none(first, None, second, endings=(".nii.gz",)) as (one, none, two):
        assert none is None and one is not None and two is not None
        one.write_bytes(b"1")
        two.write_bytes(b"2")
        assert not first.exists() and not second.exists()
        assert one.name.endswith(".nii.gz")
    assert (first.read_bytes(), second.read_bytes()) == (b"1", b"2")
    with pytest.raises(ValueError), all_or_none(first, second) as (one, two):
        assert one is not None
        one.write_bytes(b"3")
        raise ValueError
    assert (first.read_bytes(), second.read_bytes()) == (b"1", b"2")
    with replacing(first) as beside:
        beside.write_bytes(b"4")
    assert {path.name for path in tmp_path.iterdir()} == {"a.nii.gz", "b.json"}
