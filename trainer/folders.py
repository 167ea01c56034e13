"""Folders that change as a whole: a reader, or a process that is killed, finds the old one or the new one."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def replace_folder(new: Path, place: Path) -> None:
    """Let ``new`` take the name ``place``, and delete what was there before.

    On Linux the two change names in one step. Elsewhere there is a moment without either, after which the old one is
    kept under a hidden name beside ``new``.

    Raises:
        OSError: As from renaming.
    """
    if not place.exists():
        new.rename(place)
        return
    if not _exchange(new, place):
        old = new.with_name(f".{new.name.lstrip('.')}.old")
        shutil.rmtree(old, ignore_errors=True)
        place.rename(old)
        new.rename(place)
        new = old
    shutil.rmtree(new, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Delete a folder; under its own name it is whole until it is gone. What cannot be deleted stays, hidden."""
    gone = folder.with_name(f".{folder.name}.gone")
    shutil.rmtree(gone, ignore_errors=True)
    try:
        folder.rename(gone)
    except OSError:
        return
    shutil.rmtree(gone, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two names in one step where the system can (Linux 3.15 and a file system that does)."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):
        return False
    names = os.fsencode(first), os.fsencode(second)
    return bool(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)
