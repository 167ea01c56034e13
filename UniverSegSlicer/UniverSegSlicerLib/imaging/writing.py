"""Writing beside, then renaming: an output file is there whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import OutputError


@contextlib.contextmanager
def replacing(path: str | Path, ending: str | None = None) -> Iterator[Path]:
    """Give the path of a temporary file beside ``path``; when the block ends well, it takes the place of ``path``.

    After an error, Ctrl-C included, the temporary file is gone and ``path`` is as it was.

    Args:
        path: The file to write.
        ending: Ending of the temporary name, for writers that look at it; by default the last one of ``path``.

    Raises:
        OutputError: The folder is missing or cannot be written to, the disk is full, or the writer failed.

    Example:
        >>> with replacing("report.json") as beside:  # doctest: +SKIP
        ...     beside.write_text("{}")
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder; a file name is needed.")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=ending or path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
    beside = Path(name)
    try:
        yield beside
        # mkstemp makes files that only the owner may read; a result gets the rights that the user's umask gives.
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o666 & ~umask)
        beside.replace(path)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[-1]
        raise OutputError(f"{path} cannot be written: {reason}.") from error
    finally:
        beside.unlink(missing_ok=True)
