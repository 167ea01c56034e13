"""Writing beside, then renaming: an output file is there whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .errors import OutputError


@contextlib.contextmanager
def replacing(path: str | Path, ending: str | None = None) -> Iterator[Path]:
    """Give the path of a temporary file beside ``path``; when the block ends well, it takes the place of ``path``.

    After an error, Ctrl-C included, the temporary file is gone and ``path`` is as it was. Of two processes that write
    the same file, the later one wins, whole.

    Args:
        path: The file to write.
        ending: Ending of the temporary name, for writers that look at it; by default the last one of ``path``.

    Raises:
        OutputError: The folder is missing or cannot be written to, the disk is full, or the writer failed with an
            OSError or a RuntimeError (which is what ITK raises).

    Example:
        >>> with replacing("report.json") as beside:  # doctest: +SKIP
        ...     beside.write_text("{}")
    """
    with _replacing(Path(path), ending, (OSError, RuntimeError)) as beside:
        yield beside


@contextlib.contextmanager
def replacing_stream(path: Path) -> Iterator[IO[bytes]]:
    """A binary stream whose content takes the name ``path`` when the block ends well; the folder is made if need be.

    Raises:
        OutputError: The folder or the file cannot be written (no permission, no space).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
    with _replacing(path, None, (OSError,)) as beside, beside.open("wb") as stream:
        yield stream


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a small file, text as UTF-8, which appears whole or not at all; the folder is made if need be.

    Raises:
        OutputError: The folder or the file cannot be written (no permission, no space).
    """
    with replacing_stream(path) as stream:
        stream.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextlib.contextmanager
def all_or_none(*paths: Path | None, endings: tuple[str, ...] = ()) -> Iterator[list[Path | None]]:
    """Give a temporary file for every path; they take their places together when the block ends well.

    After an error in the block, Ctrl-C included, every path is as it was. None stays None.

    Args:
        paths: The files to write.
        endings: Endings of several parts (``.nii.gz``) that the temporary names have to keep.

    Raises:
        OutputError: A file cannot be written.
    """
    with contextlib.ExitStack() as stack:
        besides = [
            None if path is None else stack.enter_context(replacing(path, _ending(path, endings))) for path in paths
        ]
        try:
            yield besides
        except OutputError as error:
            # A writer names the file that it was given; the user knows the one that it stands for.
            sentence = str(error)
            for path, beside in zip(paths, besides, strict=True):
                sentence = sentence.replace(str(beside), str(path))
            raise OutputError(sentence) from error


@contextlib.contextmanager
def _replacing(path: Path, ending: str | None, failures: tuple[type[Exception], ...]) -> Iterator[Path]:
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
        # On the disk before it takes the name: after a power cut, too, there is the old file or the new one.
        with beside.open("rb+") as stream:
            os.fsync(stream.fileno())
        # mkstemp makes files that only the owner may read; a result gets the rights that the user's umask gives.
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o666 & ~umask)
        beside.replace(path)
    except failures as error:
        reason = getattr(error, "strerror", None) or (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise OutputError(f"{path} cannot be written: {reason}.") from error
    finally:
        beside.unlink(missing_ok=True)


def _ending(path: Path, endings: tuple[str, ...]) -> str:
    return next((ending for ending in endings if path.name.lower().endswith(ending)), path.suffix)
