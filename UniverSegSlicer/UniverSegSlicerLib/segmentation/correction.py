"""A corrected slice improves its neighbours, at the cost of a few slices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..imaging import IntensityWindow, Volume, slice_stack, take_slice
from ..progress import CancelToken, ProgressCallback
from .propagation.volume import propagate
from .settings import PropagationSettings
from .support.marks import same_grid_labels
from .support.set import SupportSet

if TYPE_CHECKING:
    from ..network import InContextModel


@dataclass(frozen=True, eq=False)
class Correction:
    """Slices that changed after a correction.

    Attributes:
        labels: (K, J, I) uint16, the whole label map.
        slices: (first, stop) of the slices that may differ from the label map that was given.
    """

    labels: np.ndarray
    slices: tuple[int, int]


def correct_neighbours(
    volume: Volume,
    labels: np.ndarray,
    axis: str,
    index: int,
    *,
    model: InContextModel,
    marked: Iterable[int] = (),
    reach: int = 5,
    label_values: Iterable[int] | None = None,
    support: SupportSet | None = None,
    settings: PropagationSettings | None = None,
    window: IntensityWindow | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Correction:
    """Predict the slices around a corrected one anew.

    The corrected slice, the marked ones within reach, and the old result where the reach ends are taken as marked; what
    lies between them is propagated from them. The shape that goes in between the corrected slice and its
    surroundings changes gradually.

    Args:
        volume: The image.
        labels: (K, J, I) the result so far, with the corrected slice in it.
        axis: Slice axis, "i", "j" or "k".
        index: The corrected slice.
        model: From ``load_model``.
        marked: Slices marked by hand; they are never changed.
        reach: Slices on either side that are predicted anew, at least 1; a marked slice ends the reach.
        label_values: Labels that were corrected; all by default. Other labels stay as they are, unless a corrected one
            takes their place.
        support: More examples.
        settings: As for ``propagate``; the slice range is set here, and ``axes`` is 1: so few slices show little
            from the side.
        window: Intensity window; that of the whole volume by default.
        progress: Called with the share done.
        cancel: Looked at after every chunk.

    Raises:
        GeometryError, InputError, Cancelled: As ``propagate``; also where the slice is outside the volume.
    """
    if reach < 1:
        raise InputError(f"reach is {reach}, at least 1 slice is needed.")
    given = same_grid_labels(labels, volume)
    take_slice(given, axis, index)
    stack = slice_stack(given, axis)
    fixed = sorted(set(marked) - {index})
    first = max([0, index - reach, *[n + 1 for n in fixed if n < index]])
    stop = min([len(stack), index + reach + 1, *[n for n in fixed if n > index]])
    anchors = sorted({index, *(n for n in (first - 1, stop) if 0 <= n < len(stack))})
    marks = np.zeros_like(given)
    slice_stack(marks, axis)[anchors] = stack[anchors]
    present = set(np.unique(stack[anchors]).tolist()) - {0}
    values = present if label_values is None else present & set(label_values)
    result = given.copy()
    if not values:
        # Nothing is left in the slice nor where the reach ends, so there is nothing between them either.
        gone = np.isin(stack[first:stop], list(label_values)) if label_values is not None else stack[first:stop] > 0
        slice_stack(result, axis)[first:stop] = np.where(gone, 0, stack[first:stop])
        return Correction(result, (first, stop))
    found = propagate(
        volume, marks, model=model, axis=axis, label_values=sorted(values), support=support, marked_indices=anchors,
        settings=replace(settings or PropagationSettings(), slice_range=(first, stop), keep_marked=True, axes=1),
        window=window, confidence=False, progress=progress, cancel=cancel,
    )  # fmt: skip
    mine = slice_stack(found.labels, axis)[first:stop]
    old = stack[first:stop]
    free = np.isin(old, sorted(values)) | (old == 0) if label_values is not None else np.ones(old.shape, bool)
    new = np.where(mine > 0, mine, np.where(free, 0, old))
    new[index - first] = stack[index]
    slice_stack(result, axis)[first:stop] = new
    return Correction(result, (first, stop))
