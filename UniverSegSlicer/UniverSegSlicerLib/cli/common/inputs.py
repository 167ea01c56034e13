"""Files that several subcommands read: marks on a volume's grid, pictures with their label maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import GeometryError, InputError
from ...files import LabelMap, onto_grid, read_label_map, read_layers
from ...files.label_maps import one_map
from ...files.pictures import read_label_picture, read_picture
from ...imaging import Volume
from .console import notice, say
from .folders import pair_by_stem
from .options import Axis, naming_options
from .values import parse_numbers

if TYPE_CHECKING:
    from ...segmentation import SupportSet


def read_marks(labels: Path, volume: Path, image: Volume) -> LabelMap:
    """The marks of a label-map file, brought onto the volume's grid where its voxels are those of the volume.

    Raises:
        GeometryError: They are not; the message says which field differs.
    """
    return place_marks(read_label_map(labels, onto=image.geometry), labels, volume, image)


def read_mark_layers(labels: Path, volume: Path, image: Volume, output: Path) -> list[LabelMap]:
    """The marks as one label map, or as layers where they overlap and the output can hold that."""
    layers = read_layers(labels, onto=image.geometry)
    whole = one_map(layers)
    if whole is None and not output.name.lower().endswith((".seg.nrrd", ".dcm")):
        names = ", ".join(segment.name for layer in layers for segment in layer.segments)
        raise InputError(
            f"{labels} has segments that overlap, in {len(layers)} layers ({names}), which {output} cannot hold: write "
            "OUT.seg.nrrd, or export the segments as a label map."
        )
    placed = place_marks(whole or layers[0], labels, volume, image)
    if whole is not None:
        return [placed]
    return [placed, *(onto_grid(layer, image.geometry)[0] for layer in layers[1:])]


def place_marks(marks: LabelMap, labels: Path, volume: Path, image: Volume) -> LabelMap:
    """Marks that were read from a file on the volume's grid, with a line where they had to be moved."""
    try:
        placed, done = onto_grid(marks, image.geometry)
    except GeometryError as error:
        raise GeometryError(
            f"{labels} is not on the grid of {volume}: {error}; resample the label map onto the volume."
        ) from error
    if done is not None:
        notice(f"{labels} {done}.")
    return placed


def examples_of_volume(
    path: Path,
    image: Volume,
    marks: LabelMap,
    axis: Axis,
    slices: str | None,
    *,
    names: dict[int, str],
    slices_only: bool,
    complete: bool = False,
) -> tuple[SupportSet, bool]:
    """The examples of a volume, and whether its label map is complete (looks so, or is said to be) and taken whole."""
    from ...segmentation import SupportSet, is_complete

    indices = parse_numbers(slices, "--slices")
    given: dict[str, Any] = {"label_names": marks.names | names, "source": path.name}
    if complete and indices is not None:
        raise InputError("--complete takes every slice of LABELS and --slices a few; give one of them.")
    whole = indices is None and (complete or is_complete(marks.array))
    with naming_options(axis="--axis, --slices", index=f"--slices {slices}"):
        if not whole:
            return SupportSet.from_volume(image, marks.array, axis.value, indices, **given), False
        made = SupportSet.from_scan(image, marks.array, axis.value, keep_scan=not slices_only, sure=True, **given)
    if axis is Axis.auto:
        say(f"The label map is complete; its slices are taken along {made.examples[0].axis}.")
    return made, True


def read_pairs(images: Path, labels: Path, names: dict[int, str] | None = None) -> SupportSet:
    """The support set of a folder of 2D images and a folder of their label maps."""
    from ...segmentation import SupportSet

    pairs = pair_by_stem(images, labels)
    pictures, masks = [], []
    for _, image, label in pairs:
        pictures.append(read_picture(image))
        masks.append(read_label_picture(label))
        if pictures[-1].shape != masks[-1].shape:
            raise InputError(
                f"{image} has {size_in_words(pictures[-1])} pixels and {label} has {size_in_words(masks[-1])}; "
                "a label map has the size of its image."
            )
    stems = [stem for stem, _, _ in pairs]
    return SupportSet.from_pairs(pictures, masks, sources=stems, label_names=names, provenance=str(images))


def size_in_words(pixels: np.ndarray) -> str:
    """Columns and rows of an array (rows, cols[, channels])."""
    return f"{pixels.shape[1]} x {pixels.shape[0]}"
