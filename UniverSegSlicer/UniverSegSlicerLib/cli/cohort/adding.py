"""``universeg-slicer support add``: a marked scan goes into a support set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..common.console import progress_bar, say
from ..common.network import NetworkChoice, choosing_network
from ..common.outputs import check_output


@choosing_network
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE.npz", help="The support set.")],
    volume: Annotated[Path, typer.Argument(metavar="VOLUME", help="The scan.")],
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="Its label map: complete, or with a few marked slices.")
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.npz", help="Write here instead of to FILE.npz.")
    ] = None,
    slices_only: Annotated[
        bool, typer.Option("--slices-only", help="Leave out the scan itself; a scan can identify a patient.")
    ] = False,
    network: NetworkChoice,
) -> None:
    """Add a marked scan to a support set, for instance the one that `cohort next` suggested.

    A complete label map goes in with its scan. A few marked slices are completed through the scan first, with the
    support's help, and go in themselves as they are. A scan of the same file that is there already is replaced.

    Example: universeg-slicer support add hippocampi.npz scan.nii.gz out/next/scan_marks.nii.gz
    """
    from ...cohort import add_scan
    from ...segmentation import SupportSet

    check_output(output or file, (".npz",), inputs=(volume, labels))
    support = SupportSet.load(file)
    with progress_bar("Completing the marks") as report:
        made = add_scan(support, volume, labels, model=None if slices_only else network.open(), progress=report)
    made.save(output or file)
    say(f"{output or file}: {len(made)} examples and {len(made.scans)} whole scans.")
