"""Killed processes, full and read-only disks, no home, no network, liars, clocks, memory and threads that fail."""

from __future__ import annotations

import email.message
import io
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from UniverSegSlicerLib.errors import ModelError, OutputError, UniverSegError
from UniverSegSlicerLib.files import read_label_map, write_label_map
from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.network.published import engine
from UniverSegSlicerLib.network.weights import cache_folder, download_model, list_models, locate_model
from UniverSegSlicerLib.network.weights.download import HttpsOnly, _open
from UniverSegSlicerLib.segmentation import SupportSet, propagate

from .killing.kill import run_scenario
from .killing.kill_scenarios import SCENARIOS
from .networks import tiny_network

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


@posix
@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_while_writing(name: str, tmp_path: Path) -> None:
    if name == "export":
        pytest.importorskip("slicer")
    counts = run_scenario(name, 2, tmp_path)
    assert counts["kills"] == 2 and counts["half"] == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB, mounted; only root may."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here; limits of the file size stand in for it in other tests")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _writers(folder: Path) -> dict[str, Callable[[], object]]:
    from trainer.learning.loop.checkpoints import Checkpoint, save_checkpoint
    from UniverSegSlicerLib.network.weights.files import write_network

    noise = np.random.default_rng(0).integers(0, 60000, (40, 100, 100)).astype(np.uint16)
    network = tiny_network().network
    big = {"x": torch.rand(200_000)}
    support = SupportSet.from_pairs([noise[n] for n in range(20)], [noise[0] > 30000] * 20)
    made = Checkpoint(1, network.architecture, big, big, 1, big, [], {})
    return {
        **{
            ending: lambda ending=ending: write_label_map(folder / f"out{ending}", noise, Geometry(noise.shape[::-1]))
            for ending in (".nii.gz", ".nii", ".nrrd", ".mha")
        },
        "support": lambda: support.save(folder / "set.npz"),
        "checkpoint": lambda: save_checkpoint(folder, made),
        "network": lambda: write_network(folder / "n.safetensors", network, {"note": "x" * 400_000}),
    }


def test_a_disk_that_is_really_full(small_disk: Path) -> None:
    kept = small_disk / "out.nii.gz"
    write_label_map(kept, np.eye(4)[None], Geometry((4, 4, 1)))
    before = kept.read_bytes()
    for name, write in _writers(small_disk).items():
        with pytest.raises(OutputError):
            write()
        assert [path.name for path in small_disk.iterdir()] == ["out.nii.gz"], f"{name} left something behind"
        assert kept.read_bytes() == before


def test_a_disk_that_may_only_be_read(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for write in _writers(small_disk).values():
        with pytest.raises(OutputError, match=r"[Rr]ead-only"):
            write()


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object) -> Path:
        raise RuntimeError("Could not determine home directory.")  # as for a user whom the system does not know

    for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "UNIVERSEG_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.setattr(Path, "expanduser", nobody)
    states = {status.entry.name: status.state for status in list_models()}
    assert states["default"] == "bundled" and states["universeg-v1"] == "downloadable"
    for ask in (cache_folder, lambda: download_model("universeg-v1", accept_terms=True)):
        with pytest.raises(ModelError, match="UNIVERSEG_CACHE"):
            ask()
    with pytest.raises(ModelError, match="no such home directory"):
        locate_model("~somebody/model.pt")


@pytest.fixture
def one_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], bytes]:
    """A catalogue with one model, and its file."""
    from UniverSegSlicerLib.network.weights import CatalogueEntry, Licence

    monkeypatch.setenv("UNIVERSEG_CACHE", str(tmp_path / "cache"))
    stream, network = io.BytesIO(), tiny_network(query_channels=1).network
    torch.save(network.state_dict(), stream)
    licence = Licence("MIT", "https://models.example/licence", None)
    url = "https://models.example/small.pt"
    from dataclasses import replace

    architecture = replace(network.architecture, resolution=128)
    entry = CatalogueEntry("small", "Small", "", None, url, None, None, architecture, licence, "")
    return {"small": entry}, stream.getvalue()


class Answer(io.BytesIO):
    """What a server answers."""

    def __init__(self, content: bytes, length: object = None, url: str = "https://models.example/small.pt") -> None:
        super().__init__(content)
        self.headers = {} if length is None else {"Content-Length": length}
        self.geturl = lambda: url


@pytest.mark.parametrize("length", ["abc", "-5", "", "1e3", "٣"])
def test_a_proxy_that_lies_about_the_length(one_model: tuple[dict[str, Any], bytes], length: str) -> None:
    models, content = one_model
    assert download_model("small", catalogue=models, opener=lambda _: Answer(content, length)).read_bytes() == content


def test_a_proxy_that_gives_other_bytes_each_time(one_model: tuple[dict[str, Any], bytes]) -> None:
    models, content = one_model
    rng = np.random.default_rng(0)
    for _ in range(20):
        wrong = bytearray(content)
        wrong[int(rng.integers(len(wrong)))] ^= 0xFF
        # The first one that passes every check would be trusted ever after: hence a hash in the catalogue.
        import hashlib
        from dataclasses import replace

        known = {"small": replace(models["small"], sha256=hashlib.sha256(content).hexdigest())}
        with pytest.raises(ModelError, match="SHA-256"):
            download_model("small", catalogue=known, opener=lambda _, wrong=wrong: Answer(bytes(wrong)))
    assert not list(cache_folder().iterdir())


