"""What is left to do of a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...segmentation import SupportSet
from ..folder import read_array
from ..inputs.case import Case
from ..record import CaseRecord
from .choosing import Choice
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


def make_plan(cases: Sequence[Case], job: Job, support: SupportSet) -> Plan:
    """A case is done again where volume, model or settings changed, where its output is gone, or it failed.

    And where what it uses of the support did; see :class:`.choosing.Choice`.
    """
    plan = Plan([], {})
    choice = job.choice_of(support)
    records = {case.name: job.folder.read(case) for case in cases}
    if any(records.values()) and not choice.look(None):
        from ...network import load_model

        choice.look(load_model(job.model, "cpu"))
    for case in cases:
        record = records[case.name]
        if record is not None and _holds(case, record, job, choice):
            plan.done[case.name] = record
        else:
            plan.todo.append(case)
    return plan


def _holds(case: Case, record: CaseRecord, job: Job, choice: Choice) -> bool:
    own = read_array(job.folder.whole_looks(case, choice.support.axis, job.model_sha256)) if choice.needed else None
    if choice.needed and own is None:
        return False
    recipe = job.recipe_for(choice.hash_of(choice.sources(own)))
    if record.failed or record.recipe != recipe or record.output != case.output:
        return False
    output = job.folder.path / case.output
    if not output.is_file() or output.stat().st_size != record.output_bytes:
        return False
    if job.settings.report and not job.folder.picture(case).is_file():
        return False
    return is_unchanged(case.volume, record.stamp)
