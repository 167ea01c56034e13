"""``universeg-slicer cohort run``, whose ``run`` may be left out."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...diagnostics import run_log
from ...errors import Cancelled, InputError
from ..common.console import notice, print_json, progress_bar, say
from ..common.network import ModelOption, Precision, PrecisionOption
from ..common.options import EnsembleOption, JsonOption, SeedOption, naming_options
from ..common.values import parse_numbers

if TYPE_CHECKING:
    from ...cohort import Cohort

#: Some of the cases failed.
SOME_FAILED = 3
# So many of them are named.
_SHOWN = 10


class Backend(str, Enum):
    """Where workers run."""

    loky = "loky"
    dask = "dask"
    ray = "ray"


def run(
    support: Annotated[
        list[Path],
        typer.Argument(
            metavar="SUPPORT...", help="Support-set files, and pairs: a volume and right after it its label map."
        ),
    ],
    *,
    volumes: Annotated[
        str,
        typer.Option(
            metavar="FOLDER|GLOB|CSV|BIDS",
            help="The volumes: a folder, a pattern in quotes, a table with a column `volume`, or a BIDS data set.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="The folder to fill.")],
    suffix: Annotated[
        str | None, typer.Option(metavar="T1w", help="Which images of a BIDS data set that has several kinds.")
    ] = None,
    wanted: Annotated[
        str | None, typer.Option("--labels", metavar="1,3", help="Segment these label values only; by default all.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Workers of one thread each; by default one a device or processor."),
    ] = None,
    backend: Annotated[Backend, typer.Option(case_sensitive=False, help="Where workers run.")] = Backend.loky,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A Dask scheduler (tcp://HOST:8786) or Ray cluster (HOST:6379)."),
    ] = None,
    devices: Annotated[
        str, typer.Option(metavar="cuda:0,cuda:1", help="Where to compute; of several, each worker takes one.")
    ] = "auto",
    model: ModelOption = "default",
    precision: PrecisionOption = Precision.auto,
    ensemble: EnsembleOption = 1,
    draws: Annotated[
        int,
        typer.Option(
            min=0, help="Further draws of a support of slices, for the agreement; each takes as long as segmenting."
        ),
    ] = 1,
    nearest: Annotated[
        int,
        typer.Option(
            min=0,
            help="Labelled scans that a case is segmented with, of each label those that look most like it; 0: all.",
        ),
    ] = 4,
    seed: SeedOption = 0,
    no_report: Annotated[bool, typer.Option("--no-report", help="Make no report.html.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Segment many volumes with one support set.

    OUT gets a label map of each volume under the volume's name (of a BIDS data set: derivatives), cohort.csv,
    cohort.parquet, and report.html, a page that shows which cases to look at. The same command again does only what is
    missing or has changed. Exit code 3: some cases failed.

    Example: universeg-slicer cohort hippocampi.npz --volumes "scans/*.nii.gz" -o out
    """
    from ...cohort import CohortSettings, segment_cohort
    from ...segmentation import PropagationSettings

    values = parse_numbers(wanted, "--labels")
    settings = CohortSettings(
        PropagationSettings(ensemble=ensemble, seed=seed),
        None if values is None else tuple(values),
        draws,
        nearest,
        not no_report,
    )
    chosen = tuple(part.strip() for part in devices.split(",") if part.strip())
    if not chosen:
        raise InputError(f"--devices {devices!r} names no device; give auto, cpu, or such as cuda:0,cuda:1.")
    try:
        with (
            progress_bar("Segmenting") as report,
            naming_options(
                scheduler="--scheduler", backend="--backend", suffix="--suffix", label_values=f"--labels {wanted}"
            ),
        ):
            cohort = segment_cohort(
                support, volumes, output,
                model=model, devices=chosen, precision=precision.value, settings=settings, suffix=suffix, jobs=jobs,
                backend=backend.value, scheduler=scheduler, progress=report,
            )  # fmt: skip
    except KeyboardInterrupt as error:
        raise Cancelled(_interrupted(output)) from error
    run_log.note(cases=len(cohort.records), failed=len(cohort.failed), redone=cohort.redone)
    if as_json:
        print_json(_summary(cohort))
    else:
        _say(cohort)
    if cohort.failed:
        raise typer.Exit(SOME_FAILED)


def _interrupted(output: Path) -> str:
    from ...cohort import open_cohort

    try:
        records = open_cohort(output).records
    except InputError:
        return "interrupted before the first case was done."
    done = sum(not record.failed for record in records)
    return f"interrupted; {done} cases are done and stay, and the same command goes on from there."


def _summary(cohort: Cohort) -> dict[str, Any]:
    return {
        "output": str(cohort.folder),
        "cases": len(cohort.records),
        "done_now": cohort.redone,
        "failed": {record.case: record.error for record in cohort.failed},
        "warnings": {record.case: list(record.warnings) for record in cohort.records if record.warnings},
    }


def _say(cohort: Cohort) -> None:
    count, failed = len(cohort.records), cohort.failed
    kept = count - cohort.redone
    again = f", {kept} of them as they were" if kept else ""
    say(f"{cohort.folder}: {count - len(failed)} of {count} cases have label maps{again}.")
    warned = sum(bool(record.warnings) for record in cohort.records)
    if warned:
        notice(f"{warned} cases have warnings; see the column `warnings` of {cohort.folder / 'cohort.csv'}.")
    for record in failed[:_SHOWN]:
        notice(f"{record.case} failed: {record.error}")
    if len(failed) > _SHOWN:
        notice(f"and {len(failed) - _SHOWN} more; see the column `error`.")
