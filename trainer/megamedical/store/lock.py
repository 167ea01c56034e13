"""One run at a time writes into a store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from UniverSegSlicerLib.errors import InputError, OutputError


@contextmanager
def store_lock(store: Path) -> Iterator[None]:
    """Hold the store's lock; the system lets go of it when the process ends, however it ends.

    Raises:
        InputError: Another run holds it.
        OutputError: The folder cannot be made or written.
    """
    try:
        store.mkdir(parents=True, exist_ok=True)
        opened = (store / ".lock").open("a+")
    except OSError as error:
        raise OutputError(f"The store {store} cannot be written to: {error.strerror}.") from error
    with opened as stream:
        if not _try_lock(stream):
            stream.seek(0)
            raise InputError(f"Another run is writing into {store} (process {stream.read().strip() or 'unknown'}).")
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def _try_lock(stream: IO[str]) -> bool:
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
