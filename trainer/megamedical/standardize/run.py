"""The run over data sets: match, read and standardise in parallel, write shards; can be killed and started again."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.progress import ProgressCallback

from ..declaration import Declaration
from ..index import Case, GroupMatch, match_dataset
from ..readers import split_case
from ..store.files import sha256
from ..store.lock import store_lock
from ..store.shard import read_shard_facts, write_shard
from .backends import run_parallel
from .splits import split_subjects
from .unit import UnitResult, process

#: Raised when the standardised pixels change, so that unfinished work of an older version is not mixed in.
VERSION = 2

#: Cases per unit of work: a picture takes milliseconds, a volume seconds.
_CASES_PER_UNIT = {"volume": 1, "stack": 1, "image": 16, "json": 16, "table": 1}
_ROWS_PER_UNIT = 256


@dataclass
class DatasetReport:
    """What happened to one data set."""

    dataset: str
    status: str
    images: int = 0
    masks: int = 0
    subjects: int = 0
    problems: list[str] = field(default_factory=list)


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


def standardize(
    declarations: Sequence[Declaration],
    root: str | Path,
    store: str | Path,
    settings: Settings | None = None,
    *,
    jobs: int = 1,
    backend: str = "loky",
    accepted: Collection[str] = (),
    progress: ProgressCallback | None = None,
) -> list[DatasetReport]:
    """Standardise data sets below ``root`` into ``store``.

    A data set that is already there with the same files, declaration and settings is skipped. A case that cannot be
    read is reported and left out. A run that was killed goes on where it was and ends with the same bytes.

    Args:
        declarations: What to standardise.
        root: Folder with all data sets (or of the one data set).
        store: Folder of the store; made when absent.
        settings: Resolutions and seed of the split.
        jobs: Parallel workers.
        backend: ``loky`` (processes here), ``dask`` or ``ray`` (a cluster).
        accepted: Ids of data sets whose terms the user has accepted with their owner.
        progress: Called with the fraction of the whole and the data set at hand.

    Raises:
        InputError: The root is wrong, nothing was found, or another run writes into the store.
        OutputError: The disk is full; what was finished stays and the next run goes on from there.
    """
    settings = settings or Settings()
    root, store = Path(root), Path(store)
    if not root.is_dir():
        raise InputError(f"The folder --root {root} does not exist.")
    reports = []
    with store_lock(store):
        for turn, declaration in enumerate(declarations):
            report = _one(
                declaration, root, store, settings, jobs, backend, accepted, _scaled(progress, turn, len(declarations))
            )
            reports.append(report)
    if all(report.status == "absent" for report in reports):
        raise InputError(
            f"No file of {', '.join(report.dataset for report in reports[:5])}"
            f"{' ...' if len(reports) > 5 else ''} was found below {root}; is it the right folder? "
            "universeg-trainer datasets check shows what was looked for."
        )
    return reports


def _scaled(progress: ProgressCallback | None, turn: int, count: int) -> ProgressCallback:
    def report(fraction: float, message: str) -> None:
        if progress is not None:
            progress((turn + fraction) / count, message)

    return report


def _one(
    declaration: Declaration,
    root: Path,
    store: Path,
    settings: Settings,
    jobs: int,
    backend: str,
    accepted: Collection[str],
    progress: ProgressCallback,
) -> DatasetReport:
    name = declaration.id
    progress(0.0, name)
    matches = match_dataset(declaration, root)
    cases = [part for match in matches for case in match.cases for part in split_case(case, _ROWS_PER_UNIT)]
    problems = [problem for match in matches for problem in match.problems]
    if not cases:
        status = "nothing paired" if problems else "absent"
        return DatasetReport(name, status, problems=problems)
    if declaration.licence.needs_acceptance and name.casefold() not in {text.casefold() for text in accepted}:
        reason = (
            f"{name}: its owner asks for a registration or a signed form ({declaration.licence.name}); "
            f"once you have that, add --accept-licence {name}"
        )
        return DatasetReport(name, "licence not accepted", problems=[reason])
    units = _units(cases)
    digests = [_digest(declaration, settings, unit) for unit in units]
    origin = hashlib.sha256("".join(digests).encode()).hexdigest()
    if _is_there(store / name, origin):
        facts = read_shard_facts(store / name)
        return DatasetReport(
            name, "up to date", facts["images"], facts["masks"], facts["subjects"], problems + _said(facts)
        )
    work = store / ".work" / name
    files = [work / f"{index:06d}-{digest[:16]}.zip" for index, digest in enumerate(digests)]
    _drop_others(work, files)
    todo = [(unit, path) for unit, path in zip(units, files, strict=True) if not _is_intact(path)]
    done = len(units) - len(todo)
    for _ in run_parallel(_work, [(unit, path, settings.resolutions) for unit, path in todo], jobs, backend):
        done += 1
        progress(0.95 * done / len(units), name)
    facts = _finish(declaration, matches, store, settings, files, origin)
    shutil.rmtree(work, ignore_errors=True)
    progress(1.0, name)
    status = "written" if facts["images"] else "no case could be read"
    return DatasetReport(name, status, facts["images"], facts["masks"], facts["subjects"], problems + _said(facts))


def _work(unit: Sequence[Case], path: Path, resolutions: Sequence[int]) -> None:
    process(unit, resolutions).save(path)


def _finish(
    declaration: Declaration,
    matches: Sequence[GroupMatch],
    store: Path,
    settings: Settings,
    files: Sequence[Path],
    origin: str,
) -> dict[str, Any]:
    failures: list[dict[str, str]] = []
    notes: list[str] = []
    subjects: set[str] = set()
    for path in files:
        part = UnitResult.load(path)
        failures.extend(part.failures)
        notes.extend(part.notes)
        subjects.update(row["subject"] for row in part.images)
    splits = split_subjects(declaration.id, subjects, settings.seed)
    facts: Mapping[str, Any] = {
        "title": declaration.title,
        "citation": declaration.citation,
        "source": declaration.source,
        "role": declaration.role,
        "rank": declaration.licence.rank,
        "licence": declaration.licence.name,
        "domain": declaration.domain,
        "confidence": dict(declaration.confidence),
        "seed": settings.seed,
        "version": VERSION,
        "origin": origin,
        "failures": failures,
        "notes": notes,
        "unmatched": [problem for match in matches for problem in match.problems],
    }

    def parts() -> Iterator[UnitResult]:
        return (UnitResult.load(path) for path in files)

    return write_shard(store, declaration.id, parts, settings.resolutions, splits, facts)


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
    """Changes when the declaration, the settings or one of the files (by size and time) changes."""
    files = []
    for case in unit:
        for path in case.files():
            state = path.stat()
            files.append([path.name, state.st_size, state.st_mtime_ns])
    text = json.dumps(
        [VERSION, asdict(declaration), asdict(settings), [case.name for case in unit], [c.rows for c in unit], files],
        sort_keys=True,
        default=str,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _is_there(folder: Path, origin: str) -> bool:
    if not (folder / "shard.json").is_file():
        return False
    try:
        facts = read_shard_facts(folder)
    except InputError:
        return False
    if facts.get("origin") != origin:
        return False
    return all((folder / name).is_file() and sha256(folder / name) == digest
               for name, digest in facts["checksums"].items())  # fmt: skip


def _is_intact(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        UnitResult.load(path)
    except InputError:
        path.unlink()
        return False
    return True


def _drop_others(work: Path, files: Sequence[Path]) -> None:
    """Delete unfinished work of other settings or of files that have changed since."""
    work.mkdir(parents=True, exist_ok=True)
    wanted = {path.name for path in files}
    for path in work.iterdir():
        if path.name not in wanted:
            path.unlink()


def _said(facts: Mapping[str, Any]) -> list[str]:
    return [f"{f['case']}: {f['reason']}" for f in facts["failures"]] + list(facts["notes"])
