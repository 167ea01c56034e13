"""The page: records, cut-outs and plots in one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ... import __version__
from ...errors import DependencyError
from ...writing import write_whole
from ..folder import REPORT, CohortFolder
from ..inputs.case import Case
from ..record import CaseRecord
from .cuts import SIDE, VIEWS
from .outliers import find_outliers
from .plot import HEIGHT, WIDTH, plots_of

#: Outlines of the labels, in turn: to be told apart by people who see no red or no green, on black and on white.
COLOURS = ("#ffb000", "#56b4e9", "#ff6db6", "#2ec27e", "#b48cff", "#ff8c42", "#7fdbda", "#e0e050")


def write_report(folder: CohortFolder, cases: Sequence[Case], names: dict[int, str]) -> Path:
    """Write ``report.html`` of the cases that have a record; whole or not at all.

    Raises:
        DependencyError: Jinja is not installed.
        OutputError: The file cannot be written.
    """
    held = [(case, record) for case in cases if (record := folder.read(case)) is not None]
    page = render(
        [record for _, record in held], [_cuts(folder.picture(case)) for case, _ in held], names, folder.path.name
    )
    write_whole(folder.path / REPORT, page)
    return folder.path / REPORT


def render(
    records: Sequence[CaseRecord], cuts: Sequence[dict[str, Any] | None], names: dict[int, str], title: str
) -> str:
    """The page as HTML.

    Args:
        records: Of the cases.
        cuts: What :func:`.cuts.cuts_of` gave for each, read from JSON; None where there is none.
        names: Label value to name.
        title: Of the page.
    """
    try:
        import jinja2
    except ImportError as error:
        raise DependencyError("The report needs the package jinja2: pip install 'universegslicer[cohort]'.") from error

    loader = jinja2.FileSystemLoader(Path(__file__).parent / "template")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    outliers = find_outliers(records)
    rows: list[dict[str, Any]] = [
        {"number": n, "record": record, "cuts": cut, "outlier": outlier}
        for n, (record, cut, outlier) in enumerate(zip(records, cuts, outliers, strict=True))
    ]
    rows.sort(key=lambda row: (-row["outlier"].score, row["record"].case))
    known = json.dumps([title, sorted(names.items()), sorted(record.volume for record in records)])
    return environment.get_template("report.html").render(
        title=title,
        rows=rows,
        names=names,
        colours={value: COLOURS[n % len(COLOURS)] for n, value in enumerate(names)},
        plots=plots_of(records, names),
        side=SIDE,
        views=VIEWS,
        width=WIDTH,
        height=HEIGHT,
        version=__version__,
        failed=sum(record.failed for record in records),
        warned=sum(bool(record.warnings) for record in records),
        model=next((record.model for record in records if record.model), ""),
        # Marks and notes stay in the browser under this name.
        key=hashlib.sha256(known.encode()).hexdigest()[:16],
    )


def _cuts(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
