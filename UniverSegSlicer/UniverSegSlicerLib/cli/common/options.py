"""Options that several subcommands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ...errors import InputError


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
AxisOption = Annotated[
    Axis, typer.Option(case_sensitive=False, help="Axis along which slices are marked; auto reads it from LABELS.")
]


@contextmanager
def naming_options(**typed: str) -> Iterator[None]:
    """Say errors about an argument in the words of the command line.

    Args:
        typed: Name of the argument to what the user typed for it: ``slice_range="--range 30:40"``.

    Example:
        >>> with naming_options(slice_range="--range 30:40"):  # doctest: +SKIP
        ...     propagate(...)
    """
    try:
        yield
    except InputError as error:
        option = typed.get(error.argument)
        if option is None:
            raise
        message = str(error)
        # The settings name what is at fault; elsewhere the option is put before what is wrong with it.
        own = message.startswith(f"{error.argument} ")
        said = f"{option}{message[len(error.argument) :]}" if own else f"{option}: {message}"
        raise type(error)(said) from error
