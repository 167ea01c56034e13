"""A marked scan goes into a support set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GeometryError, InputError
from ..files import onto_grid, read_label_map, read_volume
from ..progress import CancelToken, ProgressCallback
from ..segmentation import LabelledScan, SupportSet, is_complete, propagate
from .inputs.supports import merge, source_name

if TYPE_CHECKING:
    from ..network import InContextModel


def add_scan(
    support: SupportSet,
    volume: Path,
    labels: Path,
    *,
    model: InContextModel | None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> SupportSet:
    """The support set with a marked scan in it.

    A complete label map goes in with its scan. Of a few marked slices the marks go in as they are, and the scan with
    what follows from them and from the support: whole scans are what helps the next ones.

    Args:
        support: The set; a scan of the same file that is in it already is replaced.
        volume: The scan.
        labels: Its label map, complete or with a few marked slices.
        model: The network that completes marked slices; None takes the slices alone.
        progress: Called with the share done.
        cancel: Looked at meanwhile.

    Raises:
        InputError: Nothing is marked, or files that cannot be used.
        Cancelled: The cancel token was raised.
    """
    image = read_volume(volume)
    marks = read_label_map(labels, onto=image.geometry)
    try:
        placed, _ = onto_grid(marks, image.geometry)
    except GeometryError as error:
        raise GeometryError(f"{labels} is not on the grid of {volume}: {error}.") from error
    if not placed.array.any():
        raise InputError(f"{labels} is empty: mark slices of {volume} in it first.")
    source = source_name(volume)
    rest = replace(
        support,
        examples=tuple(e for e in support.examples if e.source != source),
        scans=tuple(s for s in support.scans if s.source != source),
    )
    if is_complete(placed.array):
        made = SupportSet.from_scan(
            image, placed.array, label_names=marks.names, source=source, keep_scan=model is not None, sure=True
        )
    else:
        made = SupportSet.from_volume(image, placed.array, label_names=marks.names, source=source)
        if model is not None:
            whole = propagate(
                image, placed.array, model=model, support=rest, label_values=made.label_values, confidence=False,
                progress=progress, cancel=cancel,
            )  # fmt: skip
            made = replace(made, scans=(LabelledScan.of(image, whole.labels, source=source),))
    return merge([("the support", rest), (volume.name, made)]) if rest.label_values else made
