"""``universeg-slicer bench quality``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from ....errors import InputError
from ....files.labelled_scans import PLACEMENTS, find_scans
from ...common.console import print_json, progress_bar, say
from ...common.network import DeviceOption, ModelOption
from ...common.options import JsonOption
from ...common.values import parse_numbers
from .methods import all_methods, needs_network, settings_of
from .record import Bin, Extra, Score, append_rows, read_rows, replace_rows

#: Names of the files with raw numbers.
SCORES, BINS, EXTRAS = "scores.csv", "reliability.csv", "next.csv"


def quality(
    data: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder of labelled volumes: with a catalogue.json, or */image.nii.gz."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for raw numbers, tables and plots.")
    ] = Path("bench-quality"),
    marks: Annotated[str, typer.Option(metavar="1,3,5,10", help="Numbers of marked slices.")] = "1,3,5,10",
    placements: Annotated[
        str,
        typer.Option(
            metavar="even,end",
            help="Where marks are: even, uneven (ever wider apart), end (in the quarter at one end).",
        ),
    ] = "even,end",
    methods: Annotated[
        str | None,
        typer.Option(
            metavar="A B", help="Methods, by spaces; all by default. Settings may follow: 'default:passes=1,smooth=0'."
        ),
    ] = None,
    volumes: Annotated[int | None, typer.Option(min=1, help="At most so many volumes of a data set.")] = None,
    labels_per_volume: Annotated[int | None, typer.Option(min=1, help="At most so many labels of a volume.")] = None,
    datasets: Annotated[str | None, typer.Option(metavar="A,B", help="Only these data sets.")] = None,
    role: Annotated[str, typer.Option(metavar="val|train", help="Which part of a catalogue.")] = "val",
    model: ModelOption = "default",
    device: DeviceOption = "auto",
    confidence: Annotated[bool, typer.Option(help="Also measure how far the confidence can be trusted.")] = True,
    suggestions: Annotated[bool, typer.Option(help="Also measure what marking the suggested slices brings.")] = True,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once, each with one thread if more than one.")] = 1,
    again: Annotated[
        str | None, typer.Option(metavar="A B", help="Measure these methods anew, by spaces; 'all' for everything.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare our volumes with those of every free alternative, on labelled scans.

    Some slices of each label are marked; every method fills in the others, on which it is scored. A run that was
    interrupted goes on where it was; raw numbers are kept as CSV beside the tables and plots.

    Example: universeg-slicer bench quality --data scans --output quality --volumes 2 --labels-per-volume 2
    """
    from .plots import draw_dice, draw_reliability
    from .tables import quality_report
    from .work import Plan, items_of, measure_all

    counts = tuple(parse_numbers(marks, "--marks") or ())
    if not counts or counts[0] < 1:
        raise InputError(f"--marks {marks!r} is not a list of numbers of at least 1 such as 1,3,5,10.")
    names = tuple(methods.split()) if methods else all_methods()
    for name in names:
        if needs_network(name):
            settings_of(name)
    places = _placements(placements)
    scans = find_scans(data, role, volumes)
    if datasets is not None:
        chosen = {name.strip() for name in datasets.split(",")}
        scans = [scan for scan in scans if scan.dataset in chosen]
        if not scans:
            raise InputError(f"--datasets {datasets!r}: there is none of these data sets in {data}.")
    plan = Plan(
        marks=counts,
        placements=places,
        methods=names,
        labels_per_volume=labels_per_volume,
        model=model,
        model_id=_identity(model),
        device=device,
        confidence=tuple(n for n in counts if n > 1) if confidence and "default" in names else (),
        start=3 if suggestions and "default" in names else 0,
    )
    if again:
        _forget(output, again.split(), plan.model_id)
    scores = read_rows(output / SCORES, Score)
    bins = read_rows(output / BINS, Bin)
    extras = read_rows(output / EXTRAS, Extra)
    known = frozenset([*(s.key for s in scores), *(b.key for b in bins), *(e.key for e in extras)])
    with progress_bar("Measuring") as report:
        items = items_of(scans, plan)
        for number, done in enumerate(measure_all(items, plan, known, jobs), 1):
            append_rows(output / SCORES, done.scores)
            append_rows(output / BINS, done.bins)
            append_rows(output / EXTRAS, done.extras)
            scores, bins, extras = [*scores, *done.scores], [*bins, *done.bins], [*extras, *done.extras]
            report(number / len(items), f"{done.item.scan.dataset}/{done.item.scan.name}, label {done.item.label}")

    wanted = {(item.scan.dataset, item.scan.name, item.label) for item in items}
    scores = [
        s
        for s in scores
        if s.case in wanted and s.method in names and s.marks in counts and s.placement in places
        if s.model in ("", plan.model_id)
    ]
    bins = [b for b in bins if (b.dataset, b.volume, b.label) in wanted and b.model == plan.model_id]
    extras = [e for e in extras if (e.dataset, e.volume, e.label) in wanted and e.model == plan.model_id]
    plots = []
    for place in places:
        name = f"dice-{place.replace(' ', '-')}.png"
        draw_dice(output / name, scores, place)
        plots.append((f"Mean Dice by number of marks, {place}", name))
    if bins:
        draw_reliability(output / "reliability.png", bins)
        plots.append(("Share inside the structure over the probability given", "reliability.png"))
    text = quality_report(scores, bins, extras, plan.model_id, plots)
    (output / "quality.md").write_text(text, encoding="utf-8")
    if as_json:
        print_json({"output": str(output), "cases": len(wanted), "scores": len(scores), "model": plan.model_id})
    else:
        say(text)


def _placements(text: str) -> tuple[str, ...]:
    short = {place.split()[-1]: place for place in PLACEMENTS}
    names = [part.strip() for part in text.split(",")]
    unknown = [name for name in names if name not in short]
    if unknown:
        raise InputError(f"--placements {text!r}: {unknown[0]!r} is not one of {', '.join(short)}.")
    return tuple(place for place in PLACEMENTS if place in {short[name] for name in names})


def _identity(model: str) -> str:
    """The model's name and what tells its weights from others of that name."""
    from ....network.weights.store import locate_model

    path = locate_model(model)
    return f"{path.stem} {hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"


def _forget(output: Path, methods: list[str], model: str) -> None:
    """Drop rows that are to be measured anew; those of other models are kept."""
    everything = methods == ["all"]
    scores = read_rows(output / SCORES, Score)
    kept = [s for s in scores if not (everything or s.method in methods) or s.model not in ("", model)]
    replace_rows(output / SCORES, kept)
    if everything or "default" in methods:
        replace_rows(output / BINS, [row for row in read_rows(output / BINS, Bin) if row.model != model])
        replace_rows(output / EXTRAS, [row for row in read_rows(output / EXTRAS, Extra) if row.model != model])
