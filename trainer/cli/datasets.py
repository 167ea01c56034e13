"""``universeg-trainer datasets``: list, check and add declarations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..megamedical.declaration import Declaration, IntensityRule
from ..megamedical.sample import Sample
from .console import print_problems, print_table

app = typer.Typer(help="Data sets that are declared, and declarations of your own.", no_args_is_help=True)

Declarations = Annotated[
    list[Path] | None,
    typer.Option("--declarations", help="Your own declarations: a YAML file or a folder of them; may be repeated."),
]
Root = Annotated[
    Path | None, typer.Option("--root", help="Folder with the unpacked data sets.", envvar="UNIVERSEG_DATA")
]


@app.command("list")
def list_command(root: Root = None, declarations: Declarations = None) -> None:
    """List the declared data sets: modality, subjects, tasks, licence, what is known, and what is present below --root.

    Where --root has a catalogue.json, its entries are listed instead.
    """
    from ..megamedical.index import Listings, match_dataset
    from ..megamedical.selection import available

    found = available(root, declarations or ())
    rows = []
    listings: Listings = {}
    for declaration in found.values():
        present = "-"
        subjects = _published_subjects(declaration)
        if root is not None:
            cases = [case for match in match_dataset(declaration, root, listings) for case in match.cases]
            present = "yes" if cases else "no"
            subjects = str(len({case.subject for case in cases})) if cases else subjects
        rows.append(
            (
                declaration.id,
                _families(declaration),
                subjects,
                declaration.task_count,
                f"{declaration.licence.rank} {declaration.licence.name}"[:44],
                declaration.licence.registration,
                declaration.role,
                present,
                "/".join(declaration.confidence.get(part, "unknown") for part in ("layout", "labels", "licence")),
                declaration.paper.get("membership", "none"),
            )
        )
    columns = ("name", "modality", "subjects or scans", "tasks", "licence", "registration", "role", "present",
               "confidence: layout/labels/licence", "in the paper")  # fmt: skip
    print_table(columns, rows, right=("subjects or scans", "tasks"))
    paper = sum(declaration.paper.get("membership", "none") != "none" for declaration in found.values())
    print(
        f"\n{len(rows)} data sets ({paper} of UniverSeg's MegaMedical, {len(rows) - paper} more), "
        f"{sum(d.task_count for d in found.values())} tasks for one way of slicing. "
        "Licence: A permissive, B share-alike or non-commercial, C unknown; read the terms at the source."
    )


@app.command("check")
def check_command(
    name: Annotated[str, typer.Argument(help="Data set, as datasets list names it.")],
    root: Annotated[Path, typer.Option("--root", help="Folder with the unpacked data set or data sets.")],
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", help="Contact sheet to write; NAME-check.png here by default."),
    ] = None,
    cases: Annotated[int, typer.Option("--cases", min=1, help="Cases of each group to read.")] = 6,
    declarations: Declarations = None,
) -> None:
    """Show what matched and what did not, which label values were found, and draw a contact sheet."""
    from ..megamedical.check import check_dataset
    from ..megamedical.contact_sheet import draw_contact_sheet
    from ..megamedical.selection import available, select

    declaration = select(available(root, declarations or ()), [name])[0]
    checks = check_dataset(declaration, root, cases)
    samples: list[tuple[Sample, IntensityRule]] = []
    for check in checks:
        match = check.match
        print(f"{declaration.id} / {match.group.name}: {len(match.cases)} cases of {check.subjects} subjects", end="")
        print(f" in {match.root}" if match.root else f"; none of the folders {', '.join(match.group.roots)} exists")
        if not match.cases:
            print(f"  image pattern: {' | '.join(match.group.image_patterns)}")
            print(f"  an example:    {match.group.example_image}")
        print_problems(match.problems)
        print_problems([f"cannot be read: {failure}" for failure in check.failures])
        if check.read:
            print(f"  read {len(check.read)} samples, for instance {_describe(check.read[0])}")
            print(f"  labels found: {', '.join(check.seen) or 'none'}")
            if check.unseen:
                print(f"  declared, not seen in these: {', '.join(check.unseen)}")
        print_problems(check.notes)
        samples.extend((sample, match.group.intensity) for sample in check.read[:8])
    if samples:
        path = draw_contact_sheet(samples[:24], sheet or Path(f"{declaration.id}-check.png"), declaration.title)
        print(f"Contact sheet: {path}")
    if not any(check.match.cases for check in checks):
        raise typer.Exit(2)


@app.command("add")
def add_command(
    name: Annotated[str, typer.Argument(help="Name of your data set: letters, digits, _ and -.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", help="File to write; NAME.yaml here by default."),
    ] = None,
) -> None:
    """Write a commented declaration to fill in for your own data."""
    from ..megamedical.template import write_template

    path = write_template(name, output or Path(f"{name}.yaml"))
    print(
        f"Wrote {path}. Fill it in, then: universeg-trainer datasets check {name} --root FOLDER --declarations {path}"
    )


def _families(declaration: Declaration) -> str:
    from ..megamedical.modality import family

    return ", ".join(dict.fromkeys(family(modality) for modality in declaration.modalities))


def _published_subjects(declaration: Declaration) -> str:
    counts = declaration.counts
    found = next((counts[key] for key in ("subjects", "patients", "cases", "images") if key in counts), None)
    return str(found or declaration.paper.get("scans") or max(counts.values(), key=_number, default="?"))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _describe(sample: Sample) -> str:
    spacing = " x ".join(f"{value:.3g}" for value in sample.spacing)
    low, high = float(sample.image.min()), float(sample.image.max())
    return f"{sample.name}: shape {sample.image.shape}, spacing {spacing} mm, values {low:g} to {high:g}"
