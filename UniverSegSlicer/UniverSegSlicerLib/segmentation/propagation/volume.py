"""From a few marked slices, or from a support set alone, to a segmented volume."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...imaging import IntensityWindow, Volume, array_axis, slice_stack
from ...processors import leave_busy_processors, one_blas_thread
from ...progress import CancelToken, ProgressCallback, sub_progress
from ..predictor import PRIOR_CHANNELS, Meter
from ..prepared import PreparedSupport
from ..settings import PropagationSettings
from ..support.marks import find_marked_slices, known_masks, same_grid_labels
from ..support.set import SupportSet
from .axes import agreed
from .compose import LabelResult, compose
from .label_run import LabelRun
from .laid_over import ask_atlas, nothing_found
from .parts import remove_detached
from .ranking import Outlook, SliceSuggestion, rank_slices
from .task import VolumeSlices

if TYPE_CHECKING:
    from ...network import InContextModel


# Share of the progress in which labelled scans are laid over the volume.
_LAID_OVER = 0.5


@dataclass(frozen=True, eq=False)
class Propagation:
    """A segmented volume.

    Attributes:
        labels: (K, J, I) uint16 on the volume's grid.
        confidence: (K, J, I) float32 in [0, 1], 1 on marked slices; None where it was not asked for.
        axis: The slice axis.
        marked: The slices that were marked.
        next_slices: Unmarked slices worth marking next, best first.
        strategy: The strategy that was used ("auto" resolved).
        seconds: Time taken.
        device: Where the network computed.
        model: Name of the model.
        removed: Label value to voxels of detached parts that were removed; see ``keep_detached`` of the settings.
        warnings: What the user should know, one sentence each: labelled scans that were left out, and why.
        credibility: How alike the labelled scans that count are to the volume, 0 to 1; None where there are none.
        agreement: Label value to the mean Dice of the result with what each labelled scan says by itself, for the
            labels that labelled scans speak about.
        borne_out: Label value to the Dice, 0 to 1, of each marked slice with what the other marks make of it; the
            outermost marks, whose neighbours lie on one side only, and other strategies than "guided" have none.
    """

    labels: np.ndarray
    confidence: np.ndarray | None
    axis: str
    marked: tuple[int, ...]
    next_slices: list[SliceSuggestion]
    strategy: str
    seconds: float
    device: str
    model: str
    removed: dict[int, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    credibility: float | None = None
    agreement: dict[int, float] = field(default_factory=dict)
    borne_out: dict[int, dict[int, float]] = field(default_factory=dict)


def resolve_strategy(strategy: str, model: InContextModel) -> str:
    """The strategy that a model will follow.

    Raises:
        InputError: "prior" with a model that has no prior plane.
    """
    has_prior = model.query_channels >= PRIOR_CHANNELS
    if strategy == "auto":
        return "guided"
    if strategy == "prior" and not has_prior:
        raise InputError(
            f"the strategy 'prior' needs a model with a prior plane, and {model.name} has {model.query_channels} query "
            "channel(s) instead of four; use the default model, or the strategy 'cascade' or 'independent'."
        )
    return strategy


@one_blas_thread()
def propagate(
    volume: Volume,
    marks: np.ndarray | None,
    *,
    model: InContextModel,
    axis: str = "auto",
    label_values: Iterable[int] | None = None,
    support: SupportSet | None = None,
    marked_indices: Iterable[int] | None = None,
    settings: PropagationSettings | None = None,
    window: IntensityWindow | None = None,
    confidence: bool = True,
    prepared: PreparedSupport | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Propagation:
    """Segment a volume from marked slices, from a support set, or from both.

    Nothing that is passed in is changed. The same arguments give the same result.

    Args:
        volume: The image, any real dtype; NaN and infinite voxels are allowed.
        marks: (K, J, I) label map with only the marked slices filled; None without marks.
        model: From ``load_model``.
        axis: "i", "j", "k", or "auto": from the marks, else from the support set, else "k".
        label_values: The labels to segment; all that marks and support set hold by default. Other labels in the marks
            are ignored.
        support: More examples, from other volumes or pictures. Whole scans among them are laid over the volume, unless
            a strategy other than "guided" is asked for.
        marked_indices: The marked slices along the axis, where slices without any label are marked as well: on them,
            and on the others, a label that is not there is known to be absent. Without it, so is a label whose place
            others take on the next marked slice beyond its own.
        settings: How to go about it; the defaults if None.
        window: Intensity window; that of the whole volume by default.
        confidence: Whether to return the confidence map.
        prepared: Of the same support and model, where many volumes share them.
        progress: Called with the share done.
        cancel: Looked at after every chunk of slices.

    Returns:
        The label map with its confidence, on exactly the volume's grid.

    Raises:
        GeometryError: The marks have another shape than the volume.
        InputError: Nothing is marked and there is no support; a label is absent; the axis cannot be told; a slice is
            outside the volume; the model cannot do the strategy.
        Cancelled: The cancel token was raised.

    Example:
        >>> result = propagate(volume, marks, model=load_model())  # doctest: +SKIP
        >>> write_label_map("out.nii.gz", result.labels, volume.geometry)  # doctest: +SKIP
    """
    begin = time.perf_counter()
    leave_busy_processors()
    settings = settings or PropagationSettings()
    strategy = resolve_strategy(settings.strategy, model)
    support = support or SupportSet()
    given = None if marks is None else same_grid_labels(marks, volume)
    values = _label_values(given, support, label_values)
    axis, marked = _marked(given, values, support, axis=axis, indices=marked_indices, shape=volume.array.shape)
    kept = None if given is None else _only(slice_stack(given, axis)[list(marked)], values)
    count = volume.array.shape[array_axis(axis)]
    wanted = _wanted(count, marked, settings)

    window = window or IntensityWindow.of(volume.array)
    slices = VolumeSlices(volume, axis, window)
    atlas = None
    if strategy == "guided" and any(scan.used for scan in support.scans):
        atlas = ask_atlas(
            volume, support, values, window=window, progress=sub_progress(progress, 0.0, _LAID_OVER), cancel=cancel
        )
        progress = sub_progress(progress, _LAID_OVER, 1.0)
    passes = len(wanted) + (0 if settings.keep_marked else len(marked))
    # The last part of the progress is the way back to the volume's grid.
    ready = 0.95 / settings.axes
    total = len(values) * passes * settings.repeats_of(strategy)
    meter = Meter(sub_progress(progress, 0.0, ready), cancel, total)
    complete = marked_indices is not None
    known = [{} if kept is None else known_masks(value, marked, kept, complete) for value in values]
    results = []
    for value, masks in zip(values, known, strict=True):
        if atlas is not None and value in atlas.silent and not any(mask.any() for mask in masks.values()):
            results.append(nothing_found(slices, value))
            continue
        says = None if atlas is None else atlas.says.get(value)
        run = LabelRun(slices, value, masks, wanted, support, model, strategy, settings, meter, atlas=says,
                       prepared=prepared)  # fmt: skip
        results.append(run.run())
    borne_out = {result.value: result.found.agreement for result in results if result.found.agreement}
    labels = np.zeros(volume.array.shape, np.uint16)
    certain = np.ones(volume.array.shape, np.float32) if confidence else None
    stack = slice_stack(labels, axis)
    certain_stack = None if certain is None else slice_stack(certain, axis)
    fill = wanted if settings.keep_marked else np.union1d(wanted, _in_range(np.array(marked, int), settings))
    if settings.keep_marked and kept is not None:
        stack[list(marked)] = kept
    if settings.axes > 1 and len(fill):
        compose(results, fill, stack, None)
        results = agreed(
            results, labels, [[n for n in marked if n not in masks] for masks in known], slices=slices, model=model,
            strategy=strategy, settings=settings, progress=sub_progress(progress, ready, 0.95), cancel=cancel,
        )  # fmt: skip
    compose(results, fill, stack, certain_stack)
    removed = {}
    if not settings.keep_detached:
        removed = remove_detached(stack, certain_stack, dict(zip(values, known, strict=True)), fill)
    outlooks = [_outlook(result, wanted, masks) for result, masks in zip(results, known, strict=True)]
    if progress is not None:
        progress(1.0, "done")
    return Propagation(
        labels,
        certain,
        axis,
        marked,
        rank_slices(outlooks, marked),
        strategy,
        time.perf_counter() - begin,
        str(model.device),
        model.name,
        removed,
        () if atlas is None else atlas.warnings,
        None if atlas is None else atlas.credibility,
        {} if atlas is None else {value: said.agreement(volume, labels) for value, said in atlas.says.items()},
        borne_out,
    )


def _outlook(result: LabelResult, wanted: np.ndarray, masks: Mapping[int, np.ndarray]) -> Outlook:
    """What is expected of a label, for the next marks; ``masks`` are the known ones by slice number."""
    row_mm, col_mm = result.frame.spacing
    pixel = result.frame.pixel_mm**2 / (row_mm * col_mm)
    return Outlook.of(result.found, wanted, {n: bool(mask.any()) for n, mask in masks.items()}, pixel)


def values_in(labels: np.ndarray) -> tuple[int, ...]:
    """The label values of a uint16 array, rising, without background; without a sorted copy of a large volume."""
    seen = np.zeros(np.iinfo(np.uint16).max + 1, bool)
    for part in labels:
        seen[part.ravel()] = True
    return tuple(int(v) for v in np.flatnonzero(seen) if v)


def _label_values(marks: np.ndarray | None, support: SupportSet, wanted: Iterable[int] | None) -> tuple[int, ...]:
    present = sorted(set(() if marks is None else values_in(marks)) | set(support.label_values))
    if not present:
        where = "the label map holds no label" if marks is not None else "there are no marks"
        raise InputError(f"no slice is marked ({where}) and there is no support set with labels to go by.")
    if wanted is None:
        return tuple(present)
    values = tuple(dict.fromkeys(int(v) for v in wanted))
    absent = [v for v in values if v not in present]
    if absent or not values:
        named = f"label {absent[0]} is absent" if absent else "no label was asked for"
        raise InputError(
            f"{named}; marks and support set hold {', '.join(map(str, present))}.", argument="label_values"
        )
    return values


def _only(labels: np.ndarray, values: Sequence[int]) -> np.ndarray:
    return np.where(np.isin(labels, values), labels, 0).astype(np.uint16)


def _marked(
    marks: np.ndarray | None,
    values: Sequence[int],
    support: SupportSet,
    *,
    axis: str,
    indices: Iterable[int] | None,
    shape: tuple[int, ...],
) -> tuple[str, tuple[int, ...]]:
    """The slice axis, and the marked slices along it."""
    requested = None
    if marks is not None:
        requested = marks if values == values_in(marks) else _only(marks, values)
    if indices is not None:
        if requested is None:
            raise InputError("marked slices are named, and there are no marks on them.", argument="marked_indices")
        if axis == "auto":
            axis = find_marked_slices(requested, axis).axis
        chosen = tuple(sorted({int(n) for n in indices}))
        count = shape[array_axis(axis)]
        if not chosen or chosen[0] < 0 or chosen[-1] >= count:
            named = ", ".join(str(n) for n in chosen) or "none"
            raise InputError(
                f"{named} are not all slices of the volume, which has {axis}:0 to {axis}:{count - 1}.",
                argument="marked_indices",
            )
        return axis, chosen
    if requested is not None and requested.any():
        found = find_marked_slices(requested, axis)
        return found.axis, found.indices
    if axis == "auto":
        axis = support.axis
    array_axis(axis)
    return axis, ()


def _in_range(indices: np.ndarray, settings: PropagationSettings) -> np.ndarray:
    if settings.slice_range is None:
        return indices
    first, stop = settings.slice_range
    return indices[(indices >= first) & (indices < stop)]


def _wanted(count: int, marked: Sequence[int], settings: PropagationSettings) -> np.ndarray:
    if settings.slice_range is not None and settings.slice_range[1] > count:
        first, stop = settings.slice_range
        raise InputError(
            f"slices {first} to {stop - 1} are not all in the volume, whose slices are 0 to {count - 1}.",
            argument="slice_range",
        )
    return np.setdiff1d(_in_range(np.arange(count), settings), np.array(marked, int))
