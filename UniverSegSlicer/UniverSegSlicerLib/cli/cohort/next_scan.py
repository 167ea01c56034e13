"""``universeg-slicer cohort next``: which scan to mark, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..common.console import print_json, say
from ..common.options import JsonOption


def next_scan(
    output: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of a cohort.")],
    *,
    count: Annotated[int, typer.Option(min=1, help="How many scans.")] = 1,
    slices: Annotated[int, typer.Option(min=1, help="How many slices of each.")] = 3,
    support: Annotated[
        Path, typer.Option(metavar="FILE.npz", help="The support set, for the command that is printed.")
    ] = Path("SUPPORT.npz"),
    as_json: JsonOption = False,
) -> None:
    """Say which scan of a cohort is most worth marking: the one that brings the others most.

    OUT/next gets an empty label map on the scan's grid to mark in.

    Example: universeg-slicer cohort next out --support hippocampi.npz
    """
    from ...cohort import suggest
    from ...cohort.marking import what_to_do

    found = suggest(output, count, slices)
    if as_json:
        print_json(
            {
                "next": [
                    {
                        "case": one.case,
                        "volume": str(one.volume),
                        "marks": str(one.marks),
                        "gain": one.gain,
                        "axis": one.axis,
                        "slices": list(one.slices),
                    }
                    for one in found
                ]
            }
        )
        return
    for one in found:
        say(what_to_do(one, str(support)))
