"""What a declaration finds below a folder: matched and unmatched files, label values, and a picture of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from UniverSegSlicerLib.errors import UniverSegError

from .declaration import Declaration
from .index import Case, GroupMatch, match_dataset
from .readers import read_case, split_case
from .sample import Sample


@dataclass
class GroupCheck:
    """What one group found.

    Attributes:
        match: Files paired and left over.
        read: Samples that were read, some of the group's.
        failures: Cases that could not be read, and why.
        seen: Names of the labels that these samples show.
        unseen: Declared labels that none of them shows.
        notes: Label values without a name, headers that differ.
    """

    match: GroupMatch
    read: list[Sample] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def subjects(self) -> int:
        """Number of subjects among the paired cases."""
        return len({case.subject for case in self.match.cases})


def check_dataset(declaration: Declaration, root: str | Path, cases: int = 6) -> list[GroupCheck]:
    """Match every group of a declaration and read ``cases`` of each, evenly spread.

    Raises:
        InputError: ``root`` is not a folder.
    """
    return [_check_group(match, cases) for match in match_dataset(declaration, root)]


def _check_group(match: GroupMatch, count: int) -> GroupCheck:
    check = GroupCheck(match)
    present: set[str] = set()
    for case in _spread(match.cases, count):
        try:
            for sample in _some(case):
                check.read.append(sample)
                present.update(sample.masks.labels[position].name for position in sample.masks.present())
                check.notes.extend(note for note in sample.notes if note not in check.notes)
        except UniverSegError as error:
            check.failures.append(f"{case.name}: {error}")
    names = [label.name for label in match.group.label.labels]
    check.seen = [name for name in names if name in present]
    check.unseen = [name for name in names if name not in present]
    return check


def _some(case: Case) -> list[Sample]:
    """All channels of a case; of a table a few rows."""
    first = split_case(case, 4)[0]
    samples = []
    for sample in read_case(first):
        samples.append(sample)
        if len(samples) >= 8:
            break
    return samples


def _spread(cases: list[Case], count: int) -> list[Case]:
    if len(cases) <= count:
        return cases
    return [cases[index] for index in np.unique(np.linspace(0, len(cases) - 1, count).astype(int))]
