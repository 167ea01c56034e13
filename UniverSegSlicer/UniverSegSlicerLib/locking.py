"""One run at a time writes into a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .errors import InputError, OutputError

#: The file in the folder that is locked; it may stay behind, and says nothing then.
LOCK = ".lock"


@contextmanager
def folder_lock(folder: Path, what: str = "folder") -> Iterator[None]:
    """Hold the lock of a folder, which is made if need be; the system lets go of it however the process ends.

    Args:
        folder: The folder.
        what: What it is called in errors.

    Raises:
        InputError: Another run holds it.
        OutputError: The folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = (folder / LOCK).open("a+")
    except OSError as error:
        raise OutputError(f"The {what} {folder} cannot be written to: {error.strerror}.") from error
    with opened as stream:
        if not try_lock(stream):
            stream.seek(0)
            raise InputError(
                f"Another run is writing into {folder} (process {stream.read().strip() or 'unknown'}); wait for it or "
                "stop it."
            )
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def try_lock(stream: IO[str]) -> bool:
    """Lock an open file, if nobody else holds it; closing it lets go."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            stream.seek(1 << 30)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
