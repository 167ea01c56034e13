"""The catalogue, the cache and downloads, with a catalogue and a server of the test's own."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch

from UniverSegSlicerLib.errors import Cancelled, ModelError, OutputError
from UniverSegSlicerLib.network import load_model
from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.network.weights import (
    CatalogueEntry,
    Licence,
    cache_folder,
    download_model,
    list_models,
    locate_model,
    read_catalogue,
    remove_model,
    resource_folder,
    verify_model,
)
from UniverSegSlicerLib.progress import CancelToken

from .examples import build

ARCHITECTURE = Architecture(1, (4, 4))
URL = "https://models.example/small.pt"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNIVERSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entry(**changes: Any) -> dict[str, CatalogueEntry]:
    licence = Licence("Research", "https://example.com/licence", "For research only.")
    small = CatalogueEntry("small", "Small", "For tests", None, URL, None, None, ARCHITECTURE, licence, "Never")
    return {"small": replace(small, **changes)}


def weights(seed: int = 0, architecture: Architecture = ARCHITECTURE) -> bytes:
    stream = io.BytesIO()
    torch.save(build(architecture, seed).state_dict(), stream)
    return stream.getvalue()


class Response(io.BytesIO):
    """What urllib's urlopen returns, as far as a download looks at it."""

    def __init__(self, content: bytes, url: str = URL, length: int | None = -1) -> None:
        super().__init__(content)
        self.headers = {} if length is None else {"Content-Length": str(len(content) if length == -1 else length)}
        self._url = url

    def geturl(self) -> str:
        return self._url


def server(content: bytes, **options: Any) -> Callable[[str], Response]:
    def opened(url: str) -> Response:
        assert url == URL
        return Response(content, **options)

    return opened


def test_the_catalogue_keeps_to_its_schema() -> None:
    folder = resource_folder()
    schema = json.loads((folder / "models.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads((folder / "models.json").read_text(encoding="utf-8")), schema)


def test_the_catalogue_names_the_default_and_the_published_model() -> None:
    models = read_catalogue()
    assert next(iter(models)) == "default" and models["default"].file == "Weights/default.safetensors"
    published = models["universeg-v1"]
    assert published.architecture == Architecture() and published.licence.terms is not None
    assert "research" in published.licence.terms and published.licence.name == "OpenRAIL++-M"


GOOD: dict[str, Any] = {
    "name": "x",
    "title": "X",
    "description": "x",
    "url": "https://example.com/x.pt",
    "sha256": None,
    "architecture": {"encoder": [4, 4]},
    "licence": {"name": "MIT", "url": "https://example.com", "terms": None},
    "training": "none",
}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "X!"},
        {"name": "../x"},
        {"title": ""},
        {"url": "http://example.com/x.pt"},
        {"url": "https://example.com/x.zip"},
        {"url": None, "file": "../x.safetensors"},
        {"url": None, "file": "/x.safetensors"},
        {"url": None, "file": "x.pt"},
        {"file": "x.safetensors"},
        {"url": None},
        {"sha256": "abc"},
        {"sha256": "A" * 64},
        {"bytes": 0},
        {"bytes": "5"},
        {"architecture": None},
        {"architecture": {"encoder": []}},
        {"architecture": {"unknown": 1}},
        {"licence": None},
        {"licence": {"name": "MIT", "url": "ftp://x", "terms": None}},
        {"licence": {"name": "MIT", "url": "https://x", "terms": ""}},
        {"training": None},
    ],
)
def test_schema_and_reader_refuse_the_same_entries(tmp_path: Path, change: dict[str, Any]) -> None:
    schema = json.loads((resource_folder() / "models.schema.json").read_text(encoding="utf-8"))
    path = tmp_path / "models.json"

    def content(model: dict[str, Any]) -> dict[str, Any]:
        return {"version": 1, "models": [{k: v for k, v in model.items() if v is not None or k == "sha256"}]}

    path.write_text(json.dumps(content(GOOD)))
    jsonschema.validate(content(GOOD), schema)
    assert list(read_catalogue(path)) == ["x"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content({**GOOD, **change}), schema)
    path.write_text(json.dumps(content({**GOOD, **change})))
    with pytest.raises(ModelError):
        read_catalogue(path)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 2, "models": []}', '{"version": 1}', '{"version":1,"models":[3]}']
)
def test_damaged_catalogues_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "models.json").write_text(text)
    with pytest.raises(ModelError, match=r"models\.json"):
        read_catalogue(tmp_path / "models.json")


