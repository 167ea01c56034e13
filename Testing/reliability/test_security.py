"""No code from files, nothing outside of a folder, nothing over the network but the download that was asked for."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from UniverSegSlicerLib.errors import UniverSegError
from UniverSegSlicerLib.files.pictures import read_picture
from UniverSegSlicerLib.network.weights.files import read_network
from UniverSegSlicerLib.segmentation import SupportSet

from .networks import tiny_network
from .silence import NetworkUsed, forbid_network


class Code:
    """Unpickling it would run a command."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


def _hostile_files(folder: Path, mark: Path) -> Iterator[tuple[Path, object]]:
    code = Code(mark)
    for number, protocol in enumerate((0, 2, 5)):
        path = folder / f"{number}.pt"
        path.write_bytes(pickle.dumps({"x": code}, protocol))
        yield path, read_network
    for new in (True, False):
        path = folder / f"torch{new}.pt"
        torch.save({"x": code}, path, _use_new_zipfile_serialization=new)
        yield path, read_network
    # A file of the other kind under the name of the safe one.
    (folder / "named.safetensors").write_bytes((folder / "torchTrue.pt").read_bytes())
    yield folder / "named.safetensors", read_network
    np.save(folder / "a.npy", np.array([code], dtype=object), allow_pickle=True)
    yield folder / "a.npy", read_picture
    SupportSet.from_pairs([np.eye(3)], [np.eye(3)]).save(folder / "set.npz")
    with np.load(folder / "set.npz") as archive:
        members = dict(archive)
    for name in members:
        changed = {**members, name: np.array([code], dtype=object)}
        np.savez(folder / f"{name}.npz", **changed)
        yield folder / f"{name}.npz", SupportSet.load


def test_no_pickle_of_anybody_is_run(tmp_path: Path) -> None:
    mark, count = tmp_path / "mark", 0
    for path, read in _hostile_files(tmp_path, mark):
        with pytest.raises(UniverSegError):
            read(path)  # type: ignore[operator]
        assert not mark.exists(), path.name
        count += 1
    pickle.loads(pickle.dumps(Code(mark)))
    assert mark.exists() and count >= 10  # they do run where they are let


def test_no_pickle_in_a_checkpoint_or_a_data_set_is_run(tmp_path: Path) -> None:
    from trainer.learning.loop.checkpoints import load_checkpoint
    from trainer.megamedical.readers.formats.spreadsheet import read_rows

    from .damage.seed_files import Seeds

    mark = tmp_path / "mark"
    step = Seeds(tmp_path).kinds["checkpoint"][0][0].parent
    for name in ("optimizer.pt", "states.pt"):
        kept = (step / name).read_bytes()
        torch.save({"x": Code(mark)}, step / name)
        with pytest.raises(UniverSegError, match="contains code, which is never run"):
            load_checkpoint(step)
        (step / name).write_bytes(kept)
    np.save(tmp_path / "t.npy", np.array([Code(mark)], dtype=object), allow_pickle=True)
    with pytest.raises(UniverSegError):
        read_rows(tmp_path / "t.npy")
    assert not mark.exists()


@pytest.mark.parametrize("text", ["!!python/object/apply:os.system ['touch {}']", "!!python/name:os.system", "!x 1"])
def test_yaml_makes_no_objects(tmp_path: Path, text: str) -> None:
    from trainer.yaml_files import read_yaml

    mark, path = tmp_path / "mark", tmp_path / "x.yaml"
    path.write_text(f"a: {text.format(mark)}\n")
    with pytest.raises(UniverSegError, match="not valid YAML"):
        read_yaml(path, "The file")
    assert not mark.exists()


@pytest.mark.parametrize("name", ["../out.npy", "../../out.npy", "/tmp/out.npy", "..\\out.npy", "image_0.npy/../../o"])
def test_members_that_climb_out_of_an_archive_write_nothing(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "deep" / "deeper"
    folder.mkdir(parents=True)
    path = folder / "set.npz"
    SupportSet.from_pairs([np.eye(3)], [np.eye(3)]).save(path)
    stream = io.BytesIO()
    np.save(stream, np.eye(3))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, stream.getvalue())
    before = sorted(tmp_path.rglob("*"))
    assert len(SupportSet.load(path)) == 1  # members that are not asked for are not looked at
    assert sorted(tmp_path.rglob("*")) == before


