"""``universeg-trainer bench``: measurements of the trainer's own parts."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .console import print_table

app = typer.Typer(help="Measurements.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Measurements."""


@app.command("store")
def store_command(
    store: Annotated[Path, typer.Option("--store", help="Store that standardize wrote.", envvar="UNIVERSEG_STORE")],
    resolution: Annotated[int, typer.Option("--resolution", help="Side of the squares.")] = 128,
    samples: Annotated[int, typer.Option("--samples", min=256, help="Samples written in every format.")] = 8192,
    seconds: Annotated[float, typer.Option("--seconds", min=0.05, help="Reading time per figure.")] = 2.0,
    output: Annotated[Path | None, typer.Option("--output", help="JSON file for the figures.")] = None,
) -> None:
    """Random samples (picture and mask) per second from the store, and from the same samples in other formats."""
    from UniverSegSlicerLib.writing import write_whole

    from ..megamedical.store import Store
    from ..megamedical.store.bench import measure_alternatives, measure_store

    opened = Store.open(store)
    figures = [
        measure_store(opened, resolution, seconds=seconds),
        *measure_alternatives(opened, resolution, samples, seconds=seconds),
    ]
    columns = ("format", "one by one, samples/s", "batches of 64", "one by one, per processor second",
               "batches of 64", "MB")  # fmt: skip
    rows = [
        (f.name, *(f"{v:,.0f}" for v in (f.one_by_one, f.batches, f.one_by_one_cpu, f.batches_cpu, f.megabytes)))
        for f in figures
    ]
    print_table(columns, rows, right=columns[1:])
    if output is not None:
        record = {
            "resolution": resolution,
            "samples": samples,
            "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
            "processors": os.cpu_count(),
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            "figures": [asdict(figure) for figure in figures],
        }
        write_whole(output, (json.dumps(record, indent=1) + "\n").encode())
        print(f"Wrote {output}")
