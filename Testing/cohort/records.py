"""Records with cut-outs for the report, made without a network."""

from __future__ import annotations

import json
from typing import Any

from Testing.cohort.conftest import body
from UniverSegSlicerLib.cohort import CaseRecord, LabelFacts
from UniverSegSlicerLib.cohort.report.cuts import cuts_of
from UniverSegSlicerLib.cohort.report.page import render

NAMES = {1: "body", 2: "shell <b>"}


def record(number: int, ml: float = 1.0, **facts: Any) -> CaseRecord:
    """A case whose confidence, agreement and distance follow from its number."""
    labels = {
        1: LabelFacts("body", int(ml * 1000), ml, 0.9 - number / 1000, 0.8 + number / 1000),
        2: LabelFacts("shell <b>", 100, 0.1, 0.7, None),
    }
    given = {
        "labels": labels,
        "distance": 0.3 + number / 1000,
        "size": (20, 18, 6),
        "spacing": (1.0, 1.0, 2.0),
        **facts,
    }
    return CaseRecord(f"case {number}", f"/scans/{number}.nii.gz", f"{number}.nii.gz", **given)


def page(count: int = 12) -> str:
    """Case 3 failed, case 5 is small, case 7 has a warning; the others are alike."""
    volume, truth = body()
    cuts = json.loads(cuts_of(volume, truth, (1, 2)))
    records = []
    for number in range(count):
        if number == 3:
            records.append(record(number, labels={}, distance=None, error="3.nii.gz is <cut> off."))
        else:
            warnings = ("Its voxels are odd.",) if number == 7 else ()
            records.append(record(number, 0.2 if number == 5 else 1.0 + number / 100, warnings=warnings))
    return render(records, [None if r.failed else cuts for r in records], NAMES, "bodies")