def test_a_name_may_occur_once(tmp_path: Path) -> None:
    (tmp_path / "models.json").write_text(json.dumps({"version": 1, "models": [GOOD, GOOD]}))
    with pytest.raises(ModelError, match="x occurs twice"):
        read_catalogue(tmp_path / "models.json")


def test_resources_are_found_in_every_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, place in enumerate(("lib/bundled", "Resources", "../Resources")):
        base = tmp_path / str(number) / "module"
        library = base / "lib"
        (library / "network" / "weights").mkdir(parents=True)
        folder = (base / place).resolve()
        folder.mkdir(parents=True)
        (folder / "models.json").write_text("{}")
        fake = library / "network" / "weights" / "catalogue.py"
        monkeypatch.setattr("UniverSegSlicerLib.network.weights.catalogue.__file__", str(fake))
        assert resource_folder() == folder
        (folder / "models.json").unlink()
        with pytest.raises(ModelError, match=r"models\.json is missing"):
            resource_folder()


def test_terms_must_be_accepted_before_anything_is_fetched(cache: Path) -> None:
    def unexpected(url: str) -> Response:
        raise AssertionError(url)

    with pytest.raises(ModelError, match="terms must be accepted"):
        download_model("small", catalogue=entry(), opener=unexpected)
    assert not cache.exists()


def test_a_download_is_checked_recorded_listed_loaded_and_removed(cache: Path) -> None:
    models, content = entry(), weights()
    assert [status.state for status in list_models(models)] == ["downloadable"]
    with pytest.raises(ModelError, match="universeg-slicer models download small"):
        locate_model("small", models)
    fractions: list[float] = []
    path = download_model(
        "small",
        accept_terms=True,
        catalogue=models,
        opener=server(content),
        progress=lambda fraction, message: fractions.append(fraction),
    )
    assert path == cache / "small.pt" and path.read_bytes() == content
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert sorted(p.name for p in cache.iterdir()) == ["small.json", "small.pt"]
    record = json.loads((cache / "small.json").read_text())
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    assert [status.state for status in list_models(models)] == ["downloaded"] and list_models(models)[0].ready
    assert locate_model("small", models) == verify_model("small", models) == path
    # A second download finds it there and fetches nothing.
    assert download_model("small", catalogue=models, opener=server(b"other")) == path
    assert remove_model("small", models) == path and not path.exists()
    with pytest.raises(ModelError, match="nothing to remove"):
        remove_model("small", models)


def test_the_recorded_hash_is_expected_ever_after(cache: Path) -> None:
    models = entry()
    path = download_model("small", accept_terms=True, catalogue=models, opener=server(weights()))
    path.write_bytes(weights(seed=1))
    with pytest.raises(ModelError, match=r"SHA-256 .* expected"):
        locate_model("small", models)
    remove_model("small", models)
    with pytest.raises(ModelError, match=r"SHA-256 .* expected"):
        download_model("small", accept_terms=True, catalogue=models, opener=server(weights(seed=1)))
    assert not path.exists()
    assert download_model("small", accept_terms=True, catalogue=models, opener=server(weights())) == path


