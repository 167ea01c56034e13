"""What is to be done for one data set: its cases, cut into units of work, and where their results are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from UniverSegSlicerLib.errors import InputError

from ..declaration import Declaration
from ..index import Case, Listings, match_dataset
from ..readers import split_case
from ..store.checksum import sha256
from ..store.shard import read_shard_facts
from .unit import UnitResult

#: Raised when the standardised pixels change, so that results of an older version are not mixed in.
VERSION = 2

#: Cases per unit of work: a picture takes milliseconds, a volume seconds.
_CASES_PER_UNIT = {"volume": 1, "stack": 1, "image": 16, "json": 16, "table": 1}
_ROWS_PER_UNIT = 256


@dataclass(frozen=True)
class Settings:
    """What decides the bytes of a shard besides the files and the declaration."""

    resolutions: tuple[int, ...] = (128,)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.resolutions:
            raise InputError("resolutions is empty; give at least one, for instance 128.")
        for value in self.resolutions:
            if value < 8 or value % 8:
                raise InputError(f"resolutions: {value} is not a positive multiple of 8.")


@dataclass
class Plan:
    """The work on one data set.

    Attributes:
        status: "to do", "up to date", "absent", "nothing paired" or "licence not accepted".
        problems: Sentences about files that cannot be used.
        origin: Changes when the declaration, the settings or a file changes.
        units: Cases that are read together, and the file that keeps the result until the shard is written.
    """

    declaration: Declaration
    status: str
    problems: list[str] = field(default_factory=list)
    origin: str = ""
    units: list[tuple[list[Case], Path]] = field(default_factory=list)

    def unfinished(self) -> list[tuple[list[Case], Path]]:
        """Units without an intact result; results of other settings or of changed files are deleted."""
        if self.status != "to do":
            return []
        work = self.units[0][1].parent
        work.mkdir(parents=True, exist_ok=True)
        wanted = {path.name for _, path in self.units}
        for path in work.iterdir():
            if path.name not in wanted:
                path.unlink()
        return [(cases, path) for cases, path in self.units if not _is_intact(path)]


def plan_dataset(
    declaration: Declaration,
    root: Path,
    store: Path,
    settings: Settings,
    accepted: Collection[str],
    listings: Listings | None = None,
) -> Plan:
    """Match a data set below ``root`` and see what of it is in the store already."""
    name = declaration.id
    matches = match_dataset(declaration, root, listings)
    problems = [problem for match in matches for problem in match.problems]
    cases = [part for match in matches for case in match.cases for part in split_case(case, _ROWS_PER_UNIT)]
    if not cases:
        return Plan(declaration, "nothing paired" if problems else "absent", problems)
    if declaration.licence.needs_acceptance and name.casefold() not in {text.casefold() for text in accepted}:
        reason = (
            f"{name}: its owner asks for a registration or a signed form ({declaration.licence.name}); "
            f"once you have that, add --accept-licence {name}"
        )
        return Plan(declaration, "licence not accepted", [reason])
    units = _units(cases)
    digests = [_digest(declaration, settings, unit) for unit in units]
    origin = hashlib.sha256("".join(digests).encode()).hexdigest()
    work = store / ".work" / name
    files = [work / f"{index:06d}-{digest[:16]}.zip" for index, digest in enumerate(digests)]
    status = "up to date" if _is_there(store / name, origin) else "to do"
    return Plan(declaration, status, problems, origin, list(zip(units, files, strict=True)))


def said(facts: Mapping[str, Any]) -> list[str]:
    """Failures and notes of a shard as sentences."""
    return [f"{failure['case']}: {failure['reason']}" for failure in facts["failures"]] + list(facts["notes"])


def _units(cases: Sequence[Case]) -> list[list[Case]]:
    units: list[list[Case]] = []
    for case in cases:
        size = _CASES_PER_UNIT[case.group.reader]
        if units and len(units[-1]) < size and units[-1][0].group is case.group:
            units[-1].append(case)
        else:
            units.append([case])
    return units


def _digest(declaration: Declaration, settings: Settings, unit: Sequence[Case]) -> str:
    files = []
    for case in unit:
        for path in case.files():
            if path.is_file():
                state = path.stat()
                files.append([path.name, state.st_size, state.st_mtime_ns])
            else:
                files.append([path.name])  # a link to nowhere: reading it reports that
    content = [VERSION, asdict(declaration), asdict(settings), [(c.name, c.subject, c.rows) for c in unit], files]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _is_there(folder: Path, origin: str) -> bool:
    try:
        facts = read_shard_facts(folder)
    except InputError:
        return False
    return facts.get("origin") == origin and all(
        (folder / name).is_file() and sha256(folder / name) == digest for name, digest in facts["checksums"].items()
    )


def _is_intact(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        UnitResult.load(path)
    except InputError:
        path.unlink()
        return False
    return True
