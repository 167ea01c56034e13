"""``universeg-trainer standardize``: data sets below a folder into a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from UniverSegSlicerLib.errors import InputError

from .console import print_problems, print_table, progress_bar
from .datasets import Declarations


def standardize_command(
    root: Annotated[Path, typer.Option("--root", help="Folder with the unpacked data sets.")],
    store: Annotated[Path, typer.Option("--store", help="Store to write, made when absent.")],
    datasets: Annotated[
        list[str] | None,
        typer.Option("--datasets", help="Names, separated by commas; all that are present by default."),
    ] = None,
    resolution: Annotated[str, typer.Option("--resolution", help="Sides of the squares, separated by commas.")] = "128",
    backend: Annotated[str, typer.Option("--backend", help="loky (this machine), dask or ray (a cluster).")] = "loky",
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Parallel workers.")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the split by subject.")] = 0,
    accept_licence: Annotated[
        list[str] | None,
        typer.Option(
            "--accept-licence", help="Data set whose terms you have accepted with its owner; may be repeated."
        ),
    ] = None,
    declarations: Declarations = None,
) -> None:
    """Standardise data sets into a store that training reads.

    A run that was stopped goes on where it was; data sets that are up to date are skipped. Cases that cannot be read
    are left out and listed, here and in report.json of the store. Where --root has a catalogue.json, its entries are
    standardised.
    """
    from ..megamedical.selection import available, select
    from ..megamedical.standardize import Settings, standardize

    names = [name.strip() for text in datasets or () for name in text.split(",") if name.strip()]
    chosen = select(available(root, declarations or ()), names)
    settings = Settings(_numbers(resolution), seed)
    with progress_bar() as progress:
        reports = standardize(
            chosen, root, store, settings, jobs=jobs, backend=backend, accepted=accept_licence or (), progress=progress
        )
    shown = [report for report in reports if names or report.status != "absent"]
    columns = ("data set", "status", "subjects", "pictures", "masks", "problems")
    rows = [(r.dataset, r.status, r.subjects, r.images, r.masks, len(r.problems) or "") for r in shown]
    print_table(columns, rows, right=columns[2:])
    for report in shown:
        if report.problems:
            print(f"{report.dataset}:")
            print_problems(report.problems)
    absent = len(reports) - len(shown)
    print(
        f"{len(shown)} data sets, {sum(r.images for r in shown)} pictures and {sum(r.masks for r in shown)} masks "
        f"in {store}" + (f"; {absent} more are declared and not below {root}" if absent else "")
    )
    failed = [r.dataset for r in shown if r.status not in ("written", "up to date")]
    if names and failed:
        raise typer.Exit(2)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise InputError(f"resolution is {text!r}; give numbers separated by commas, for instance 128,256.") from None