@pytest.mark.parametrize("url", ["http://models.example/x.pt", "ftp://models.example/x.pt", "file:///etc/passwd"])
def test_a_redirection_away_from_https_is_not_followed(url: str) -> None:
    request = urllib.request.Request("https://models.example/small.pt")
    with pytest.raises(OSError, match="not https"):
        HttpsOnly().redirect_request(request, io.BytesIO(), 302, "Found", email.message.Message(), url)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not https"):
        _open(url)


def test_no_network(one_model: tuple[dict[str, Any], bytes]) -> None:
    from dataclasses import replace

    models, _ = one_model
    nobody = {"small": replace(models["small"], url="https://127.0.0.1:9/small.pt")}
    with pytest.raises(ModelError, match="cannot be downloaded"):
        download_model("small", catalogue=nobody)
    with pytest.raises(ModelError, match="not on this machine yet"):
        locate_model("small", models)


@posix
def test_processes_that_share_the_cache(one_model: tuple[dict[str, Any], bytes]) -> None:
    models, content = one_model
    children = []
    for _ in range(4):
        child = os.fork()
        if not child:
            code = 1
            try:
                for _ in range(5):
                    path = download_model("small", catalogue=models, opener=lambda _: Answer(content))
                    code = int(path.read_bytes() != content)
                    if code:
                        break
                    path.unlink(missing_ok=True)
                    download_model("small", catalogue=models, opener=lambda _: Answer(content))
            except ModelError:
                code = 2
            except FileNotFoundError:  # another one removed it between two lines: the caller sees that it is gone
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    download_model("small", catalogue=models, opener=lambda _: Answer(content))
    assert list_models(models)[0].state == "downloaded" and locate_model("small", models).read_bytes() == content
    assert sorted(path.name for path in cache_folder().iterdir()) == ["small.json", "small.pt"]


def _phantom() -> tuple[Volume, np.ndarray]:
    rng = np.random.default_rng(0)
    marks = np.zeros((12, 20, 24), np.uint8)
    marks[[2, 9], 5:12, 6:14] = 1
    return Volume(rng.normal(size=marks.shape).astype(np.float32), Geometry(marks.shape[::-1])), marks


def test_a_clock_that_is_set_back(
    one_model: tuple[dict[str, Any], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, content = one_model
    now = iter(range(2_000_000_000, 0, -86_400))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    volume, marks = _phantom()
    result = propagate(volume, marks, model=tiny_network(), axis="k")
    assert 0 <= result.seconds < 60
    path = tmp_path / "out.nii.gz"
    for _ in range(2):
        write_label_map(path, result.labels, volume.geometry)
        os.utime(path, (4_000_000_000, 4_000_000_000))
    np.testing.assert_array_equal(read_label_map(path).array, result.labels)
    download_model("small", catalogue=models, opener=lambda _: Answer(content))
    assert locate_model("small", models).is_file()


@pytest.mark.parametrize("failures", [1, 2])
def test_memory_that_runs_out_in_the_middle_of_a_run(failures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    volume, marks = _phantom()
    model = tiny_network()
    expected = propagate(volume, marks, model=model, axis="k").labels
    plain, left, passes = engine.ForwardPass, [failures], [0]

    def short(*arguments: Any, **options: Any) -> Any:
        passes[0] += 1
        if passes[0] > 1 and left[0]:
            left[0] -= 1
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return plain(*arguments, **options)

    monkeypatch.setattr(engine, "ForwardPass", short)
    np.testing.assert_array_equal(propagate(volume, marks, model=model, axis="k").labels, expected)
    assert left == [0]
    left[0] = 10**6
    with pytest.raises(UniverSegError, match="not enough memory"):
        propagate(volume, marks, model=model, axis="k")


def _finish(worker: Any) -> None:
    end = time.monotonic() + 30
    while worker.busy and time.monotonic() < end:
        worker.wait(0.02)
        worker.poll()
    assert not worker.busy, "somebody waits for ever"


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_work_that_tries_to_end_its_thread(worker: Any, error: type[BaseException]) -> None:
    from UniverSegSlicerLib.scene.running.worker import Job

    said: list[Any] = []

    def work(_token: Any, _report: Any) -> None:
        raise error

    worker.submit(Job("Segmentation", work, said.append, lambda sentence, _: said.append(sentence)))
    worker.submit(Job("Next", lambda *_: "done", said.append, lambda sentence, _: said.append(sentence)))
    _finish(worker)
    assert said[0].startswith(f"Segmentation failed unexpectedly ({error.__name__}") and said[1] == "done"


def test_a_worker_thread_that_dies(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from UniverSegSlicerLib.scene.running import worker as module
    from UniverSegSlicerLib.scene.running.worker import Job

    said: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def lost(*_: Any) -> Any:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(module, "_outcome", lost)
        for name in ("First", "Second"):
            worker.submit(Job(name, lambda *_: None, said.append, lambda sentence, _: said.append(sentence)))
        _finish(worker)
    assert [sentence.split(" failed")[0] for sentence in said] == ["First", "Second"]
    worker.submit(Job("Third", lambda *_: "works", said.append, said.append))
    _finish(worker)
    assert said[-1] == "works"
