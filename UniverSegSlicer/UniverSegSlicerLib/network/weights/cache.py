"""The user's folder of downloaded models, and the hashes recorded there."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from ...errors import ModelError
from ...writing import replacing_stream
from .catalogue import CatalogueEntry

_APPLICATION = "UniverSegSlicer"
#: Names another folder for downloaded models.
CACHE_VARIABLE = "UNIVERSEG_CACHE"


def cache_folder() -> Path:
    """Where downloaded models are kept: ``$UNIVERSEG_CACHE``, or the system's place for caches of this user.

    Raises:
        ModelError: This user has no home directory, and no folder was named.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    try:
        if chosen:
            return Path(chosen).expanduser()
        if not any(os.environ.get(name, "").strip() for name in ("XDG_CACHE_HOME", "LOCALAPPDATA")):
            Path.home()
    except RuntimeError as error:
        raise ModelError(
            f"This user has no home directory to keep downloaded models in; set {CACHE_VARIABLE} to a folder."
        ) from error
    try:
        import platformdirs
    except ImportError:
        # Slicer's Python has no platformdirs; these are the folders that it would name.
        return _system_cache() / "models"
    return Path(platformdirs.user_cache_dir(_APPLICATION, appauthor=False)) / "models"


def cached_file(entry: CatalogueEntry) -> Path:
    """Where the file of a downloaded model stands, whether it is there or not."""
    return cache_folder() / f"{entry.name}{entry.suffix}"


def expected_hash(entry: CatalogueEntry) -> str | None:
    """The hash that a model's file must have: the catalogue's, else the one of the first verified download, else None.

    Raises:
        ModelError: The record in the cache is damaged.
    """
    return entry.sha256 or _recorded_hash(_record(entry))


def record_hash(entry: CatalogueEntry, sha256: str) -> None:
    """Record the hash of a first verified download; it is kept when the model is removed.

    Raises:
        ModelError: Another hash was recorded before, by another process for instance.
        OutputError: The record cannot be written.
    """
    record = _record(entry)
    if _recorded_hash(record) is None:
        with replacing_stream(record) as stream:
            stream.write(json.dumps({"model": entry.name, "url": entry.url, "sha256": sha256}, indent=2).encode())
    check_hash(entry.name, sha256, _recorded_hash(record))


def check_hash(name: str, found: str, expected: str | None) -> None:
    """Raise ModelError unless the two hashes are the same; nothing is expected of None."""
    if expected is not None and found != expected:
        raise ModelError(
            f"The file of model {name} has SHA-256 {found}, expected {expected}; remove it and download it again."
        )


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hexadecimal.

    Raises:
        ModelError: It cannot be read.
    """
    try:
        with path.open("rb") as stream:
            digest = hashlib.sha256()
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}.") from error
    return digest.hexdigest()


def _record(entry: CatalogueEntry) -> Path:
    return cache_folder() / f"{entry.name}.json"


def _recorded_hash(record: Path) -> str | None:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        sha256 = content["sha256"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{record}: damaged record of a download; delete it and download again.") from error
    if not isinstance(sha256, str) or len(sha256) != 64:
        raise ModelError(f"{record}: damaged record of a download; delete it and download again.")
    return sha256


def _system_cache() -> Path:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / _APPLICATION / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / _APPLICATION
    shared = os.environ.get("XDG_CACHE_HOME", "").strip()
    return (Path(shared) if shared else Path.home() / ".cache") / _APPLICATION
