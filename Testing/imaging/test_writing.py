"""A file appears whole or not at all: errors, Ctrl-C, a disk that is full."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from UniverSegSlicerLib.errors import OutputError
from UniverSegSlicerLib.writing import replacing


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    path.write_text("old")
    with replacing(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
        assert beside.parent == path.parent and beside.suffix == ".txt"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interruption_leaves_everything_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as beside:
        beside.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_rights_are_those_of_an_ordinary_file(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with replacing(tmp_path / "result.txt") as beside:
            beside.write_text("new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "result.txt").stat().st_mode) == 0o644


def test_writers_that_fail_are_named_with_the_target(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"result\.txt cannot be written: No space left"),
        replacing(tmp_path / "result.txt"),
    ):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of the file size there")
@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_a_full_disk_leaves_no_half_volume(tmp_path: Path, ending: str) -> None:
    script = """
import resource, signal, sys
import numpy as np
from UniverSegSlicerLib.errors import OutputError
from UniverSegSlicerLib.files import write_volume
from UniverSegSlicerLib.imaging import Geometry
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_volume(sys.argv[1], np.random.default_rng(0).random((40, 40, 40)), Geometry((40, 40, 40)))
except OutputError:
    sys.exit(7)
"""
    path = tmp_path / f"volume{ending}"
    run = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == 7, run.stderr
    assert run.stderr == ""
    assert not list(tmp_path.iterdir())
