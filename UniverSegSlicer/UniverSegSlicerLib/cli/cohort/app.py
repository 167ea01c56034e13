"""``universeg-slicer cohort``, put together from its subcommands."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from .command import run
from .next_scan import next_scan


class _RunUnlessNamed(TyperGroup):
    """A group whose first subcommand is meant where none is named: ``cohort SUPPORT ...`` is ``cohort run SUPPORT``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RunUnlessNamed,
    no_args_is_help=True,
    help="Segment many volumes with one support set. `cohort SUPPORT ...` is short for `cohort run SUPPORT ...`.",
)
app.command()(run)
app.command(name="next")(next_scan)
