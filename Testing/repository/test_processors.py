"""Beside other programs: how threads wait, and how many there are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from UniverSegSlicerLib import processors

_VARIABLES = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")


def _python(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
    return subprocess.run(
        [sys.executable, "-c", script], env={**environment, **variables}, capture_output=True, text=True, check=True
    )


@pytest.mark.skipif(sys.platform != "linux", reason="GNU's OpenMP, which says how it waits")
@pytest.mark.parametrize(
    "script",
    [
        "import UniverSegSlicerLib.cli.app; import torch",
        "from UniverSegSlicerLib.segmentation import propagate; import torch",
        "import trainer.cli.app; import torch",
    ],
    ids=["command line", "python", "trainer"],
)
def test_the_openmp_of_torch_sleeps_while_it_waits(script: str) -> None:
    """As the runtime itself reports once torch has loaded it."""
    said = _python(script, OMP_DISPLAY_ENV="VERBOSE").stderr
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in said, said
    assert "GOMP_SPINCOUNT = '0'" in said, said


@pytest.mark.skipif(sys.platform != "linux", reason="GNU's OpenMP, which says how it waits")
def test_who_chose_how_threads_wait_keeps_it() -> None:
    """A choice of the user's stands."""
    script = "import UniverSegSlicerLib; import torch"
    assert "OMP_WAIT_POLICY = 'ACTIVE'" in _python(script, OMP_DISPLAY_ENV="VERBOSE", OMP_WAIT_POLICY="ACTIVE").stderr
    assert "GOMP_SPINCOUNT = '7'" in _python(script, OMP_DISPLAY_ENV="VERBOSE", GOMP_SPINCOUNT="7").stderr


def test_where_torch_came_first_it_uses_the_free_processors_only() -> None:
    """The policy is too late then, so threads that would wait for a busy processor are not started."""
    script = """
import torch
torch.set_num_threads(4)
from UniverSegSlicerLib import processors
seen = []
for processors.free_processors in (lambda: 0, lambda: 3, lambda: 9, lambda: None):
    processors.leave_busy_processors()
    seen.append(torch.get_num_threads())
print(seen)
"""
    assert _python(script).stdout.strip() == "[1, 3, 4, 4]"


def test_where_threads_sleep_their_number_stays() -> None:
    """Nothing is looked at, and nothing changed."""
    script = """
from UniverSegSlicerLib import processors
import torch
before = torch.get_num_threads()
print(processors.leave_busy_processors(), torch.get_num_threads() == before)
"""
    assert _python(script).stdout.strip() == "None True"


def test_processors_count_as_free_by_their_ticks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that was mostly idle between two looks, and that this process may use."""
    looks = [
        "cpu  9 9 9 9 9 0 0 0\ncpu0 100 0 0 100 0 0 0 0 0 0\ncpu1 100 0 0 100 0 0 0 0\ncpu2 5 0 0 5 0 0 0 0\nintr 1\n",
        "cpu  9 9 9 9 9 0 0 0\ncpu0 110 0 4 101 0 0 0 0 0 0\ncpu1 101 0 0 107 7 0 0 0\ncpu2 5 0 0 20 0 0 0 0\nintr 2\n",
    ]
    statistics = tmp_path / "stat"
    statistics.write_text(looks[0], encoding="ascii")
    monkeypatch.setattr(processors, "_STATISTICS", statistics)
    monkeypatch.setattr(processors.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(processors.time, "sleep", lambda _: statistics.write_text(looks[1], encoding="ascii"))
    assert processors.free_processors() == 1


def test_without_ticks_the_load_says_how_many_are_free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on macOS; Windows says neither."""
    monkeypatch.setattr(processors, "_STATISTICS", tmp_path / "absent")
    monkeypatch.setattr(processors.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(processors.os, "getloadavg", lambda: (2.6, 0.0, 0.0), raising=False)
    assert processors.free_processors() == 5
    monkeypatch.delattr(processors.os, "getloadavg")
    assert processors.free_processors() is None


def test_products_of_matrices_take_one_thread_during_a_run() -> None:
    """Two that wait for each other on a busy machine take many times as long, and gain nothing on a free one."""
    blas = processors._find_blas()
    if blas is None:
        pytest.skip("numpy came with another library than OpenBLAS")
    get, put = blas
    before = get()
    put(2)
    try:
        with processors.one_blas_thread():
            assert get() == 1
            with pytest.raises(ValueError, match="within"), processors.one_blas_thread():
                raise ValueError("within")
            assert get() == 1, "the outer one is not over"
        assert get() == 2
    finally:
        put(before)


def test_a_run_takes_one_thread_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from UniverSegSlicerLib.segmentation.propagation import volume

    blas = processors._find_blas()
    if blas is None:
        pytest.skip("numpy came with another library than OpenBLAS")
    seen: list[int] = []
    monkeypatch.setattr(volume, "leave_busy_processors", lambda: seen.append(blas[0]()))
    before = blas[0]()
    blas[1](2)
    try:
        with pytest.raises(AttributeError):
            volume.propagate(None, None, model=None)  # type: ignore[arg-type]
        assert seen == [1] and blas[0]() == 2
    finally:
        blas[1](before)


def test_numpy_from_pypi_is_recognized() -> None:
    """Elsewhere nothing is changed."""
    import numpy

    if not list(Path(numpy.__file__).parent.parent.glob("numpy.libs/*openblas*")):
        pytest.skip("another numpy")
    assert processors._find_blas() is not None
