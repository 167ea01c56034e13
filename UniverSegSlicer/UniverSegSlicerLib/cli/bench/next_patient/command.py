"""``universeg-slicer bench next``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from ....errors import InputError
from ....files.labelled_scans import LabelledVolume, Scan, find_scans
from ....segmentation import SupportSet, propagate
from ...common.console import print_json, progress_bar, say
from ...common.network import NetworkChoice, choosing_network
from ...common.options import JsonOption
from ...common.values import parse_numbers
from ..quality.record import append_rows, read_rows
from ..scores import dice
from .alternatives import Alternatives

if TYPE_CHECKING:
    from ....network import InContextModel

#: Names of the files with raw numbers and with the table.
SCORES, REPORT = "next-patient.csv", "next-patient.md"
#: Ours with whole scans, and with their slices alone.
OURS, NETWORK = "ours", "network alone"
_METHODS = ("stretched", "affine", "deformable", "joint label fusion", NETWORK, OURS)
# One labelled scan and a new one.
_FEWEST = 2


@dataclass(frozen=True)
class NextScore:
    """One method on one label of a scan without marks.

    Attributes:
        dataset, volume: The new scan.
        label: The label value.
        scans: How many labelled scans of others were given.
        method: What was measured.
        model: The network; empty for methods without one.
        dice: 0 to 1.
        seconds: Time for all labels; registrations that an earlier method had made are not counted again.
    """

    dataset: str
    volume: str
    label: int
    scans: int
    method: str
    model: str
    dice: float
    seconds: float

    @property
    def key(self) -> tuple[object, ...]:
        """What a second measurement of the same would share, but for the label."""
        return (self.dataset, self.volume, self.scans, self.method, self.model)


@choosing_network
def next_patient(
    data: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder of labelled volumes: with a catalogue.json, or */image.nii.gz."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for raw numbers and the table.")
    ] = Path("bench-next"),
    counts: Annotated[str, typer.Option(metavar="1,2,4,8", help="Numbers of labelled scans.")] = "1,2,4,8",
    patients: Annotated[int, typer.Option(min=1, help="At most so many new scans of a data set.")] = 6,
    datasets: Annotated[str | None, typer.Option(metavar="A,B", help="Only these data sets.")] = None,
    role: Annotated[str, typer.Option(metavar="val|train", help="Which part of a catalogue.")] = "val",
    methods: Annotated[str, typer.Option(metavar="A,B", help="Methods.")] = ",".join(_METHODS),
    as_json: JsonOption = False,
    *,
    network: NetworkChoice,
) -> None:
    """Use labelled scans on the next patient without a mark, beside every free alternative.

    The last volumes of each data set are the new patients, the first others the labelled scans. A run that was
    interrupted goes on where it was.

    Example: universeg-slicer bench next --data scans --output next --counts 1,4 --patients 3
    """
    numbers = tuple(parse_numbers(counts, "--counts") or ())
    names = [name.strip() for name in methods.split(",")]
    if not numbers or numbers[0] < 1 or not set(names) <= set(_METHODS):
        raise InputError(f"--counts {counts!r} or --methods {methods!r}: methods are {', '.join(_METHODS)}.")
    groups = _groups(find_scans(data, role, None), datasets)
    if not groups:
        raise InputError(f"{data} holds no data set of at least {_FEWEST} volumes with common labels.")
    model = network.open()
    rows = read_rows(output / SCORES, NextScore)
    known = {row.key for row in rows}
    plan = [
        ([scan for scan in scans if scan is not new][:count], new)
        for scans in groups
        for new in _new_ones(scans, patients)
        for count in numbers
        if count < len(scans)
    ]
    with progress_bar("Measuring") as report:
        alternatives: tuple[Scan, Alternatives] | None = None
        for number, (given, new) in enumerate(plan):
            wanted = [
                name for name in names
                if (new.dataset, new.name, len(given), name, _model_of(name, model.name)) not in known
            ]  # fmt: skip
            if not wanted:
                continue
            report(number / len(plan), f"{new.dataset}/{new.name}, {len(given)} scans")
            target, others = new.read(), [scan.read() for scan in given]
            values = _common([target, *others])
            if alternatives is None or alternatives[0] is not new:
                alternatives = new, Alternatives(target, values)
            makers = alternatives[1].label_maps(others)
            for name in wanted:
                begin = time.perf_counter()
                found = makers[name]() if name in makers else _ours(target, others, values, name, model)
                seconds = time.perf_counter() - begin
                fresh = [
                    NextScore(
                        new.dataset, new.name, value, len(given), name, _model_of(name, model.name),
                        round(dice(found == value, target.labels == value), 4), round(seconds, 2),
                    )
                    for value in values
                ]  # fmt: skip
                append_rows(output / SCORES, fresh)
                rows.extend(fresh)
    text = table(rows)
    (output / REPORT).write_text(text, encoding="utf-8")
    if as_json:
        print_json({"output": str(output), "scores": len(rows), "model": model.name})
    else:
        say(text)


def table(rows: Sequence[NextScore]) -> str:
    """Mean Dice over labels, then volumes, by data set and number of labelled scans, as Markdown."""
    methods = [name for name in _METHODS if any(row.method == name for row in rows)]
    lines = [
        f"| data set | scans | new scans | {' | '.join(methods)} |",
        f"| --- | ---: | ---: {'| ---: ' * len(methods)}|",
    ]
    for dataset, count in sorted({(row.dataset, row.scans) for row in rows}):
        here = [row for row in rows if (row.dataset, row.scans) == (dataset, count)]
        cells = []
        for method in methods:
            values = sorted({row.label for row in here})
            means = [
                np.mean([row.dice for row in here if row.label == value and row.method == method] or [np.nan])
                for value in values
            ]
            cells.append(f"{np.mean(means):.3f} ({' '.join(f'{mean:.2f}' for mean in means)})")
        lines.append(f"| {dataset} | {count} | {len({row.volume for row in here})} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _ours(
    target: LabelledVolume,
    others: Sequence[LabelledVolume],
    values: Sequence[int],
    name: str,
    model: InContextModel,
) -> np.ndarray:
    support = SupportSet()
    for other in others:
        made = SupportSet.from_scan(
            other.image, other.labels, source=other.scan.name, keep_scan=name == OURS, sure=True
        )
        support = support.merged(made)
    return propagate(target.image, None, model=model, support=support, label_values=values, confidence=False).labels


def _model_of(method: str, model: str) -> str:
    return model if method in (OURS, NETWORK) else ""


def _groups(scans: Sequence[Scan], datasets: str | None) -> list[list[Scan]]:
    """The scans by data set, where there are enough of them."""
    chosen = None if datasets is None else {name.strip() for name in datasets.split(",")}
    groups: dict[str, list[Scan]] = {}
    for scan in scans:
        if chosen is None or scan.dataset in chosen:
            groups.setdefault(scan.dataset, []).append(scan)
    return [group for group in groups.values() if len(group) >= _FEWEST]


def _new_ones(scans: Sequence[Scan], patients: int) -> list[Scan]:
    return list(scans[-min(patients, len(scans) - 1) :])


def _common(volumes: Sequence[LabelledVolume]) -> list[int]:
    held = [set(np.unique(volume.labels).tolist()) - {0} for volume in volumes]
    return sorted(set.intersection(*held))
