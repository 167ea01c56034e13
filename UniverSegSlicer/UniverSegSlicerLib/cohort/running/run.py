"""The cases of a run, through workers of which some may be killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...parallel import WorkerLost, run_parallel
from ...progress import CancelToken
from ..inputs.case import Case
from ..record import CaseRecord
from .case import work
from .job import Job

# A case whose worker was killed so often is left out: it takes more memory than there is, most probably.
_MOST_DEATHS = 2


def run_cases(
    cases: Sequence[Case], job: Job, *, jobs: int, backend: str, scheduler: str | None, cancel: CancelToken | None
) -> Iterator[tuple[Case, CaseRecord]]:
    """Do cases in parallel and give the record of each as it is done.

    A worker that is killed loses what it was doing and nothing else: the other cases are done, then that one again.

    Raises:
        OutputError: The output folder cannot be written, or the disk is full.
        InputError, DependencyError: As :func:`~....parallel.run_parallel`.
        Cancelled: The cancel token was raised.
    """
    left = {case.name: case for case in cases}
    deaths: Counter[str] = Counter()
    here = jobs == 1 and backend == "loky"
    while left:
        arguments = [(job, case, cancel if here else None) for case in left.values()]
        try:
            results = run_parallel(
                work, arguments, min(jobs, len(arguments)) if backend == "loky" and not here else jobs, backend,
                scheduler=scheduler, ordered=False,
            )  # fmt: skip
            for record in results:
                if record.case in left:
                    yield left.pop(record.case), record
                if cancel is not None:
                    cancel.raise_if_cancelled()
        except WorkerLost as error:
            yield from _after_a_death(left, job, deaths, str(error))


def _after_a_death(
    left: dict[str, Case], job: Job, deaths: Counter[str], reason: str
) -> Iterator[tuple[Case, CaseRecord]]:
    """Take what was finished meanwhile, and give up cases whose worker dies again and again."""
    for name, case in list(left.items()):
        record = job.folder.read(case)
        if not job.folder.begun(case).exists():
            # Finished, and its record was on the way when the pool broke.
            if record is not None and not record.failed and _is_new(record, case, job):
                yield left.pop(name), record
            continue
        job.folder.begun(case).unlink(missing_ok=True)
        deaths[name] += 1
        if deaths[name] >= _MOST_DEATHS:
            failed = replace(
                CaseRecord(case.name, str(case.volume), case.output),
                error=f"its worker was killed {deaths[name]} times; most probably it needs more memory than there is "
                f"({reason.rstrip('.')}).",
            )
            job.folder.write(case, failed)
            yield left.pop(name), failed


def _is_new(record: CaseRecord, case: Case, job: Job) -> bool:
    output = job.folder.path / case.output
    return output.is_file() and output.stat().st_size == record.output_bytes
