"""Output files and folders: refused before the work starts where that is possible; a folder is filled, or is not."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import InputError, OutputError
from ...writing import replacing


def check_output(
    path: Path | None,
    endings: tuple[str, ...] = (),
    *,
    inputs: tuple[Path | None, ...] = (),
    outputs: tuple[Path | None, ...] = (),
) -> None:
    """Refuse an output path that could not be written when the work is done (None is always fine).

    Args:
        path: The file to write later.
        endings: Endings of which the name must have one; empty: any.
        inputs: Files that are read and must not be overwritten.
        outputs: Other files that the same run writes.

    Raises:
        InputError: Another ending, an input file, or the name of another output.
        OutputError: No such folder, a folder in the file's place, or no permission.
    """
    if path is None:
        return
    if endings and not path.name.lower().endswith(endings):
        raise InputError(f"{path}: the ending must be one of {', '.join(endings)}.")
    if any(other is not None and _are_one(path, other) for other in inputs):
        raise InputError(f"{path} is an input of this run and would be overwritten; choose another name.")
    if any(other is not None and _are_one(path, other) for other in outputs):
        raise InputError(f"{path} is given for two outputs of this run; each needs a name of its own.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; a file name is needed.")
    _check_folder(path.resolve().parent, path)


def _are_one(path: Path, other: Path) -> bool:
    """Whether two paths are one file, also through links, and on disks that do not tell upper case from lower."""
    if path.resolve() == other.resolve():
        return True
    return path.exists() and other.exists() and path.samefile(other)


def check_filled(folder: Path, names: Iterable[str], inputs: Iterable[Path | None]) -> None:
    """Refuse to fill a folder where that would overwrite inputs, or where two outputs have one name.

    Args:
        folder: Is filled.
        names: Of the files that are written into it.
        inputs: Files and folders that are read.

    Raises:
        InputError: An input folder, an input file, or names that some disks do not tell apart.
    """
    read = [path for path in inputs if path is not None]
    if any(path.is_dir() and _are_one(folder, path) for path in read):
        raise InputError(f"{folder} holds inputs of this run, which could be overwritten; choose another folder.")
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(name.casefold(), name)
        if twin != name:
            raise InputError(f"{twin} and {name} would be written to one file on many disks; rename one of the images.")
        place = folder / name
        if place.exists() and any(_are_one(place, path) for path in read):
            raise InputError(f"{place} is an input of this run and would be overwritten; choose another output folder.")


def _check_folder(folder: Path, path: Path) -> None:
    """Refuse ``path`` when the folder that it goes into is not there or cannot be written to."""
    if not folder.is_dir():
        reason = "is not a folder" if folder.exists() else "does not exist"
        raise OutputError(f"{path} cannot be written: {folder} {reason}.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path} cannot be written: no permission to write to {folder}.")


def check_new_folder(folder: Path) -> None:
    """Refuse an output folder that could neither be made nor written to."""
    if folder.exists():
        if not folder.is_dir():
            raise OutputError(f"{folder} is a file; a folder is needed.")
        _check_folder(folder, folder)
        return
    _check_folder(next(parent for parent in folder.resolve().parents if parent.exists()), folder)


@contextmanager
def filling_folder(folder: Path) -> Iterator[Path]:
    """Give an empty temporary folder; its files move to ``folder`` (made if need be) when the block ends well.

    Files of the same names are replaced, others stay. After an error, Ctrl-C included, ``folder`` is as it was.

    Raises:
        OutputError: The folder cannot be made or written to.
    """
    check_new_folder(folder)
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
    except OSError as error:
        raise OutputError(f"{folder} cannot be written to: {error.strerror or error}.") from error
    done = False
    try:
        yield beside
        for path in sorted(file for file in beside.rglob("*") if file.is_file()):
            place = folder / path.relative_to(beside)
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)
        done = True
    except OSError as error:
        raise OutputError(f"{folder} cannot be written to: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if made and not done:
            shutil.rmtree(folder, ignore_errors=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
