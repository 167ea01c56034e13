"""The run over data sets: match, read and standardise in parallel, write shards; can be killed and started again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from UniverSegSlicerLib.errors import DependencyError, InputError
from UniverSegSlicerLib.locking import folder_lock
from UniverSegSlicerLib.parallel import run_parallel
from UniverSegSlicerLib.progress import ProgressCallback
from UniverSegSlicerLib.writing import write_whole

from ..declaration import Declaration
from ..index import Case, Listings
from ..store.shard import read_shard_facts, write_shard
from .plan import VERSION, Plan, Settings, plan_dataset, said
from .splits import split_subjects
from .unit import UnitResult, process

#: Where the store keeps what the last run said, for people and scripts.
REPORT = "report.json"


@dataclass
class DatasetReport:
    """What happened to one data set.

    ``status``: "written", "up to date", "absent", "nothing paired", "licence not accepted", "package missing" or
    "no case could be read".
    """

    dataset: str
    status: str
    images: int = 0
    masks: int = 0
    subjects: int = 0
    problems: list[str] = field(default_factory=list)


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

    Returns:
        One report per declaration; the same is written to ``report.json`` in the store.

    Raises:
        InputError: The root is wrong, nothing was found, or another run writes into the store.
        OutputError: The disk is full; what was finished stays and the next run goes on from there.
    """
    settings = settings or Settings()
    root, store = Path(root), Path(store)
    if not root.is_dir():
        raise InputError(f"The folder --root {root} does not exist.")
    with folder_lock(store, "store"):
        listings: Listings = {}
        plans = [plan_dataset(d, root, store, settings, accepted, listings) for d in declarations]
        listings.clear()
        if plans and all(plan.status == "absent" for plan in plans):
            names = ", ".join(declaration.id for declaration in declarations[:5])
            raise InputError(
                f"No file of {names}{' ...' if len(plans) > 5 else ''} was found below {root}; is it the right "
                "folder? universeg-trainer datasets check shows what was looked for."
            )
        reports = list(_run(plans, store, settings, jobs, backend, progress))
        text = json.dumps([asdict(report) for report in reports], indent=1, ensure_ascii=False)
        write_whole(store / REPORT, (text + "\n").encode())
    return reports


def _run(
    plans: Sequence[Plan], store: Path, settings: Settings, jobs: int, backend: str, progress: ProgressCallback | None
) -> Iterator[DatasetReport]:
    todo = [plan.unfinished() for plan in plans]
    count = max(1, sum(map(len, todo)))
    done = 0
    work = [(cases, path, settings.resolutions) for units in todo for cases, path in units]
    # One queue for all data sets: the workers go on to the next one while the last volume of this one is read.
    results = run_parallel(_work, work, jobs, backend)
    for plan, units in zip(plans, todo, strict=True):
        missing: set[str] = set()
        for _ in units:
            fault = next(results)
            if fault:
                missing.add(fault)
            done += 1
            if progress is not None:
                progress(done / count, plan.declaration.id)
        yield _finish(plan, store, settings, sorted(missing))
    shutil.rmtree(store / ".parts", ignore_errors=True)
    left = store / ".work"
    if left.is_dir() and not any(left.iterdir()):
        left.rmdir()


def _work(cases: Sequence[Case], path: Path, resolutions: Sequence[int]) -> str | None:
    import SimpleITK as sitk
    from threadpoolctl import threadpool_limits

    # One thread per worker: the matrices are so small that threads of the linear algebra library only wait for each
    # other (five times the processor time was measured).
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        with threadpool_limits(1):
            process(cases, resolutions).save(path)
    except DependencyError as error:
        return str(error)  # a fault of this machine, not of the files: nothing is kept, the next run tries again
    return None


def _finish(plan: Plan, store: Path, settings: Settings, missing: list[str]) -> DatasetReport:
    name = plan.declaration.id
    if missing:
        return DatasetReport(name, "package missing", problems=missing + plan.problems)
    if plan.status not in ("to do", "up to date"):
        return DatasetReport(name, plan.status, problems=plan.problems)
    status = plan.status
    if plan.status == "to do":
        facts = _write(plan, store, settings)
        if not facts["images"]:
            return DatasetReport(name, "no case could be read", problems=plan.problems + said(facts))
        shutil.rmtree(plan.units[0][1].parent, ignore_errors=True)
        status = "written"
    facts = read_shard_facts(store / name)
    return DatasetReport(name, status, facts["images"], facts["masks"], facts["subjects"], plan.problems + said(facts))


def _write(plan: Plan, store: Path, settings: Settings) -> dict[str, Any]:
    failures: list[dict[str, str]] = []
    notes: list[str] = []
    subjects: set[str] = set()
    for _, path in plan.units:
        part = UnitResult.load(path)
        failures.extend(part.failures)
        notes.extend(part.notes)
        subjects.update(row["subject"] for row in part.images)
    declaration = plan.declaration
    facts = {
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
        "origin": plan.origin,
        "failures": failures,
        "notes": notes,
        "unmatched": plan.problems,
    }
    if not subjects:
        return {**facts, "images": 0}
    splits = split_subjects(declaration.id, subjects, settings.seed)
    return write_shard(store, declaration.id, lambda: (UnitResult.load(path) for _, path in plan.units),
                       settings.resolutions, splits, facts)  # fmt: skip
