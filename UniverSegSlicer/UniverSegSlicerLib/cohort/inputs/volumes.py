"""From a folder, a pattern, a table or a BIDS data set to the volumes of a cohort."""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Iterable
from pathlib import Path

from ...errors import InputError
from ...files.dicom import is_dicom
from .bids import bids_cases, is_bids
from .case import Case, output_name, without_ending

#: Endings of files that are taken for volumes in a folder.
ENDINGS = (".nii", ".nii.gz", ".nii.bz2", ".hdr", ".nrrd", ".nhdr", ".mha", ".mhd")
# What a table may call the column of volumes, and that of their names.
_VOLUME_COLUMNS, _NAME_COLUMNS = ("volume", "image", "path", "file", "scan"), ("case", "name", "id", "subject")
_PATTERN = "*?["
_DELIMITERS = ",;\t"


def find_cases(volumes: str | Path | Iterable[str | Path], output: Path, suffix: str | None = None) -> list[Case]:
    """The cases that ``volumes`` stands for, in the order of their names (of a table: of its rows).

    Args:
        volumes: A file, a folder (searched with all its subfolders; a folder of DICOM files is one volume), a pattern
            such as ``scans/*/image.nii.gz``, a table (``.csv``) with a column ``volume``, or the folder of a BIDS data
            set (``dataset_description.json``). Or several files.
        output: The output folder; what lies in it is never an input.
        suffix: Of BIDS images, such as ``T1w``, where the data set has several kinds.

    Raises:
        InputError: Nothing matched, a table without a usable column, two volumes of one name, or a volume whose label
            map would take its own place.
    """
    if not isinstance(volumes, str | Path):
        cases = _named(sorted(Path(path) for path in volumes), None)
        return _checked(cases, output, "the list of volumes")
    text = str(volumes)
    place = Path(text).expanduser()
    if is_bids(place):
        return _checked(bids_cases(place, output, suffix), output, text)
    if suffix is not None:
        raise InputError(
            f"suffix {suffix}: {text} is no BIDS data set (no dataset_description.json).", argument="suffix"
        )
    if place.is_dir():
        cases = _named(list(_walk(place, output)), place)
    elif place.is_file():
        cases = _table(place) if place.suffix.lower() in (".csv", ".tsv") else _named([place], place.parent)
    elif any(sign in text for sign in _PATTERN):
        found = (Path(path) for path in glob.glob(str(place), recursive=True))  # noqa: PTH207 (absolute ones too)
        cases = _named(sorted(path for path in found if not _within(path, output)), None)
    else:
        raise InputError(f"{text} does not exist; give a file, a folder, a pattern in quotes, a CSV, or a BIDS folder.")
    return _checked(cases, output, text)


def _walk(folder: Path, output: Path) -> Iterable[Path]:
    """Volumes below a folder, in the order of their paths; a folder that directly holds DICOM files is one."""
    for here, folders, names in os.walk(folder):
        place = Path(here)
        folders[:] = sorted(name for name in folders if name[0] != "." and not _within(place / name, output))
        files = sorted(name for name in names if name[0] != ".")
        if any(name.lower().endswith(ENDINGS) for name in files):
            yield from (place / name for name in files if name.lower().endswith(ENDINGS))
        elif any(is_dicom(place / name) for name in files[:3]):
            folders.clear()
            yield place


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _named(paths: list[Path], root: Path | None) -> list[Case]:
    """Cases named by where they lie below the root, by default below the deepest folder that holds all of them."""
    if not paths:
        return []
    if root is None:
        parents = [str(path.resolve().parent) for path in paths]
        root = Path(os.path.commonpath(parents))
    cases = []
    for path in paths:
        folder = path.is_dir()
        inside = Path(os.path.relpath(path.resolve(), root.resolve()))
        output = (inside.parent / output_name(inside.name or path.resolve().name, folder=folder)).as_posix()
        cases.append(Case(without_ending(output), path, output))
    return cases


def _table(file: Path) -> list[Case]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as a table in UTF-8 ({error}).") from error
    lines = text.splitlines()
    header = lines[0] if lines else ""
    rows = list(csv.DictReader(lines, delimiter=max(_DELIMITERS, key=header.count)))
    columns = {str(name).strip().lower(): name for name in (rows[0] if rows else {}) if name}
    volume = next((columns[name] for name in _VOLUME_COLUMNS if name in columns), None)
    if volume is None:
        raise InputError(
            f"{file} has the columns {', '.join(columns) or 'none'}; one named `volume` with paths is needed."
        )
    named = next((columns[name] for name in _NAME_COLUMNS if name in columns), None)
    filled = [row for row in rows if (row[volume] or "").strip()]
    paths = [file.parent / Path(row[volume].strip()).expanduser() for row in filled]
    if named is None:
        return _named(paths, None)
    cases = []
    for row, path in zip(filled, paths, strict=True):
        name = (row[named] or "").strip()
        safe = name.replace("\\", "/").strip("/")
        if not safe or ".." in safe.split("/"):
            raise InputError(f"{file}: {name!r} is no name for the case {path}; use letters, digits, - and _.")
        ending = output_name(path.name, folder=path.is_dir())[len(without_ending(path.name)) :] or ".nii.gz"
        cases.append(Case(safe, path, f"{safe}{ending if not path.is_dir() else '.nii.gz'}"))
    return cases


def _checked(cases: list[Case], output: Path, given: str) -> list[Case]:
    if not cases:
        raise InputError(
            f"no volume matched {given}; give a file, a folder with volumes ({', '.join(ENDINGS)}, DICOM), a pattern "
            "in quotes, a CSV with a column `volume`, or a BIDS folder."
        )
    seen: dict[str, Case] = {}
    for case in cases:
        # Disks that do not tell upper case from lower would lay one over the other.
        other = seen.setdefault(case.output.lower(), case)
        if other is not case:
            raise InputError(
                f"{other.volume} and {case.volume} would both be written as {case.output}; name them in a CSV with the "
                "columns `case` and `volume`."
            )
        if (output / case.output).resolve() == case.volume.resolve():
            raise InputError(f"the label map of {case.volume} would take its place; choose another output folder.")
    return cases
