"""From label files to binary masks: the encodings of a declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.errors import InputError

from ..declaration import LabelRule
from ..index import Case, Found
from ..sample import MaskPart, MultiHot
from .formats.arrays import in_colour


def encode(
    rule: LabelRule, array: NDArray[np.generic], where: str, turn: int = 0, dims: int = 2, key: str = ""
) -> tuple[list[MaskPart], list[str]]:
    """Make mask parts of one label array (every encoding but rle and polygons).

    Args:
        rule: The label rule of the group.
        array: Label map; with a last axis of colours or channels where the encoding says so.
        where: Name of the file for messages.
        turn: Which rater's labels these are.
        dims: 2 for pictures, 3 for volumes; one axis more than that holds colours or channels.
        key: The class of this file, for the encoding classes.

    Returns:
        The parts and notes for the user (values or classes that the declaration does not name).

    Raises:
        InputError: The array has a shape or values that the encoding cannot explain.
    """
    if rule.encoding == "classes":
        return _class_file(rule, array, key, where, turn, dims)
    return _whole_file(rule, array, where, turn, dims)


def _whole_file(
    rule: LabelRule, array: NDArray[np.generic], where: str, turn: int, dims: int
) -> tuple[list[MaskPart], list[str]]:
    names = list(rule.names)
    offset = turn * len(names)
    if rule.encoding == "channels":
        return _channels(rule, np.asarray(array), where, offset), []
    if rule.encoding == "colours":
        return _colours(rule, in_colour(array), where, offset)
    if rule.encoding in ("threshold", "ranges", "nearest"):
        # These speak of grey values, which a palette picture keeps in its palette.
        array = in_colour(array)
    values = _inverted(single_channel(np.asarray(array), rule, where, dims), rule)
    if rule.encoding in ("nonzero", "threshold"):
        return [_binary(values > rule.threshold if rule.encoding == "threshold" else values != 0, offset)], []
    if rule.encoding == "ranges":
        return _ranges(rule, values, where, offset)
    integers = as_integers(values, where)
    numbers = [int(name) for name in names]
    positions = {number: offset + place for place, number in enumerate(numbers)}
    if rule.encoding == "nearest":
        centres = np.array(sorted({0, *numbers}))
        borders = (centres[1:] + centres[:-1]) / 2
        snapped = centres[np.searchsorted(borders, integers, side="right")]
        return [MaskPart(compact(snapped), positions)], []
    known = {*numbers, *rule.background, *(int(v) for v in rule.ignore)}
    extra = [int(v) for v in np.unique(integers) if int(v) not in known]
    notes = [f"{where}: label values that the declaration does not name: {_listed(extra)}"] if extra else []
    return [MaskPart(compact(integers), positions)], notes


def _class_file(
    rule: LabelRule, array: NDArray[np.generic], key: str, where: str, turn: int, dims: int
) -> tuple[list[MaskPart], list[str]]:
    names = [name.casefold() for name in rule.names]
    if key.casefold() not in names:
        known = {text.casefold() for text in rule.ignore}
        return [], [] if key.casefold() in known else [f"{where}: the declaration does not name the class {key!r}"]
    values = _inverted(single_channel(np.asarray(array), rule, where, dims), rule)
    return [_binary(values != 0, turn * len(names) + names.index(key.casefold()))], []


def collect(rule: LabelRule, parts: Sequence[MaskPart], shape: tuple[int, ...]) -> MultiHot:
    """All parts of a sample together."""
    return MultiHot(rule.labels, tuple(parts), shape)


def of_files(
    case: Case, read: Callable[[Found, int], tuple[list[MaskPart], list[str]]]
) -> tuple[list[MaskPart], list[str]]:
    """The masks of all label files of a case, and notes.

    Args:
        case: Files of raters that do not count are passed over.
        read: From a label file and its rater's turn to its masks and notes.
    """
    parts: list[MaskPart] = []
    notes: list[str] = []
    for found in case.labels:
        turn = rater_turn(case.group.label, found.captures.get("rater"), found.path)
        if turn is None:
            continue
        new, said = read(found, turn)
        parts.extend(new)
        notes.extend(said)
    return parts, notes


def rater_turn(rule: LabelRule, caught: str | None, where: str) -> int | None:
    """Which rater a file belongs to; None when the declaration leaves this rater out."""
    if not rule.raters:
        return 0
    if caught is None:
        raise InputError(f"{where}: the declaration lists raters, but the pattern caught none.")
    keys = [key.casefold() for key in rule.raters]
    return keys.index(caught.casefold()) if caught.casefold() in keys else None


def as_integers(values: NDArray[np.generic], where: str) -> NDArray[np.integer]:
    """A label map as integers; floats must be whole numbers."""
    if values.dtype.kind in "iu":
        return values
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind != "f":
        raise InputError(f"{where}: labels of the type {values.dtype} cannot be read.")
    finite = np.nan_to_num(values.astype(np.float64), nan=0.0)
    rounded = np.rint(finite)
    if np.abs(finite - rounded).max(initial=0.0) > 1e-3:
        raise InputError(f"{where}: the label map has fractions, so it was interpolated or is not a label map.")
    return rounded.astype(np.int64)


def compact(values: NDArray[np.integer]) -> NDArray[np.integer]:
    """The same integers in the smallest unsigned type (signed when there are negative ones)."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if low < 0:
        return values.astype(np.int32)
    return values.astype(np.uint8 if high < 256 else np.uint16 if high < 65536 else np.int32)


