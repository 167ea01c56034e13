"""torch: looked for without an import, asked for once, every refusal with the way out."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import Any

import pytest

from UniverSegSlicerLib.errors import DependencyError, ModelError
from UniverSegSlicerLib.scene.running.dependencies import (
    check_torch_works,
    collection_put_off,
    ensure_torch,
    torch_status,
)


class Computer:
    """A computer on which torch can be installed, or not."""

    def __init__(self, *, present: bool = False, works: bool = True, agrees: bool = True) -> None:
        self.present, self.works, self.agrees = present, works, agrees
        self.questions: list[str] = []

    def find(self, name: str) -> object | None:
        assert name == "torch"
        return object() if self.present else None

    def ask(self, question: str) -> bool:
        self.questions.append(question)
        return self.agrees

    def installTorch(self, askConfirmation: bool = True) -> object:
        assert not askConfirmation  # asked once is enough
        if not self.works:
            raise RuntimeError("no network")
        self.present = True
        return object()

    def ensure(self, extension: bool = True) -> None:
        ensure_torch(self.ask, lambda: self if extension else None, find=self.find)


def test_present_torch_asks_nothing():
    computer = Computer(present=True)
    computer.ensure()
    assert computer.questions == []


def test_installs_after_one_question():
    computer = Computer()
    computer.ensure()
    assert len(computer.questions) == 1
    assert computer.present
    computer.ensure()
    assert len(computer.questions) == 1


@pytest.mark.parametrize(
    ("options", "extension", "message"),
    [
        ({"agrees": False}, True, "was not installed"),
        ({}, False, "so is the extension that installs it"),
        ({"works": False}, True, r"could not be installed \(no network\)"),
    ],
)
def test_every_refusal_tells_the_way_out(options: dict[str, Any], extension: bool, message: str):
    with pytest.raises(DependencyError, match=message) as raised:
        Computer(**options).ensure(extension)
    assert "installTorch(askConfirmation=True)" in str(raised.value)
    assert "pip download torch" in str(raised.value)


def test_a_find_that_fails_counts_as_missing():
    def broken(name: str) -> object:
        raise ValueError("torch.__spec__ is None")

    assert not torch_status(find=broken).ready


def test_looking_for_torch_does_not_import_it():
    code = (
        "import sys; from UniverSegSlicerLib.scene.running.dependencies import torch_status; status = torch_status();"
        "assert 'torch' not in sys.modules; print(status.ready)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_the_interface_needs_neither_slicer_nor_torch():
    code = (
        "import sys; sys.modules['slicer'] = None; sys.modules['torch'] = None; sys.modules['vtk'] = None;"
        "import UniverSegSlicerLib.scene.interface"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_logic_does_not_import_torch():
    pytest.importorskip("slicer")
    code = "import sys, UniverSegSlicerLib.scene.logic; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_broken_torch_is_said_in_words(monkeypatch):
    check_torch_works()
    import torch

    def broken(*_size: int) -> None:
        raise OSError("libtorch_cpu.so: undefined symbol")

    monkeypatch.setattr(torch, "zeros", broken)
    with pytest.raises(DependencyError, match=r"cannot be used \(OSError: libtorch_cpu\.so: undefined symbol\)"):
        check_torch_works()


@pytest.mark.skipif(sys.platform == "win32", reason="torch itself does so there")
def test_libraries_are_loaded_before_the_import_and_without_the_interpreter() -> None:
    """Another thread gets on while they are, and the import still works and is the one that finds them."""
    script = """
import ctypes, os, sys
from UniverSegSlicerLib.scene.running.dependencies import check_torch_works, map_libraries
found = lambda: ctypes.CDLL(None).dlopen(os.fsencode(library), os.RTLD_NOW | os.RTLD_NOLOAD)
import importlib.util
from pathlib import Path
folder = Path(importlib.util.find_spec("torch").origin).parent / "lib"
library = folder / ("libtorch_cpu." + ("dylib" if sys.platform == "darwin" else "so"))
assert "torch" not in sys.modules and not found()
assert map_libraries()
assert "torch" not in sys.modules and found()
check_torch_works()
assert "torch" in sys.modules and not map_libraries()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


def test_garbage_is_collected_again_after_the_import_whatever_happens_in_it() -> None:
    with collection_put_off():
        assert not gc.isenabled()
        with collection_put_off():
            pass
        assert not gc.isenabled(), "the inner one leaves it as it was"
    assert gc.isenabled()
    with pytest.raises(ModelError), collection_put_off():
        raise ModelError("damaged")
    assert gc.isenabled()
