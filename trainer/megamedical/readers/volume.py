"""Reader ``volume``: one file per channel (or one 4D file) and one label file, or one per class or rater."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.errors import GeometryError, InputError

from ..index import Case, Found
from ..sample import MaskPart, Sample
from . import masks
from .formats.arrays import RawArray
from .formats.loading import load_array
from .image import sample_of
from .pictures import split_channels


def read(case: Case) -> Iterator[Sample]:
    """Yield one sample per channel that has a modality, all with the same labels (axes K, J, I)."""
    group = case.group
    first_channel = next(iter(case.images.values()))
    reference = load_array(case.path(first_channel[0]), group.image_options)
    shape = reference.array.shape[:3]
    parts, notes = _labels(case, reference, shape)
    multi_hot = masks.collect(group.label, parts, shape)
    for channel, files in case.images.items():
        path = case.path(files[0])
        raw = reference if files is first_channel else load_array(path, group.image_options)
        if raw.array.shape[:3] != shape:
            raise GeometryError(f"{path}: the channel has the shape {raw.array.shape}, the first one has {shape}.")
        if raw.array.ndim == 4 and "channel_axis" not in group.image_options:
            raise InputError(f"{path}: four axes {raw.array.shape}; declare image options channel_axis and channels.")
        for name, array in split_channels(raw.array, group.image_options, str(path)).items():
            modality = group.modality_of(name or channel)
            if modality is not None:
                spacing = tuple(group.image_options.get("spacing", raw.spacing))
                yield sample_of(case, channel or name, modality, array, spacing, multi_hot, notes)


def _labels(case: Case, reference: RawArray, shape: tuple[int, ...]) -> tuple[list[MaskPart], list[str]]:
    rule = case.group.label
    # A label that is turned while its image is not would land on another grid.
    options = {"orient": case.group.image_options.get("orient", True), **rule.options}

    def read(found: Found, turn: int) -> tuple[list[MaskPart], list[str]]:
        raw = load_array(case.path(found), options)
        if raw.array.shape[:3] != shape:
            raise GeometryError(f"{found.path}: the label has the shape {raw.array.shape}, its image has {shape}.")
        array: NDArray[np.generic] = raw.array
        parts, said = masks.encode(rule, array, found.path, turn, 3, found.captures.get("class", ""))
        return parts, [*_header_note(found.path, raw, reference), *said]

    return masks.of_files(case, read)


def _header_note(path: str, label: RawArray, image: RawArray) -> list[str]:
    ours, theirs = image.header.get("affine"), label.header.get("affine")
    if ours is None or theirs is None:
        return []
    # A tenth of a voxel: less is rounding in the header.
    if np.abs(ours - theirs).max() <= 0.1 * min(image.spacing):
        return []
    return [f"{path}: the header of the label differs from its image; the grid of the image is used"]
