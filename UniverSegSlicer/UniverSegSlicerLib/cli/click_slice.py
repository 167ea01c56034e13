"""``universeg-slicer click``: one slice from clicks, with or without examples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ..diagnostics import run_log, volume_facts
from ..errors import InputError
from ..files import WRITABLE, WRITABLE_LABELS, check_grid, read_volume, write_label_map, write_volume
from ..files.label_maps import named_segments
from ..imaging import IntensityWindow, array_axis, slice_spacing, slice_stack, take_slice
from ..writing import all_or_none
from .common.console import notices, print_json, say
from .common.inputs import read_marks, size_in_words
from .common.network import NetworkChoice, choosing_network
from .common.options import ComponentOption, JsonOption, SeriesOption, SupportFileOption, naming_options
from .common.outputs import check_output
from .common.unused import unused_support
from .common.values import parse_point, parse_slice


@choosing_network
def click_slice(
    volume: Annotated[Path, typer.Argument(metavar="VOLUME", help="The volume, or a 2D image.")],
    labels: Annotated[
        Path | None,
        typer.Argument(
            metavar="LABELS",
            help="Label map with slices done so far: they serve as examples and stay as they are; "
            "what it holds on the clicked slice is corrected.",
        ),
    ] = None,
    *,
    place: Annotated[str, typer.Option("--slice", metavar="k:57", help="The slice: axis i, j or k, then its index.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.nii.gz", help="The label map to write, on the volume's grid.")
    ],
    series: SeriesOption = None,
    component: ComponentOption = None,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="I,J", help="A voxel inside the structure (I,K on a j slice, J,K on an i slice)."),
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="I,J", help="A voxel outside of it.")] = None,
    support: SupportFileOption = None,
    label: Annotated[int, typer.Option(min=1, max=65535, help="The label value to segment and to write.")] = 1,
    probability: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the probability, 0 to 1, 0 off the slice.")
    ] = None,
    network: NetworkChoice,
    as_json: JsonOption = False,
) -> None:
    """Segment one slice from clicks; --include and --exclude may be repeated.

    The output can be clicked on again, and serves `propagate` as LABELS.

    Example: universeg-slicer click brain.nii.gz --slice k:57 --include 98,120 --exclude 60,60 -o marks.nii.gz
    """
    from ..segmentation import SupportSet, click_segment

    inputs = (volume, support)
    check_output(output, WRITABLE_LABELS, inputs=inputs)
    check_output(probability, WRITABLE, inputs=(*inputs, labels), outputs=(output,))
    axis, index = parse_slice(place, "--slice")
    inside = [parse_point(point, axis, index, "--include") for point in include or []]
    outside = [parse_point(point, axis, index, "--exclude") for point in exclude or []]

    both = sorted(set(inside) & set(outside))
    if both:
        raise InputError(
            f"--include and --exclude both name the voxel {both[0][1]},{both[0][0]}; it is one of the two."
        )

    image = read_volume(volume, series=series, component=component)
    check_grid(output, image.geometry)
    run_log.note(**volume_facts(image.array.shape, image.geometry.spacing, image.array.dtype), axis=axis)
    with naming_options(index=f"--slice {place}"):
        pixels = take_slice(image.array, axis, index)
    for points, option in ((inside, "--include"), (outside, "--exclude")):
        for row, col in points:
            if row >= pixels.shape[0] or col >= pixels.shape[1]:
                raise InputError(
                    f"{option} {col},{row} is outside the slice {axis}:{index}, "
                    f"which has {size_in_words(pixels)} voxels."
                )
    window = IntensityWindow.of(image.array)
    given = None if labels is None else read_marks(labels, volume, image)
    marks = np.zeros(image.array.shape, np.uint16) if given is None else given.array.copy()
    prior = take_slice(marks, axis, index) == label
    done = [n for n, mask in enumerate(slice_stack(marks, axis) == label) if mask.any() and n != index]
    examples = SupportSet() if support is None else SupportSet.load(support)
    notices(() if support is None else unused_support(examples, support, label))
    if done:
        examples = SupportSet.from_volume(image, marks, axis, done, window=window, source=volume.name).merged(examples)
    result = click_segment(
        pixels,
        window=window,
        include=inside,
        exclude=outside,
        support=examples if len(examples) else None,
        label=label,
        index=index,
        model=network.open(),
        prior=prior if prior.any() else None,
        spacing=slice_spacing(image.geometry, axis),
    )
    target = take_slice(marks, axis, index)
    target[prior] = 0
    target[result.mask] = label
    chance = np.zeros(image.array.shape, np.float32)
    take_slice(chance, axis, index)[:] = result.probability
    with all_or_none(output, probability, endings=WRITABLE) as (out, certain):
        if out is not None:
            known = () if given is None else given.segments
            write_label_map(out, marks, image.geometry, segments=named_segments([label], {}, known))
        if certain is not None:
            write_volume(certain, chance, image.geometry)
    count = int(np.count_nonzero(result.mask))
    if as_json:
        print_json(
            {
                "output": str(output),
                "probability": None if probability is None else str(probability),
                "axis": axis,
                "slice": index,
                "label": label,
                "pixels": count,
                "examples": len(examples),
            }
        )
        return
    slices = image.array.shape[array_axis(axis)]
    say(f"{output}: label {label} on {count} pixels of slice {axis}:{index} (of {slices}).")