def test_an_archive_that_unpacks_to_terabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    SupportSet.from_pairs([np.eye(3)], [np.eye(3)]).save(path)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    data[place + 24 : place + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(UniverSegError, match=r"usable support set"):
        SupportSet.load(path)


#: Calls that the source must not have, with what is allowed of them: keyword that has to be there and its value.
FORBIDDEN_CALLS = {
    "pickle.load", "pickle.loads", "cPickle.load", "dill.load", "joblib.load", "torch.jit.load", "pandas.read_pickle",
    "pd.read_pickle", "yaml.load", "yaml.full_load", "yaml.unsafe_load", "eval", "exec", "os.system", "os.popen",
    "shutil.unpack_archive", "tempfile.mktemp", "requests.get", "requests.post", "urllib.request.urlretrieve",
    "urllib.request.urlopen", "urlopen", "marshal.loads", "shelve.open", "__import__",
}  # fmt: skip
FORBIDDEN_METHODS = {"extract", "extractall"}
FORBIDDEN_MODULES = {
    "requests",
    "httpx",
    "aiohttp",
    "ftplib",
    "smtplib",
    "telnetlib",
    "sentry_sdk",
    "dill",
    "cloudpickle",
}
#: The only places that open an address: the download, and Slicer's own download of its sample data.
NETWORK = {"network/weights/download.py"}


def _sources(repository: Path) -> Iterator[tuple[Path, ast.AST]]:
    for folder in ("UniverSegSlicer", "SegmentEditorUniverSeg", "trainer"):
        for path in sorted((repository / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def unsafe(path: Path, tree: ast.AST) -> list[str]:
    """What a source file does that it must not, as "file:line what"."""
    found = []
    for node in ast.walk(tree):
        what = None
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if name in FORBIDDEN_CALLS or name.rpartition(".")[2] in FORBIDDEN_METHODS:
                what = name
            elif name == "torch.load" and keywords.get("weights_only") != "True":
                what = "torch.load without weights_only"
            elif name == "np.load" and keywords.get("allow_pickle", "False") != "False":
                what = "np.load with pickles"
            elif keywords.get("shell", "False") != "False":
                what = "a shell"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = {getattr(node, "module", None) or "", *(alias.name for alias in node.names)}
            roots = {name.split(".")[0] for name in names}
            if roots & FORBIDDEN_MODULES:
                what = f"import of {', '.join(sorted(roots & FORBIDDEN_MODULES))}"
            elif ("urllib.request" in names or roots & {"socket", "http"}) and not str(path).endswith(tuple(NETWORK)):
                what = "network"
        if what:
            found.append(f"{path.name}:{node.lineno} {what}")  # type: ignore[attr-defined]
    return found


def test_the_source_does_nothing_unsafe(repository: Path) -> None:
    count, found = 0, []
    for path, tree in _sources(repository):
        count += 1
        found += unsafe(path, tree)
    assert found == [] and count > 200


@pytest.mark.parametrize(
    "source",
    ["pickle.load(f)", "torch.load(p)", "np.load(p, allow_pickle=True)", "yaml.load(t)", "a.extractall(x)",
     "import requests", "from urllib.request import urlopen", "subprocess.run('x', shell=True)", "eval('1')"],
)  # fmt: skip
def test_what_is_unsafe_is_noticed(source: str) -> None:
    assert unsafe(Path("x.py"), ast.parse(source))


def test_every_address_of_the_catalogue_is_https(repository: Path) -> None:
    models = json.loads((repository / "Resources" / "models.json").read_text(encoding="utf-8"))["models"]
    addresses = [model["url"] for model in models if model.get("url")]
    assert addresses and all(address.startswith("https://") for address in addresses)


def test_the_network_is_forbidden_to_the_tests() -> None:
    import socket
    import urllib.request

    forbid_network()
    with pytest.raises(NetworkUsed):
        socket.create_connection(("192.0.2.1", 443), timeout=1)
    with pytest.raises(NetworkUsed):
        urllib.request.urlopen("https://models.example/", timeout=1)
    with socket.socket() as here:  # this machine may talk to itself
        here.bind(("127.0.0.1", 0))
        here.listen()
        socket.create_connection(here.getsockname()).close()


_JOURNEY = """
import sys
from Testing.reliability.silence import attempts, forbid_network
forbid_network()
from UniverSegSlicerLib.cli.running import run
folder, model = sys.argv[1:]
arguments = ["--model", model]
codes = [
    run(["models", "list"]),
    run(["propagate", f"{folder}/v.nii.gz", f"{folder}/m.nii.gz", "-o", f"{folder}/o.nii.gz", *arguments]),
    run(["support", "create", f"{folder}/v.nii.gz", f"{folder}/m.nii.gz", "-o", f"{folder}/s.npz"]),
    run(["propagate", f"{folder}/v.nii.gz", "--support", f"{folder}/s.npz", "-o", f"{folder}/p.nii.gz", *arguments]),
    run(["click", f"{folder}/v.nii.gz", "--slice", "k:3", "--include", "4,4", "-o", f"{folder}/c.nii.gz", *arguments]),
    run(["report"]),
]
print(codes, attempts, file=sys.stderr)
assert codes == [0] * len(codes)
# Only the download that was asked for goes out, and to the address of the catalogue.
code = run(["models", "download", "universeg-v1", "--accept-terms"])
print(code, attempts, file=sys.stderr)
assert attempts == ["socket.getaddrinfo " + repr('github.com')], attempts
"""


def test_a_whole_day_of_work_opens_no_connection(repository: Path, tmp_path: Path) -> None:
    from urllib.parse import urlparse

    from UniverSegSlicerLib.files import write_label_map, write_volume
    from UniverSegSlicerLib.imaging import Geometry
    from UniverSegSlicerLib.network.weights import read_catalogue
    from UniverSegSlicerLib.network.weights.files import write_network

    marks = np.zeros((8, 10, 12), np.uint8)
    marks[[2, 5], 2:6, 3:8] = 1
    geometry = Geometry(marks.shape[::-1])
    write_volume(tmp_path / "v.nii.gz", np.random.default_rng(0).random(marks.shape), geometry)
    write_label_map(tmp_path / "m.nii.gz", marks, geometry)
    write_network(tmp_path / "n.safetensors", tiny_network().network)
    host = urlparse(read_catalogue()["universeg-v1"].url or "").hostname
    script = _JOURNEY.replace("'github.com'", repr(host))
    proxies = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), str(tmp_path / "n.safetensors")],
        capture_output=True, text=True, check=False, cwd=repository,
        env={
            **{name: value for name, value in os.environ.items() if name.lower() not in proxies},
            "OMP_NUM_THREADS": "1", "UNIVERSEG_CACHE": str(tmp_path / "cache"),
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "cache").glob("*.pt"))
