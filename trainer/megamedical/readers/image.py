"""Reader ``image``: one picture per case (or per channel) and one label file, or one per class or rater."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.errors import GeometryError, InputError

from ..index import Case, Found
from ..sample import MaskPart, MultiHot, Sample
from . import masks
from .formats.arrays import VOLUME_SUFFIXES, RawArray, suffix_of
from .formats.loading import load_array
from .pictures import split_channels, to_grey


def read(case: Case) -> Iterator[Sample]:
    """Yield one sample per channel that has a modality (axes rows, cols)."""
    group = case.group
    multi_hot = None
    for channel, files in case.images.items():
        path = case.path(files[0])
        raw = load_picture(path, group.image_options)
        spacing = tuple(group.image_options.get("spacing", raw.spacing or (np.nan, np.nan)))
        for name, array in split_channels(raw.array, group.image_options, str(path)).items():
            modality = group.modality_of(name or channel)
            if modality is None:
                continue
            grey = to_grey(array, group.image_options, str(path))
            if multi_hot is None or multi_hot.shape != grey.shape:
                parts, notes = _labels(case, grey.shape)
                multi_hot = masks.collect(group.label, parts, grey.shape)
            yield sample_of(case, channel or name, modality, grey, spacing, multi_hot, notes)


def sample_of(
    case: Case,
    channel: str,
    modality: str,
    image: NDArray[Any],
    spacing: tuple[float, ...],
    multi_hot: MultiHot,
    notes: Sequence[str],
) -> Sample:
    """A sample named after its case and channel."""
    return Sample(
        dataset=case.dataset,
        group=case.group.name,
        name=case.name if not channel or case.name.split("/")[-1] == channel else f"{case.name}/{channel}",
        subject=case.subject,
        modality=modality,
        image=image,
        spacing=spacing,
        masks=multi_hot,
        official_split=case.official_split,
        notes=tuple(notes),
    )


def load_picture(path: Path, options: Mapping[str, Any]) -> RawArray:
    """A picture from any format as (rows, cols[, channels]); volumes of one slice count as pictures.

    Raises:
        InputError: A volume has more than one slice.
    """
    raw = load_array(path, options)
    array = raw.array
    if "transpose" in options:
        array = np.transpose(array, options["transpose"])
    if suffix_of(path) not in VOLUME_SUFFIXES:
        return RawArray(array, raw.spacing, raw.header)
    thin = [axis for axis in range(3) if array.shape[axis] == 1]
    if not thin:
        raise InputError(f"{path}: expected one slice, got a volume of the shape {array.shape}.")
    spacing = tuple(value for axis, value in enumerate(raw.spacing) if axis != thin[0])
    return RawArray(array.squeeze(axis=thin[0]), spacing, raw.header)


def _labels(case: Case, shape: tuple[int, ...]) -> tuple[list[MaskPart], list[str]]:
    rule = case.group.label

    def read(found: Found, turn: int) -> tuple[list[MaskPart], list[str]]:
        array: NDArray[np.generic] = load_picture(case.path(found), rule.options).array
        first = rule.encoding == "channels" and rule.options.get("channel_axis") == "first"
        if (array.shape[1:3] if first else array.shape[:2]) != shape:
            raise GeometryError(f"{found.path}: the label has the shape {array.shape}, its image has {shape}.")
        return masks.encode(rule, array, found.path, turn, 2, found.captures.get("class", ""))

    return masks.of_files(case, read)
