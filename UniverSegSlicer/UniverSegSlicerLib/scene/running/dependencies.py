"""Whether torch is there, how to get it, and the words for it. Nothing here imports torch or installs unasked."""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...errors import DependencyError

#: What the panel and the log tell where no installer can help.
FALLBACK = (
    "Install the extension PyTorch (Extensions Manager), restart Slicer and press Install in its module PyTorch Utils; "
    "or run in the Python console: import PyTorchUtils; PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation="
    "True). Without a network: on a connected computer with the same system and Python run "
    "'python -m pip download torch -d wheels --index-url https://download.pytorch.org/whl/cpu', copy the folder, and "
    "run here: slicer.util.pip_install('--no-index --find-links=<folder> torch')."
)


class TorchInstaller(Protocol):
    """What ``PyTorchUtils.PyTorchUtilsLogic`` offers."""

    def installTorch(self, askConfirmation: bool = ...) -> object:
        """Install torch for this computer; None or an exception when it was declined or failed."""


@dataclass(frozen=True)
class TorchStatus:
    """State of torch: ``ready``; else ``message`` says in one sentence what is wrong and ``advice`` what to do."""

    ready: bool
    message: str = ""
    advice: str = ""


def torch_status(find: Callable[[str], object | None] = importlib.util.find_spec) -> TorchStatus:
    """Look for torch without importing it (an import takes seconds and pins the files on Windows)."""
    try:
        present = find("torch") is not None
    except (ImportError, ValueError):
        present = False
    if present:
        return TorchStatus(True)
    return TorchStatus(False, "PyTorch is not installed yet; the network needs it.", FALLBACK)


def ensure_torch(
    ask: Callable[[str], bool],
    installer: Callable[[], TorchInstaller | None],
    *,
    find: Callable[[str], object | None] = importlib.util.find_spec,
) -> None:
    """Make torch available, asking once; call it from a button, on the main thread, never at start-up.

    Args:
        ask: Shows a question and answers whether the user agreed.
        installer: Gives the logic of the PyTorch extension, or None where that extension is missing.
        find: How packages are looked up.

    Raises:
        DependencyError: Declined, no installer, the installation failed, or torch is still not there.
    """
    if torch_status(find).ready:
        return
    logic = installer()
    if logic is None:
        raise DependencyError(f"PyTorch is missing and so is the extension that installs it. {FALLBACK}")
    if not ask("The network needs PyTorch, a download of 0.2 to 3 GB. Install it now?"):
        raise DependencyError(f"PyTorch was not installed. When you want it: {FALLBACK}")
    try:
        logic.installTorch(askConfirmation=False)
    except Exception as error:
        raise DependencyError(f"PyTorch could not be installed ({error}). {FALLBACK}") from error
    importlib.invalidate_caches()
    if not torch_status(find).ready:
        raise DependencyError(f"PyTorch is still missing after the installation; restart Slicer. {FALLBACK}")


def check_torch_works() -> None:
    """Import torch and use it once, on the worker thread.

    Raises:
        DependencyError: torch is missing, or is there but broken (wrong build, half removed, incompatible numpy).
    """
    map_libraries()
    try:
        import torch

        torch.zeros(1).numpy()
    except Exception as error:
        raise DependencyError(
            f"PyTorch is there but cannot be used ({type(error).__name__}: {error}). {FALLBACK}"
        ) from error


@contextmanager
def collection_put_off() -> Iterator[None]:
    """Without Python's garbage collection: an import makes so many objects that it would go through all of Slicer's
    again and again, each time with the window standing still."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def map_libraries() -> bool:
    """Load the shared libraries of torch ahead of its import, on the worker thread; False where nothing was done.

    An import loads them under Python's interpreter lock, for a second and more, in which Slicer's window stands still.
    A call of C does not need the lock, and the import that follows finds them there. On Windows torch does so itself.
    """
    found = importlib.util.find_spec("torch")
    if "torch" in sys.modules or sys.platform == "win32" or found is None or found.origin is None:
        return False
    load = getattr(ctypes.CDLL(None), "dlopen", None)
    if load is None:
        return False
    load.argtypes, load.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    folder, ending = Path(found.origin).parent / "lib", "dylib" if sys.platform == "darwin" else "so"
    # In the order and with the scopes of torch itself; one that cannot be loaded is the import's to complain of.
    scopes = {"libtorch_global_deps": os.RTLD_GLOBAL, "libtorch_python": os.RTLD_LOCAL}
    loaded = [load(os.fsencode(folder / f"{name}.{ending}"), os.RTLD_NOW | scope) for name, scope in scopes.items()]
    return all(loaded)