def single_channel(array: NDArray[np.generic], rule: LabelRule, where: str, dims: int = 2) -> NDArray[np.generic]:
    """A mask that was saved in colour, as one channel.

    The option ``grey`` picks the channel; without it the channels must be equal, or any of them counts for binary
    encodings.
    """
    if array.ndim == dims:
        return array
    if array.ndim == dims + 1 and array.shape[-1] == 1:
        return array[..., 0]
    if array.ndim != dims + 1 or array.shape[-1] > 4:
        raise InputError(f"{where}: the mask has the shape {array.shape}, {dims} axes (and colours) were expected.")
    grey = rule.options.get("grey")
    if isinstance(grey, int):
        return array[..., grey]
    colours = array[..., :3]
    if grey == "max" or rule.encoding in ("nonzero", "threshold", "classes"):
        return colours.max(axis=-1)
    if grey == "mean":
        return np.rint(colours.mean(axis=-1)).astype(np.int64)
    if all(np.array_equal(colours[..., 0], colours[..., c]) for c in range(1, colours.shape[-1])):
        return colours[..., 0]
    raise InputError(
        f"{where}: the mask is in colour; declare the encoding colours, or the label option grey with a channel number."
    )


def _inverted(values: NDArray[np.generic], rule: LabelRule) -> NDArray[np.generic]:
    if not rule.options.get("inverted", False):
        return values
    if values.dtype == bool:
        return ~values
    top = 255 if values.max(initial=0) > 1 else 1
    return top - values.astype(np.int64)


def _binary(mask: NDArray[np.bool_], position: int) -> MaskPart:
    return MaskPart(mask.astype(np.uint8), {1: position})


def _channels(rule: LabelRule, array: NDArray[np.generic], where: str, offset: int) -> list[MaskPart]:
    axis = 0 if rule.options.get("channel_axis") == "first" else -1
    channels = [int(key) for key in rule.names]
    if array.ndim < 3 or array.shape[axis] <= max(channels):
        raise InputError(f"{where}: the labels have the shape {array.shape}, the channel {max(channels)} is missing.")
    return [_binary(np.take(array, c, axis=axis) != 0, offset + place) for place, c in enumerate(channels)]


def _colours(rule: LabelRule, array: NDArray[np.generic], where: str, offset: int) -> tuple[list[MaskPart], list[str]]:
    if array.ndim < 3 or array.shape[-1] < 3:
        raise InputError(f"{where}: the encoding colours needs three channels, the mask has the shape {array.shape}.")
    code = np.zeros(array.shape[:-1], np.int64)
    for channel in range(3):
        code = code * 256 + array[..., channel].astype(np.int64)
    result = np.zeros(code.shape, np.uint8 if len(rule.names) < 255 else np.uint16)
    numbers = [_colour_code(key) for key in rule.names]
    for place, number in enumerate(numbers, start=1):
        result[code == number] = place
    known = {0, *numbers, *(_colour_code(key) for key in rule.ignore)}
    extra = [f"{v >> 16},{v >> 8 & 255},{v & 255}" for v in np.unique(code).tolist() if v not in known]
    notes = [f"{where}: colours that the declaration does not name: {_listed(extra)}"] if extra else []
    return [MaskPart(result, {place: offset + place - 1 for place in range(1, len(numbers) + 1)})], notes


def _colour_code(key: str) -> int:
    red, green, blue = (int(part) for part in key.split(","))
    return (red * 256 + green) * 256 + blue


def _ranges(rule: LabelRule, values: NDArray[np.generic], where: str, offset: int) -> tuple[list[MaskPart], list[str]]:
    result = np.zeros(values.shape, np.uint8)
    for place, key in enumerate(rule.names, start=1):
        low, high = (int(part) for part in key.split(".."))
        result[(values >= low) & (values <= high)] = place
    rest = values[result == 0]
    known = {*rule.background, *(int(v) for v in rule.ignore)}
    extra = [int(v) for v in np.unique(rest) if int(v) not in known]
    notes = [f"{where}: label values outside all ranges: {_listed(extra)}"] if extra else []
    return [MaskPart(result, {place: offset + place - 1 for place in range(1, len(rule.names) + 1)})], notes


def _listed(values: Iterable[object], limit: int = 12) -> str:
    texts = [str(value) for value in values]
    return ", ".join(texts[:limit]) + (f" and {len(texts) - limit} more" if len(texts) > limit else "")