@pytest.mark.parametrize(
    ("content", "changes", "options", "words"),
    [
        (weights(), {"sha256": "0" * 64}, {}, "SHA-256"),
        (weights(architecture=Architecture(2, (4, 4))), {}, {}, "is not model small"),
        (weights(architecture=Architecture(1, (4, 4, 4))), {}, {}, "is not model small"),
        (b"<html>Not found</html>", {}, {}, "corrupt"),
        (weights()[:1000], {}, {"length": len(weights())}, "ended after 1000 of"),
        (weights(), {}, {"url": "http://models.example/small.pt"}, "not https"),
    ],
)
def test_what_is_not_the_model_leaves_nothing_behind(
    cache: Path, content: bytes, changes: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        download_model("small", accept_terms=True, catalogue=entry(**changes), opener=server(content, **options))
    assert not list(cache.iterdir())


def test_a_server_that_tells_no_length_will_do() -> None:
    path = download_model("small", accept_terms=True, catalogue=entry(), opener=server(weights(), length=None))
    assert path.is_file()


def test_no_connection_is_a_model_error(cache: Path) -> None:
    def unreachable(url: str) -> Response:
        raise OSError("no route to host")

    class Broken(Response):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError("reset by peer")

    for opener, words in ((unreachable, "no route to host"), (lambda url: Broken(b"xx"), "reset by peer")):
        with pytest.raises(ModelError, match=words):
            download_model("small", accept_terms=True, catalogue=entry(), opener=opener)
    assert not list(cache.iterdir())


def test_cancelling_a_download_leaves_nothing_behind(cache: Path) -> None:
    token = CancelToken()

    def cancel(fraction: float, message: str) -> None:
        token.cancel()

    content = weights() + bytes(200_000)
    with pytest.raises(Cancelled):
        download_model(
            "small", accept_terms=True, catalogue=entry(), opener=server(content), progress=cancel, cancel=token
        )
    assert not list(cache.iterdir())


def test_a_cache_that_cannot_be_written_is_an_output_error(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="cannot be written"):
        download_model("small", accept_terms=True, catalogue=entry(), opener=server(weights()))


def test_two_downloads_at_once_agree(cache: Path) -> None:
    models, content = entry(), weights()

    def meanwhile(url: str) -> Response:
        download_model("small", accept_terms=True, catalogue=models, opener=server(content))
        return Response(content)

    path = download_model("small", accept_terms=True, catalogue=models, opener=meanwhile)
    assert path.read_bytes() == content and sorted(p.name for p in cache.iterdir()) == ["small.json", "small.pt"]

    def differing(url: str) -> Response:
        download_model("small", accept_terms=True, catalogue=models, opener=server(weights(seed=3)))
        return Response(content)

    path.unlink()
    (cache / "small.json").unlink()
    with pytest.raises(ModelError, match="SHA-256"):
        download_model("small", accept_terms=True, catalogue=models, opener=differing)


def test_a_damaged_record_is_told(cache: Path) -> None:
    models = entry()
    download_model("small", accept_terms=True, catalogue=models, opener=server(weights()))
    for text in ("", "[]", '{"sha256": 5}'):
        (cache / "small.json").write_text(text)
        with pytest.raises(ModelError, match="damaged record"):
            locate_model("small", models)
    (cache / "small.json").unlink()
    with pytest.raises(ModelError, match="no hash is known"):
        locate_model("small", models)


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    for function in (locate_model, verify_model, remove_model, download_model, load_model):
        with pytest.raises(ModelError, match=r"no model 'nonesuch'; there are default, universeg-v1"):
            function("nonesuch")


def test_bundled_models_are_neither_downloaded_nor_removed(
    tiny_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="nothing to download"):
        download_model("default")
    with pytest.raises(ModelError, match="part of the installation"):
        remove_model("default")
    monkeypatch.setattr("UniverSegSlicerLib.network.weights.store.resource_folder", lambda: tmp_path)
    models = entry(file="Weights/small.safetensors", url=None)
    assert list_models(models)[0].state == "absent"
    with pytest.raises(ModelError, match="missing from this installation"):
        locate_model("small", models)
    (tmp_path / "Weights").mkdir()
    (tmp_path / "Weights" / "small.safetensors").write_bytes(tiny_model_path.read_bytes())
    assert list_models(models)[0].state == "bundled"
    assert verify_model("small", entry(file="Weights/small.safetensors", url=None, architecture=None))
    with pytest.raises(ModelError, match="its architecture is"):
        verify_model("small", models)
    models = entry(file="Weights/small.safetensors", url=None, sha256="0" * 64)
    with pytest.raises(ModelError, match="SHA-256"):
        locate_model("small", models)


def test_paths_are_told_from_names(tiny_model_path: Path, tmp_path: Path) -> None:
    assert locate_model(tiny_model_path) == tiny_model_path
    assert load_model(str(tiny_model_path)).name == tiny_model_path.stem
    with pytest.raises(ModelError, match="no such model file"):
        locate_model(tmp_path / "absent.pt")


def test_the_cache_stands_where_the_system_keeps_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("UNIVERSEG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with_library = cache_folder()
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    without_library = cache_folder()
    assert with_library == without_library
    assert without_library.parts[-2:] == ("UniverSegSlicer", "models")


def test_listing_models_imports_no_torch(repository: Path) -> None:
    program = "import sys, UniverSegSlicerLib.network.weights as w; w.list_models(); sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(repository / "UniverSegSlicer")},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
