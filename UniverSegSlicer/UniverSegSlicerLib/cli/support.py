"""``universeg-slicer support``: make, look into and unpack support-set files."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from ..errors import InputError
from ..files import read_volume
from ..files.pictures import write_array, write_picture
from .common.console import notice, notices, print_json, print_table, progress_bar, say
from .common.inputs import examples_of_volume, read_marks, read_pairs
from .common.network import NetworkChoice, choosing_network
from .common.options import Axis, AxisOption, ComponentOption, JsonOption, SeedOption, SeriesOption
from .common.outputs import check_new_folder, check_output, filling_folder, write_json
from .common.unused import unused_names
from .common.values import parse_names

if TYPE_CHECKING:
    from ..segmentation import SupportSet

app = typer.Typer(
    no_args_is_help=True, help="Make, look into and unpack support sets: examples that are used again and again."
)

SupportFile = Annotated[Path, typer.Argument(metavar="FILE", help="A support-set file.")]


class ImageFormat(str, Enum):
    """How exported images are stored."""

    npy = "npy"
    png = "png"


@app.command()
def create(
    volume: Annotated[Path | None, typer.Argument(metavar="VOLUME", help="The volume.")] = None,
    labels: Annotated[
        Path | None, typer.Argument(metavar="LABELS", help="Label map on its grid with the example slices filled.")
    ] = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.npz", help="The support-set file to write.")],
    series: SeriesOption = None,
    component: ComponentOption = None,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Instead of a volume: a folder of 2D images.")
    ] = None,
    image_labels: Annotated[
        Path | None, typer.Option("--image-labels", metavar="DIR", help="Their label maps, paired by stem.")
    ] = None,
    axis: AxisOption = Axis.auto,
    slices: Annotated[
        str | None,
        typer.Option(
            metavar="10,20", help="The example slices, those without any label included; by default all with labels."
        ),
    ] = None,
    names: Annotated[str | None, typer.Option(metavar="1=liver,2=spleen", help="Names of the label values.")] = None,
    slices_only: Annotated[
        bool,
        typer.Option(
            "--slices-only",
            help="Leave out the scan itself, which goes in where LABELS is complete; a scan can identify a patient.",
        ),
    ] = False,
    complete: Annotated[
        bool,
        typer.Option("--complete", help="LABELS is complete although it looks like marked slices, as lesions may."),
    ] = False,
    merge: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A support set to put before the new examples; may be repeated."),
    ] = None,
) -> None:
    """Make a support set from labelled slices of a volume, or from 2D images with label maps.

    Where LABELS is complete (whole structures, no gaps between slices), the scan around them goes in as well: on the
    next patient it is laid over the new scan. A scan can identify a patient; --slices-only leaves it out.

    Example: universeg-slicer support create brain.nii.gz marks.nii.gz -o ventricles.npz --names 1=ventricles
    """
    check_output(output, (".npz",), inputs=(volume, labels))
    label_names = parse_names(names, "--names")
    if (images is None) != (image_labels is None):
        raise InputError("--images and --image-labels belong together; give both.")
    if (volume is None) == (images is None):
        raise InputError("either VOLUME and LABELS or --images and --image-labels are needed.")
    if images is not None and (labels, slices, series, component, axis, complete) != (
        None, None, None, None, Axis.auto, False
    ):  # fmt: skip
        raise InputError(
            "LABELS, --axis, --slices, --complete, --series and --component belong to VOLUME, and say nothing of "
            "--images."
        )
    whole = False
    if images is not None and image_labels is not None:
        made = read_pairs(images, image_labels, label_names)
    else:
        if volume is None or labels is None:
            raise InputError("LABELS is missing: a label map on the grid of VOLUME.")
        image = read_volume(volume, series=series, component=component)
        marks = read_marks(labels, volume, image)
        made, whole = examples_of_volume(
            volume, image, marks, axis, slices, names=label_names, slices_only=slices_only, complete=complete
        )
    made = _merged(merge or [], made)
    if not made.label_values:
        raise InputError("none of the examples has a label, so the set would be of no use; choose marked slices.")
    notices(unused_names(label_names, made.label_values))
    if slices_only and not whole:
        notice("--slices-only has no effect: a scan goes in only where LABELS is complete and no --slices are named.")
    made.save(output)
    scans = f" and {_count(len(made.scans), 'whole scan')}" if made.scans else ""
    say(f"{output}: {_count(len(made), 'example')}{scans}, {_labels_in_words(made)}.")
    if made.scans:
        say("A scan can identify a patient; --slices-only leaves it out.")


@app.command()
def inspect(
    file: SupportFile,
    *,
    preview: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Also draw the examples.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is in a support set.

    Example: universeg-slicer support inspect ventricles.npz --preview ventricles.png
    """
    from ..segmentation import SupportSet

    check_output(preview, (".png",), inputs=(file,))
    support = SupportSet.load(file)
    if preview is not None:
        _draw(preview, support, file.name)
    if as_json:
        print_json({"file": str(file), **_describe(support), "preview": None if preview is None else str(preview)})
        return
    rows = [_row(number, example) for number, example in enumerate(_describe(support)["examples"])]
    columns = ("example", "slice", "pixels", "spacing (mm)", "labels", "in use")
    print_table(f"{file}: {_labels_in_words(support)}", columns, rows, right=columns[1:4])
    for scan in support.scans:
        size = " x ".join(str(n) for n in scan.image.geometry.size)
        spacing = " x ".join(f"{mm:.4g}" for mm in scan.image.geometry.spacing)
        labels = ", ".join(str(value) for value in scan.label_values)
        say(f"Whole scan: {scan.source}, {size} voxels of {spacing} mm, labels {labels}.")
    if support.provenance:
        say(f"From: {support.provenance}")


