"""Writing so that nothing half-written is ever seen."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from UniverSegSlicerLib.errors import OutputError


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside the target, flush to the disk, then rename.

    Raises:
        OutputError: The disk is full or the folder cannot be written; the old file is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
