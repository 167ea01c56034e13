"""Models through the command: listed, fetched after consent, checked, removed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from UniverSegSlicerLib.network.weights import download

from .conftest import Command, Scan
from .test_bad_input import assert_refused

RESTRICTED = "universeg-v1"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A weight file with the shapes of the published network, never trained."""
    import torch

    from UniverSegSlicerLib.network import Architecture, UniverSeg

    stream = io.BytesIO()
    torch.save(UniverSeg(Architecture()).state_dict(), stream)
    return stream.getvalue()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test alone."""
    monkeypatch.setenv("UNIVERSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def serve(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[str]:
    """Answer every request with ``content``; returns the list of addresses that were asked for."""
    asked: list[str] = []

    class Response(io.BytesIO):
        headers: dict[str, str] = {"Content-Length": str(len(content))}  # noqa: RUF012

        def geturl(self) -> str:
            return asked[-1]

    @contextmanager
    def open_url(url: str) -> Iterator[Any]:
        asked.append(url)
        yield Response(content)

    monkeypatch.setattr(download, "_open", open_url)
    return asked


def test_list(cache: Path, command: Command) -> None:
    done = command("models", "list")
    assert (done.code, done.err) == (0, "")
    assert "default" in done.out and RESTRICTED in done.out and "OpenRAIL++-M" in done.out
    models = {entry["name"]: entry for entry in command("models", "list", "--json").json["models"]}
    assert models[RESTRICTED]["state"] == "downloadable" and models[RESTRICTED]["path"] is None
    assert models["default"]["terms"] is None and "research" in models[RESTRICTED]["terms"]


def test_terms_come_before_the_download(
    cache: Path, published: bytes, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = serve(monkeypatch, published)
    assert_refused(command("models", "download", RESTRICTED), "research purposes only", "--accept-terms")
    assert asked == [] and not any(cache.glob("*.pt"))


@pytest.mark.parametrize(("answer", "fetched"), [("y\n", True), ("n\n", False)])
def test_the_terms_are_shown_and_asked_for(
    answer: str, fetched: bool, cache: Path, published: bytes, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked = serve(monkeypatch, published)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    done = command("models", "download", RESTRICTED)
    assert "research purposes only" in done.err
    assert (done.code == 0, len(asked) == 1) == (fetched, fetched)
    assert any(cache.glob("*.pt")) == fetched


def test_download_verify_use_remove(
    scan: Scan, cache: Path, published: bytes, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, published)
    assert_refused(command("models", "verify", RESTRICTED), "models download")
    done = command("models", "download", RESTRICTED, "--accept-terms")
    assert done.code == 0 and str(cache) in done.out
    assert command("models", "verify", RESTRICTED).out.startswith(f"{RESTRICTED}: right")
    (file,) = cache.glob("*.pt")
    options = ("-m", RESTRICTED, "--range", "7:8", "--labels", "1", "--json")
    done = command("propagate", scan.volume, scan.labels, "-o", scan.folder / "out.nii.gz", *options)
    assert (done.code, done.err) == (0, "") and done.json["strategy"] == "guided"
    file.write_bytes(published[:-1] + b"\x01")
    before = scan.files()
    refused = command("propagate", scan.volume, scan.labels, "-o", scan.folder / "new.nii.gz", "-m", RESTRICTED)
    assert_refused(refused, "SHA-256")
    assert_refused(command("models", "verify", RESTRICTED), "SHA-256")
    assert scan.files() == before
    assert command("models", "remove", RESTRICTED).code == 0
    assert not file.exists()
    assert_refused(command("models", "remove", RESTRICTED), "nothing to remove")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_what_is_no_model_is_not_kept(
    content: bytes, cache: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, content)
    assert_refused(command("models", "download", RESTRICTED, "--accept-terms"))
    assert not any(path.is_file() for path in cache.rglob("*") if path.name != "runs.json")


def test_no_connection(cache: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str) -> Any:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(download, "_open", refuse)
    assert_refused(command("models", "download", RESTRICTED, "--accept-terms"), "Connection refused")


def test_unknown_and_bundled_names(cache: Path, command: Command) -> None:
    assert_refused(command("models", "download", "nobody"), "nobody", "default")
    assert_refused(command("models", "download", "default"), "comes with the program")
    assert_refused(command("models", "remove", "default"), "part of the installation")
    assert_refused(command("models", "verify", "missing.safetensors"), "missing.safetensors")
