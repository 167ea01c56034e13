"""``universeg-slicer propagate``: from a few marked slices to the whole volume."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from .. import __version__
from ..diagnostics import model_fact, run_log, volume_facts
from ..errors import InputError
from ..files import (
    WRITABLE,
    WRITABLE_LABELS,
    LabelMap,
    check_grid,
    read_volume,
)
from ..progress import sub_progress
from .common.console import notices, print_json, progress_bar
from .common.inputs import read_mark_layers
from .common.network import NetworkChoice, choosing_network
from .common.options import (
    Axis,
    AxisOption,
    ComponentOption,
    EnsembleOption,
    JsonOption,
    SeedOption,
    SeriesOption,
    SupportFileOption,
    naming_options,
)
from .common.outputs import check_output
from .common.propagated import (
    count_labels,
    notes,
    output_segments,
    say_summary,
    summary_of,
    wanted_values,
    write_all,
)
from .common.tuning import TuneChoice, TuneOption, marked_examples, tuning_fact
from .common.unused import unused_names, unused_settings
from .common.values import parse_names, parse_numbers, parse_range


class Strategy(str, Enum):
    """How a segmentation spreads from the marked slices."""

    auto = "auto"
    independent = "independent"
    cascade = "cascade"
    prior = "prior"
    guided = "guided"


class Choice(str, Enum):
    """Which examples support a slice."""

    nearest = "nearest"
    random = "random"
    all = "all"


@choosing_network
def propagate(
    volume: Annotated[
        Path, typer.Argument(metavar="VOLUME", help="The volume: NIfTI, NRRD, MHA, or a folder of DICOM files.")
    ],
    labels: Annotated[
        Path | None,
        typer.Argument(metavar="LABELS", help="Label map on the volume's grid with only the marked slices filled."),
    ] = None,
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT.nii.gz",
            help="The label map to write; .dcm is a DICOM SEG of VOLUME's series.",
        ),
    ],
    series: SeriesOption = None,
    component: ComponentOption = None,
    axis: AxisOption = Axis.auto,
    strategy: Annotated[
        Strategy,
        typer.Option(
            case_sensitive=False, help="How the segmentation spreads from the marks; auto takes the best one."
        ),
    ] = Strategy.auto,
    support: SupportFileOption = None,
    wanted: Annotated[
        str | None, typer.Option("--labels", metavar="1,3", help="Segment these label values only; by default all.")
    ] = None,
    names: Annotated[
        str | None, typer.Option(metavar="1=liver,2=spleen", help="Names of the label values, for the preview.")
    ] = None,
    marked: Annotated[
        str | None,
        typer.Option(
            metavar="10,20",
            help="The marked slices, where some of them are meant to be empty; by default all with labels.",
        ),
    ] = None,
    slice_range: Annotated[
        str | None, typer.Option("--range", metavar="A:B", help="Segment slices A to B only, both included.")
    ] = None,
    network: NetworkChoice,
    ensemble: EnsembleOption = 1,
    flips: Annotated[
        bool, typer.Option("--flips", help="Also average over mirrored copies; takes twice as long.")
    ] = False,
    choice: Annotated[
        Choice, typer.Option(case_sensitive=False, help="Which examples support a slice.")
    ] = Choice.nearest,
    support_size: Annotated[int, typer.Option(min=1, help="At most so many examples support a slice.")] = 16,
    seed: SeedOption = 0,
    passes: Annotated[
        int | None, typer.Option(min=1, help="How often each slice is predicted (guided, prior).")
    ] = None,
    detail: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Work on N times as many pixels per side where a structure is large."),
    ] = None,
    smooth: Annotated[
        float | None, typer.Option(min=0, metavar="SLICES", help="Smooth along the slices; 0 for not at all.")
    ] = None,
    margin_mm: Annotated[
        float | None, typer.Option(min=0, metavar="MM", help="What is looked at around the marked structure.")
    ] = None,
    ending: Annotated[
        float | None,
        typer.Option(
            min=0, help="Weight of what the marks say about where the structure ends; 0 leaves it to the image."
        ),
    ] = None,
    keep_detached: Annotated[
        bool, typer.Option("--keep-detached", help="Keep parts of the result that are connected with no mark.")
    ] = False,
    axes: Annotated[
        int,
        typer.Option(
            metavar="1|3",
            help="3 averages over all axes, for small structures in nearly cubic voxels; 3 to 8 times as slow.",
        ),
    ] = 1,
    confidence: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a map of confidence, 0 to 1 (.nii.gz, .nrrd, ...).")
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw the marked slices and the result.")
    ] = None,
    tune: TuneOption = "off",
    as_json: JsonOption = False,
) -> None:
    """Segment a volume from a few marked slices, from a support set, or from both.

    The marked slices come back as they were given. Whole scans in the support set are laid over the volume, and say
    where in the body each structure lies; those that do not fit are named and left out.

    Example: universeg-slicer propagate brain.nii.gz marks.nii.gz -o out.nii.gz --preview out.png
    """
    from ..network.weights import read_catalogue
    from ..segmentation import PropagationSettings, SupportSet
    from ..segmentation import propagate as spread
    from ..segmentation.predictor import PRIOR_CHANNELS

    inputs = (volume, labels, support)
    check_output(output, WRITABLE_LABELS, inputs=inputs)
    check_output(confidence, WRITABLE, inputs=inputs, outputs=(output,))
    check_output(preview, (".png",), inputs=inputs)
    if labels is None and support is None:
        raise InputError("nothing says what to segment: give LABELS (a label map with marked slices), or --support.")
    label_names = parse_names(names, "--names")
    label_values, marked_slices = parse_numbers(wanted, "--labels"), parse_numbers(marked, "--marked")
    only, tuning = parse_range(slice_range, "--range"), TuneChoice.parse(tune)

    if marked is not None and labels is None:
        raise InputError("--marked names slices of LABELS, which is not given.")

    image = read_volume(volume, series=series, component=component)
    for path in (output, confidence):
        if path is not None:
            check_grid(path, image.geometry)
    layers = [] if labels is None else read_mark_layers(labels, volume, image, output)
    examples = None if support is None else SupportSet.load(support)
    asked: dict[str, Any] = {"passes": passes, "detail": detail, "smooth": smooth}
    asked |= {"margin_mm": margin_mm, "ending": ending}
    run_log.note(**volume_facts(image.array.shape, image.geometry.spacing, image.array.dtype))
    typed = {
        "slice_range": f"--range {slice_range}",
        "marked_indices": f"--marked {marked}",
        "label_values": f"--labels {wanted}",
        "axis": "--axis, --marked",
    }
    with naming_options(axes="--axes", **{name: f"--{name.replace('_', '-')}" for name in asked}):
        settings = PropagationSettings(
            strategy=strategy.value,
            choice=choice.value,
            support_size=support_size,
            ensemble=ensemble,
            flips=flips,
            seed=seed,
            axes=axes,
            keep_detached=keep_detached,
            slice_range=None if only is None else (only[0], only[1] + 1),
            **{name: value for name, value in asked.items() if value is not None},
        )
    notices(unused_names(label_names, wanted_values(layers, examples, label_values)))
    opened = network.open()
    with naming_options(**typed):
        model, tuned = tuning.apply(
            opened,
            marked_examples(image, [layer.array for layer in layers], examples, axis.value, marked_slices),
            saved=examples,
            saved_path=support,
            labels=label_values,
            region=settings,
            seed=seed,
        )
    results = []
    with progress_bar("Segmenting") as report, naming_options(**typed):
        for number, layer in enumerate(layers or [None]):
            results.append(
                spread(
                    image,
                    None if layer is None else layer.array,
                    model=model,
                    axis=axis.value,
                    label_values=_of_layer(label_values, layer, len(layers)),
                    support=examples,
                    marked_indices=marked_slices,
                    settings=settings,
                    confidence=confidence is not None,
                    progress=sub_progress(report, number / max(1, len(layers)), (number + 1) / max(1, len(layers))),
                )
            )
    result = results[0]
    run_log.note(
        labels=sum(len(count_labels(each.labels)) for each in results),
        marked=len(result.marked),
        support=0 if examples is None else len(examples),
        axis=result.axis,
        strategy=result.strategy,
        model=model_fact(network.model, read_catalogue()),
        device=result.device,
        segmenting_s=round(sum(each.seconds for each in results), 3),
    )
    known = {value: name for layer in layers for value, name in layer.names.items()}
    label_names = {**known, **(examples.label_names if examples is not None else {}), **label_names}
    notices(notes(results, layers, settings))
    unused = unused_settings(
        asked,
        settings,
        tuning,
        examples=max(len(each.marked) for each in results) + (0 if examples is None else len(examples)),
        marked=bool(layers) and any(each.marked for each in results),
        support=examples,
        takes_prior=opened.query_channels >= PRIOR_CHANNELS,
    )
    notices(unused)
    made = [
        LabelMap(each.labels, image.geometry, output_segments(each.labels, told, label_names, label_values))
        for each, told in zip(results, [layer.segments for layer in layers] or [()], strict=True)
    ]
    title = f"{volume.name}: {result.model}, {result.strategy}"
    write_all((output, confidence, preview), made, results, image, layers, names=label_names, title=title)
    summary = {
        "output": str(output),
        "confidence": None if confidence is None else str(confidence),
        "preview": None if preview is None else str(preview),
        **summary_of(image, results),
        "support": 0 if examples is None else len(examples),
        "ensemble": ensemble,
        "seed": seed,
        "tuning": tuning_fact(tuned),
        "version": __version__,
    }
    if as_json:
        print_json(summary)
    else:
        say_summary(summary, label_names, tuned)


def _of_layer(wanted: list[int] | None, layer: LabelMap | None, layers: int) -> list[int] | None:
    """The wanted labels that a layer has, where there are several."""
    if wanted is None or layer is None or layers < 2:
        return wanted
    return [value for value in wanted if value in np.unique(layer.array)]
