"""The command ``universeg-slicer``, put together from its subcommands."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from . import models, support
from .bench.app import app as bench
from .click_slice import click_slice
from .cohort.adding import add
from .cohort.app import app as cohort
from .demo import demo
from .propagate import propagate
from .report import report
from .segment import segment

app = typer.Typer(
    help="Segment medical volumes and images from a few marked examples, with no training.",
    epilog="Example: universeg-slicer propagate brain.nii.gz marks.nii.gz -o segmentation.nii.gz",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    # Errors are one sentence, written by cli/running.py.
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command()(propagate)
app.command()(segment)
app.command(name="click")(click_slice)
app.add_typer(cohort, name="cohort")
support.app.command()(add)
app.add_typer(support.app, name="support")
app.add_typer(models.app, name="models")
app.add_typer(bench, name="bench")
app.command()(demo)
app.command()(report)
