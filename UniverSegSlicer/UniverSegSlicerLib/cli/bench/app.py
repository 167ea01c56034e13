"""``universeg-slicer bench``: measurements that anyone can repeat."""

from __future__ import annotations

import typer

from .cohort import cohort
from .next_patient.command import next_patient
from .quality.command import quality
from .speed import speed
from .volume import volume

app = typer.Typer(no_args_is_help=True, help="Measure speed and quality on this machine.")

app.command()(speed)
app.command()(volume)
app.command()(quality)
app.command(name="next")(next_patient)
app.command()(cohort)
