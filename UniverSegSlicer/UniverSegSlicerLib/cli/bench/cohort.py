"""``universeg-slicer bench cohort``: what a marked scan brings the others, and how fast a cohort goes."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ...errors import InputError
from ...files import read_label_map
from ...files.labelled_scans import Scan, find_scans
from ...segmentation import SupportSet
from ..common.console import progress_bar, say
from ..common.values import parse_numbers
from .quality.record import append_rows, read_rows
from .scores import dice

#: Names of the files with raw numbers.
SCORES, SPEEDS = "cohort.csv", "cohort-speed.csv"
# Every so manieth scan is one that is never marked, on which Dice is measured.
_HELD_OUT = 3
_FEWEST = 6


@dataclass(frozen=True)
class MarkedScore:
    """Dice of one label of one scan that is never marked, with so many marked scans chosen in some way."""

    way: str
    marked: int
    volume: str
    label: int
    dice: float


@dataclass(frozen=True)
class CohortSpeed:
    """Seconds of a cohort with so many workers, of processor time over all cases as well as on the clock."""

    workers: int
    cases: int
    scans: int
    seconds: float
    case_seconds: float
    case_processor_seconds: float


def cohort(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of labelled volumes of one data set.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for raw numbers.")] = Path(
        "bench-cohort"
    ),
    datasets: Annotated[str | None, typer.Option(metavar="NAME", help="The data set, where DIR has several.")] = None,
    counts: Annotated[str, typer.Option(metavar="1,2,4,8", help="Numbers of marked scans.")] = "1,2,4,8",
    repeats: Annotated[int, typer.Option(min=0, help="How many random choices to compare with.")] = 3,
    volumes: Annotated[
        int, typer.Option(min=0, help="Instead: time so many volumes, with one worker and with --jobs.")
    ] = 0,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Workers.")] = 2,
) -> None:
    """Measure Dice against the number of marked scans, suggested by `cohort next` or chosen at random.

    Every third scan is never marked; Dice is measured on these. With --volumes, time a cohort instead.

    Example: universeg-slicer bench cohort --data scans --counts 1,2,4
    """
    scans = [scan for scan in find_scans(data) if datasets is None or scan.dataset == datasets]
    numbers = sorted(parse_numbers(counts, "--counts") or [])
    if len(scans) < _FEWEST or len({scan.dataset for scan in scans}) > 1:
        raise InputError(f"{data}: one data set of at least {_FEWEST} volumes is needed; name it with --datasets.")
    output.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="cohort-", dir=output))
    try:
        if volumes:
            _time(scans, volumes, jobs, work, output)
        else:
            _mark(scans, numbers, repeats, jobs, work, output)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _mark(scans: Sequence[Scan], counts: Sequence[int], repeats: int, jobs: int, work: Path, output: Path) -> None:
    held_out = list(scans[_HELD_OUT - 1 :: _HELD_OUT])
    pool = [scan for scan in scans if scan not in held_out]
    with progress_bar("Measuring") as report:
        ways = ["suggested", *(f"random {n}" for n in range(repeats))]
        for number, way in enumerate(ways):
            marked = [pool[0]]
            for count in counts:
                if way == "suggested":
                    while len(marked) < count:
                        marked += _suggested(pool, marked, min(count, 2 * len(marked)) - len(marked), jobs, work)
                else:
                    order = np.random.default_rng(number).permutation(len(pool) - 1)
                    marked = [pool[0], *(pool[1 + n] for n in order[: count - 1])]
                key = {(row.way, row.marked) for row in read_rows(output / SCORES, MarkedScore)}
                report(number / len(ways), f"{way}, {count} marked")
                if (way, count) not in key:
                    append_rows(output / SCORES, _scores(way, marked, held_out, jobs, work))
    say(table(read_rows(output / SCORES, MarkedScore)))


def _suggested(pool: Sequence[Scan], marked: Sequence[Scan], count: int, jobs: int, work: Path) -> list[Scan]:
    from ...cohort import suggest

    place = work / f"pool-{len(marked)}"
    _run(marked, pool, place, jobs)
    given = {scan.folder for scan in marked}
    found = [one.volume.parent for one in suggest(place, count + len(marked)) if one.volume.parent not in given]
    by_folder = {scan.folder: scan for scan in pool}
    return [by_folder[folder] for folder in found[:count]]


def _scores(way: str, marked: Sequence[Scan], held_out: Sequence[Scan], jobs: int, work: Path) -> list[MarkedScore]:
    place = work / f"{way} {len(marked)}"
    records = _run(marked, held_out, place, jobs)
    rows = []
    for scan, record in zip(held_out, records, strict=True):
        truth = scan.read().labels
        found = np.zeros_like(truth) if record.failed else read_label_map(place / record.output).array
        rows += [
            MarkedScore(way, len(marked), scan.name, value, round(dice(found == value, truth == value), 4))
            for value in sorted(record.labels)
        ]
    return rows


def _run(marked: Sequence[Scan], cases: Sequence[Scan], place: Path, jobs: int):  # type: ignore[no-untyped-def]
    from ...cohort import CohortSettings, segment_cohort

    support = SupportSet()
    for scan in marked:
        read = scan.read()
        made = SupportSet.from_scan(read.image, read.labels, label_names=scan.labels, source=scan.name, sure=True)
        support = support.merged(made)
    volumes = [scan.folder / "image.nii.gz" for scan in cases]
    return segment_cohort(support, volumes, place, jobs=jobs, settings=CohortSettings(report=False)).records


def _time(scans: Sequence[Scan], count: int, jobs: int, work: Path, output: Path) -> None:
    folder = work / "volumes"
    folder.mkdir()
    for n in range(count):
        scan = scans[1 + n % (len(scans) - 1)]
        shutil.copy(scan.folder / "image.nii.gz", folder / f"{n:04d}.nii.gz")
    from ...cohort import segment_cohort

    first = scans[0].read()
    support = SupportSet.from_scan(first.image, first.labels, source=scans[0].name, sure=True)
    for workers in (1, jobs):
        begin = time.perf_counter()
        found = segment_cohort(support, folder, work / f"by {workers}", jobs=workers)
        seconds = time.perf_counter() - begin
        spent = sum(record.seconds for record in found.records) / count
        worked = sum(record.processor_seconds for record in found.records) / count
        row = CohortSpeed(workers, count, 1, round(seconds, 1), round(spent, 2), round(worked, 2))
        append_rows(output / SPEEDS, [row])
        say(
            f"{workers} worker(s): {count} volumes in {seconds:.1f} s, {spent:.2f} s a case, "
            f"{worked:.2f} s of them at work."
        )


def table(rows: Sequence[MarkedScore]) -> str:
    """Mean Dice over scans and labels, by number of marked scans, as Markdown."""
    lines = ["| marked scans | suggested | random (each choice) |", "| ---: | ---: | ---: |"]
    for count in sorted({row.marked for row in rows}):
        means = {
            way: float(np.mean([row.dice for row in rows if (row.way, row.marked) == (way, count)]))
            for way in sorted({row.way for row in rows if row.marked == count})
        }
        chance = [mean for way, mean in means.items() if way != "suggested"]
        spread = f"{np.mean(chance):.3f} ({' '.join(f'{mean:.3f}' for mean in chance)})" if chance else "-"
        lines.append(f"| {count} | {means.get('suggested', float('nan')):.3f} | {spread} |")
    return "\n".join(lines) + "\n"
