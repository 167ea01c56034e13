"""What a run of ``propagate`` writes and says: files, notes, segments, a summary for programs and one for people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...files import WRITABLE_LABELS, LabelMap, Segment, write_layers, write_volume
from ...files.label_maps import named_segments
from ...imaging import Volume, array_axis
from ...writing import all_or_none
from .console import say
from .pictures import draw_result

if TYPE_CHECKING:
    from ...segmentation import Propagation, PropagationSettings, SupportSet
    from ...segmentation.tuning import TuningReport

_MM3_PER_ML = 1000.0


def count_labels(labels: np.ndarray) -> dict[int, int]:
    """Voxels per label value that occurs, rising, without background; slice by slice, which a large volume needs."""
    counts = np.zeros(np.iinfo(np.uint16).max + 1, np.int64)
    for part in labels:
        counts += np.bincount(part.ravel(), minlength=len(counts))
    return {int(value): int(counts[value]) for value in np.flatnonzero(counts) if value}


def notes(results: list[Propagation], layers: list[LabelMap], settings: PropagationSettings) -> Iterator[str]:
    """What a person should know of a run that went well."""
    from ...segmentation import MarkedSlices, are_thin

    yield from dict.fromkeys(warning for each in results for warning in each.warnings)
    result = results[0]
    slices = range(result.labels.shape[array_axis(result.axis)])
    within = "of the range " if settings.slice_range else ""
    if set(slices[slice(*settings.slice_range)] if settings.slice_range else slices) <= set(result.marked):
        yield f"every slice {within}is marked, so nothing was left to segment."
    for layer, each in zip(layers, results, strict=False):
        if each.marked and are_thin(layer.array, MarkedSlices(each.axis, each.marked)):
            yield (
                "the marks are thin lines, at most two pixels wide; where they are scribbles or outlines, mark whole "
                "shapes instead."
            )


def output_segments(
    labels: np.ndarray, told: tuple[Segment, ...], names: dict[int, str], wanted: list[int] | None
) -> tuple[Segment, ...]:
    """What the output says of its labels: of the wanted ones, or of all that were found or that the marks tell of."""
    values = set(wanted or count_labels(labels)) | set(wanted or (segment.value for segment in told))
    return named_segments(values, names, [segment for segment in told if segment.value in values])


def write_all(
    paths: tuple[Path, Path | None, Path | None],
    made: list[LabelMap],
    results: list[Propagation],
    image: Volume,
    layers: list[LabelMap],
    *,
    names: dict[int, str],
    title: str,
) -> None:
    """Label maps, confidence and preview, all or none of them."""
    with all_or_none(*paths, endings=WRITABLE_LABELS) as (out, certain, picture):
        if out is not None:
            write_layers(out, made)
        if certain is not None and results[0].confidence is not None:
            write_volume(certain, np.min([each.confidence for each in results], axis=0), image.geometry)
        if picture is not None:
            draw_result(picture, image, layers[0].array if layers else None, results[0], names=names, title=title)


def wanted_values(layers: list[LabelMap], support: SupportSet | None, wanted: list[int] | None) -> set[int]:
    """The labels that are segmented."""
    found = {value for layer in layers for value in count_labels(layer.array)}
    found |= set() if support is None else set(support.label_values)
    return found if wanted is None else found & set(wanted)


def summary_of(image: Volume, results: list[Propagation]) -> dict[str, Any]:
    """What came out, JSON-ready: millilitres and voxels of every label, slices, what to mark next, seconds, model."""
    result = results[0]
    voxel_ml = float(np.prod(image.geometry.spacing)) / _MM3_PER_ML
    return {
        "labels": {
            str(value): {"voxels": int(n), "ml": round(float(n) * voxel_ml, 3)}
            for each in results
            for value, n in count_labels(each.labels).items()
        },
        "removed": {str(value): int(n) for each in results for value, n in each.removed.items()},
        "axis": result.axis,
        "slices": int(result.labels.shape[array_axis(result.axis)]),
        "marked": list(result.marked),
        "strategy": result.strategy,
        "mark_next": [{"slice": s.index, "score": round(float(s.score), 4)} for s in result.next_slices],
        "seconds": round(sum(each.seconds for each in results), 3),
        "model": result.model,
        "device": result.device,
        "warnings": list(dict.fromkeys(w for each in results for w in each.warnings)),
        "credibility": None if result.credibility is None else round(result.credibility, 3),
    }


def say_summary(summary: dict[str, Any], names: dict[int, str], tuned: TuningReport | None) -> None:
    """Print a summary in words.

    Args:
        summary: What :func:`summary_of` gave, with the entry "output" beside it.
        names: Of the label values.
        tuned: What tuning did, if there was any.
    """
    found = [
        f"{names.get(int(value), f'label {value}')} {entry['ml']:.4g} ml" for value, entry in summary["labels"].items()
    ]
    say(f"{summary['output']}: {', '.join(found) or 'nothing was found'}.")
    if summary["removed"]:
        gone = [f"{names.get(int(value), f'label {value}')} {n} voxels" for value, n in summary["removed"].items()]
        say(f"Removed, because connected with no mark (--keep-detached keeps it): {', '.join(gone)}.")
    marked = ", ".join(f"{summary['axis']}:{index}" for index in summary["marked"]) or "none"
    say(
        f"{summary['slices']} slices, marked: {marked}; "
        f"{summary['seconds']:.1f} s with {summary['model']} on {summary['device']}, strategy {summary['strategy']}."
    )
    if summary["mark_next"]:
        places = [f"{summary['axis']}:{entry['slice']}" for entry in summary["mark_next"]]
        say(f"Worth marking next: {', '.join(places)}.")
    if tuned is not None:
        say(str(tuned))
