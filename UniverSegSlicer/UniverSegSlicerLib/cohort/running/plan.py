"""What is left to do of a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..inputs.case import Case
from ..record import CaseRecord
from .hashing import is_unchanged
from .job import Job


@dataclass(frozen=True)
class Plan:
    """What is left to do.

    Attributes:
        todo: Cases to do, or to do again.
        done: Records of the others by the name of the case.
    """

    todo: list[Case]
    done: dict[str, CaseRecord]


def make_plan(cases: Sequence[Case], job: Job) -> Plan:
    """A case is done again where volume, support, model or settings changed, where its output is gone, or it failed."""
    plan = Plan([], {})
    for case in cases:
        record = job.folder.read(case)
        if record is not None and _holds(case, record, job):
            plan.done[case.name] = record
        else:
            plan.todo.append(case)
    return plan


def _holds(case: Case, record: CaseRecord, job: Job) -> bool:
    if record.failed or record.recipe != job.recipe or record.output != case.output:
        return False
    output = job.folder.path / case.output
    if not output.is_file() or output.stat().st_size != record.output_bytes:
        return False
    if job.settings.report and not job.folder.picture(case).is_file():
        return False
    return is_unchanged(case.volume, record.stamp)
