"""What the test files hold: pictures that differ from subject to subject, and masks of every declared label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.megamedical.declaration import Group, Label, LabelRule

Array = NDArray[Any]
Masks = dict[int, NDArray[np.bool_]]

#: mm between slices, rows and columns: three different values, so that exchanged axes show.
SPACING = (2.5, 1.25, 0.75)
VOLUME = (9, 12, 14)
PICTURE = (48, 64)
#: More than nine, so that slices in the order of their names as text are in the wrong order.
SLICES = 11
COLOURED = ("fundus", "H&E", "dermoscopy", "endoscopy", "fetoscopy", "light microscopy")


@dataclass(frozen=True)
class Truth:
    """What a reader must find: one image with its masks by label number.

    ``tolerance`` is the largest error of a grey value, more for files that lose some; ``row`` is how the name of a
    sample ends that shares its files with others.
    """

    group: str
    subject: str
    modality: str
    image: Array
    masks: Masks
    spacing: tuple[float, ...] = ()
    official_split: str = ""
    tolerance: float = 1e-3
    row: str = ""


@dataclass
class Tree:
    """A built tree: the truths, and the images that were planted without a label (relative paths)."""

    truths: list[Truth] = field(default_factory=list)
    unpaired: list[str] = field(default_factory=list)


def volume_image(seed: int, shape: tuple[int, ...] = VOLUME) -> Array:
    """Noise of 16 bits, other noise for every seed."""
    return np.random.default_rng(seed).integers(-900, 2000, shape).astype(np.int16)


def picture_image(seed: int, shape: tuple[int, int] = PICTURE) -> NDArray[np.uint8]:
    """A slope of 8 bits whose direction and height follow the seed, smooth enough to survive JPEG."""
    down, right, base = np.random.default_rng(seed).uniform(0.1, 1.0, 3)
    rows, cols = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    return np.rint(20 + 200 * (down * rows + right * cols + base) / 3).astype(np.uint8)


def coloured(group: Group) -> bool:
    """Whether the pictures of a group come in colour."""
    return isinstance(group.modality, str) and any(kind in group.modality for kind in COLOURED)


def colour_image(seed: int, shape: tuple[int, int] = PICTURE) -> NDArray[np.uint8]:
    """Three different slopes as red, green and blue."""
    return np.stack([picture_image(3 * seed + channel, shape) for channel in range(3)], axis=-1)


def grey_of(colours: Array) -> Array:
    """The luma of ITU-R 601, which Pillow and OpenCV use."""
    return colours[..., 0] * 0.299 + colours[..., 1] * 0.587 + colours[..., 2] * 0.114


def masks_of(group: Group, seed: int, shape: tuple[int, ...]) -> Masks:
    """A region for every label of every rater, no two alike, at places that follow the seed.

    Where the files can say so the labels overlap, and pictures have regions of 8 x 8 pixels for JPEG's sake.
    """
    rule = group.label
    block = (8, 8) if len(shape) == 2 else (1,) * len(shape)
    coarse = tuple(side // size for side, size in zip(shape, block, strict=True))
    count = int(np.prod(coarse))
    names = len(rule.names)
    size = count // (names + 1)
    masks: Masks = {}
    for position, label in enumerate(rule.labels):
        turn, place = divmod(position, names)
        flat = np.zeros(count, bool)
        flat[place * size : (place + 1) * size] = True
        if rule.encoding in ("classes", "channels", "rle") and not rule.raters:
            flat[names * size] = True  # a region that all labels share
        flat = np.roll(flat, 5 * seed + 3 * turn)
        masks[label.value] = np.kron(flat.reshape(coarse), np.ones(block, bool))
    _claim_background(rule, masks)
    return masks


def _claim_background(rule: LabelRule, masks: Masks) -> None:
    """Where a range begins at 0 there is no background: that label has every pixel that no other one has."""
    if rule.encoding != "ranges":
        return
    for label in rule.labels:
        if label.key.startswith("0.."):
            others = [mask for value, mask in masks.items() if value != label.value]
            masks[label.value] = ~np.any(others, axis=0)


def stored_map(rule: LabelRule, masks: Mapping[int, Array], rater: str, seed: int) -> Array:
    """One label file with all labels of a rater, in the values of the published files."""
    labels = [label for label in rule.labels if label.rater == rater]
    shape = next(iter(masks.values())).shape
    result = np.zeros(shape, np.int16)
    for label in labels:
        result[masks[label.value]] = stored_value(rule, label, seed)
    if rule.encoding == "nearest":
        result.flat[np.flatnonzero(result == 0)[0]] = 9  # a stray value, nearest to the background
    elif rule.ignore and rule.encoding == "values":
        result.flat[np.flatnonzero(result == 0)[0]] = int(rule.ignore[0])
    return result


def stored_value(rule: LabelRule, label: Label, seed: int) -> int:
    """The number that stands in the file for a label."""
    if rule.encoding in ("values", "nearest"):
        return int(label.key)
    if rule.encoding == "ranges":
        low, high = (int(part) for part in label.key.split(".."))
        return (low, high, (low + high) // 2)[seed % 3]
    if rule.encoding == "threshold":
        return 255
    # Sources disagree whether foreground is 1 or 255, and one set has 25.
    return (1, 255, 25)[seed % 3]
