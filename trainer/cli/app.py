"""All commands in one application, and what a user sees when one of them fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from UniverSegSlicerLib.errors import Cancelled, UniverSegError

from . import bench, compare, datasets, evaluate, fusion, standardize, step, synthetic, tasks, train

#: Set to anything to see the whole traceback of an error.
DEBUG_VARIABLE = "UNIVERSEG_DEBUG"

app = typer.Typer(
    name="universeg-trainer",
    help="Declare, check and standardise labelled data sets, list their tasks, train and evaluate networks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(datasets.app, name="datasets")
app.command("standardize")(standardize.standardize_command)
app.add_typer(tasks.app, name="tasks")
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("bundle")(evaluate.bundle)
app.command("compare")(compare.compare)
app.command("bound")(compare.bound)
app.command("fusion")(fusion.fusion)
app.command("synthetic")(synthetic.synthetic)
app.command("episodes")(synthetic.episodes)
bench.app.command("step")(step.step_command)
app.add_typer(bench.app, name="bench")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 success, 1 fault in the program, 2 wrong input, 130 cancelled.

    Args:
        arguments: Without the program's name; those of the process by default.
    """
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="universeg-trainer")
    except SystemExit as ended:  # how typer ends, with wrong options too
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except (KeyboardInterrupt, Cancelled):
        print("Cancelled.", file=sys.stderr)
        return 130
    except UniverSegError as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0
