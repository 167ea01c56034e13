"""Whether something is still what it was: files by content, recipes by all that they are made of."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

# Of what results hang on beside what is hashed; a change of the pictures or records counts as well.
_FORMAT = 1
_CHUNK = 1 << 20


def stamp_of(volume: Path) -> dict[str, Any]:
    """Size and newest time of change of a volume's files, without their content.

    Raises:
        OSError: A file is gone or cannot be read.
    """
    stats = [path.stat() for path in _files(volume)]
    return {"size": sum(s.st_size for s in stats), "changed_ns": max((s.st_mtime_ns for s in stats), default=0)}


def content_hash(volume: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files of a folder.

    Raises:
        OSError: A file is gone or cannot be read.
    """
    digest = hashlib.sha256()
    for path in _files(volume):
        if path != volume:
            digest.update(path.relative_to(volume).as_posix().encode() + b"\0")
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def is_unchanged(volume: Path, stamp: dict[str, Any]) -> bool:
    """Whether a volume is what it was when it was stamped; the content is read only where time or size differ."""
    try:
        now = stamp_of(volume)
        if now == {name: stamp.get(name) for name in now}:
            return True
        return now["size"] == stamp.get("size") and content_hash(volume) == stamp.get("sha256")
    except OSError:
        return False


def recipe_hash(**parts: Any) -> str:
    """SHA-256 of JSON-ready parts."""
    return hashlib.sha256(json.dumps({**parts, "format": _FORMAT}, sort_keys=True).encode()).hexdigest()


def _files(volume: Path) -> list[Path]:
    """The file; the files of a folder; the two of a pair of header and voxels."""
    if volume.is_dir():
        return sorted(path for path in volume.rglob("*") if path.is_file())
    beside = [volume.with_suffix(ending) for ending in (".img", ".raw", ".zraw") if volume.suffix in (".hdr", ".mhd")]
    return [volume, *(path for path in beside if path.is_file())]
