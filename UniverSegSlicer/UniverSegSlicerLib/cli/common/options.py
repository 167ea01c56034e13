"""Options that several subcommands share."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Axis(str, Enum):
    """Volume axis along which slices are taken; ``auto`` reads it from the marks."""

    auto = "auto"
    i = "i"
    j = "j"
    k = "k"


SeriesOption = Annotated[
    str | None,
    typer.Option(
        metavar="UID|NUMBER|NAME", help="Which DICOM series to read, where VOLUME is a folder that holds several."
    ),
]
ComponentOption = Annotated[
    int | None,
    typer.Option(
        min=0, metavar="N", help="Which volume to read, from 0, where VOLUME holds several (time points, stacks)."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of everything that is drawn at random.")]
EnsembleOption = Annotated[
    int, typer.Option(min=1, metavar="K", help="Average K predictions, each with another draw of support examples.")
]
SupportFileOption = Annotated[
    Path | None,
    typer.Option(
        "--support", metavar="FILE", help="A saved support set (see `support create`), used besides the marks."
    ),
]