@app.command()
def export(
    file: SupportFile,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to fill.")],
    image_format: Annotated[
        ImageFormat,
        typer.Option("--format", case_sensitive=False, help="npy is lossless; png has 16 bits and opens everywhere."),
    ] = ImageFormat.npy,
) -> None:
    """Unpack a support set into DIR/images, DIR/labels (PNG) and DIR/support.json.

    `segment --support-images DIR/images --support-labels DIR/labels` reads the folders again.

    Example: universeg-slicer support export ventricles.npz -o ventricles
    """
    from ..segmentation import SupportSet

    check_new_folder(output)
    support = SupportSet.load(file)
    digits = len(str(max(len(support) - 1, 0)))
    with filling_folder(output) as beside:
        (beside / "images").mkdir()
        (beside / "labels").mkdir()
        stems = []
        for number, example in enumerate(support.examples):
            stems.append(f"example_{number:0{digits}d}")
            image = beside / "images" / f"{stems[-1]}.{image_format.value}"
            if image_format is ImageFormat.npy:
                write_array(image, example.image)
            else:
                write_picture(image, np.round(example.image * np.iinfo(np.uint16).max).astype(np.uint16))
            small = example.labels.max() <= np.iinfo(np.uint8).max
            write_picture(
                beside / "labels" / f"{stems[-1]}.png", example.labels.astype(np.uint8) if small else example.labels
            )
        described = _describe(support)
        described["examples"] = [{"stem": s, **e} for s, e in zip(stems, described["examples"], strict=True)]
        write_json(beside / "support.json", described)
    say(f"{output}: {_count(len(support), 'image')} with labels.")


@app.command()
@choosing_network
def tune(
    file: SupportFile,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.safetensors",
            help="The tuned weights; by default beside the support set, where `--tune auto` finds them.",
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Time that it may take; by default as `--tune auto`.")
    ] = None,
    network: NetworkChoice,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Tune a network on a support set, and keep the weights for the next volumes where held-out examples gain.

    `propagate --support FILE --tune auto` uses them, and so does `segment`.

    Example: universeg-slicer support tune ventricles.npz
    """
    from ..segmentation import PropagationSettings, SupportSet
    from ..segmentation.tuning import TuningSettings, tuned_path, write_tuned
    from ..segmentation.tuning import tune as spend

    path = tuned_path(file) if output is None else output
    check_output(path, (".safetensors",), inputs=(file,))
    settings = TuningSettings(seed=seed) if seconds is None else TuningSettings(seconds, seed=seed)
    support = SupportSet.load(file)
    model = network.open()
    with progress_bar("Tuning") as report:
        tuned = spend(model, support, settings, region=PropagationSettings(), progress=report)
    if tuned.report.kept:
        write_tuned(path, tuned, model, support)
    written = str(path) if tuned.report.kept else None
    if as_json:
        print_json({"file": str(file), "output": written, "model": model.name, **tuned.report.to_dict()})
        return
    say(str(tuned.report))
    say(f"{path}: the tuned weights." if written else f"No weights were written; {model.name} serves as it is.")


def _merged(files: list[Path], made: SupportSet) -> SupportSet:
    from ..segmentation import SupportSet

    loaded = [SupportSet.load(file) for file in files]
    for earlier in reversed(loaded):
        made = earlier.merged(made)
    return made


def _describe(support: SupportSet) -> dict[str, Any]:
    return {
        "label_values": list(support.label_values),
        "label_names": {str(value): name for value, name in sorted(support.label_names.items())},
        "provenance": support.provenance,
        "examples": [
            {
                "source": example.source,
                "axis": example.axis,
                "index": example.index,
                "size": list(example.image.shape),
                "spacing_mm": list(example.spacing),
                "labels": list(example.label_values),
                "used": example.used,
                "complete": example.complete,
            }
            for example in support.examples
        ],
        "scans": [
            {
                "source": scan.source,
                "size": list(scan.image.geometry.size),
                "spacing_mm": list(scan.image.geometry.spacing),
                "labels": list(scan.label_values),
                "used": scan.used,
            }
            for scan in support.scans
        ],
    }


def _row(number: int, example: dict[str, Any]) -> tuple[str, ...]:
    place = "" if example["axis"] is None else f"{example['axis']}:{example['index']}"
    rows, cols = example["size"]
    row_mm, col_mm = example["spacing_mm"]
    return (
        example["source"] or str(number),
        place,
        f"{cols} x {rows}",
        f"{col_mm:.4g} x {row_mm:.4g}",
        ", ".join(str(value) for value in example["labels"]) or "none",
        "yes" if example["used"] else "no",
    )


def _draw(path: Path, support: SupportSet, title: str) -> None:
    from .common.pictures import draw_examples

    if not len(support):
        raise InputError("there is nothing to draw: the support set has no example.")
    draw_examples(
        path,
        [example.image for example in support.examples],
        [example.labels for example in support.examples],
        [f"{e.source} {e.axis}:{e.index}" if e.axis else e.source for e in support.examples],
        spacings=[example.spacing for example in support.examples],
        names=support.label_names,
        title=title,
    )


def _labels_in_words(support: SupportSet) -> str:
    values = support.label_values
    if not values:
        return "no labels"
    named = [
        f"{value} ({support.label_names[value]})" if value in support.label_names else str(value) for value in values
    ]
    return f"label{'s' if len(values) > 1 else ''} " + ", ".join(named)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
