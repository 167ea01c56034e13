"""Pictures for people: slices of some samples with their labels drawn over them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill, shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.writing import replacing

from .declaration import IntensityRule
from .sample import Sample
from .standardize.intensity import to_unit
from .standardize.slices import ChosenSlice, take_image, take_masks

#: Distinct on grey, also for people who confuse red and green (Okabe and Ito).
_COLOURS = np.array(
    [(230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167)]
)
_COLUMNS = 4
#: Letters of a caption that fit above a picture.
_LETTERS = 34


def draw_contact_sheet(samples: Sequence[tuple[Sample, IntensityRule]], path: str | Path, title: str = "") -> Path:
    """Draw every sample plain and with its labels in colour, and write a PNG.

    A volume shows the slice (along its first axis) with the most labelled pixels.

    Raises:
        InputError: There is no sample.
        OutputError: The file cannot be written.
    """
    if not samples:
        raise InputError("There is no sample to draw: no case could be read.")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = -(-len(samples) // _COLUMNS)
    figure, axes = pyplot.subplots(
        rows, 2 * _COLUMNS, figsize=(4.4 * _COLUMNS, 2.9 * rows + 0.5), squeeze=False, layout="constrained"
    )
    figure.suptitle(title)
    for axis in axes.ravel():
        axis.set_axis_off()
    for index, (sample, rule) in enumerate(samples):
        row, column = divmod(index, _COLUMNS)
        plain, overlay, shown, ratio = _views(sample, rule)
        for offset, picture in enumerate((plain, overlay)):
            axis = axes[row, 2 * column + offset]
            axis.imshow(picture, cmap="gray", vmin=0, vmax=1, aspect=ratio, interpolation="nearest")
        names = ", ".join(sample.masks.labels[position].name for position in shown)
        for offset, text in enumerate((f"{sample.name} | {sample.modality}", names or "no label")):
            lines = fill(shorten(text, 3 * _LETTERS, placeholder=" ..."), _LETTERS, max_lines=3, placeholder=" ...")
            axes[row, 2 * column + offset].set_title(lines, fontsize=7, loc="left")
    path = Path(path)
    try:
        with replacing(path) as beside:
            figure.savefig(beside, dpi=110, format="png")
    finally:
        pyplot.close(figure)
    return path


def _views(sample: Sample, rule: IntensityRule) -> tuple[NDArray[Any], NDArray[Any], list[int], float]:
    index = 0
    if sample.image.ndim == 3:
        totals = sample.masks.areas(0).sum(axis=0)
        index = int(totals.argmax()) if totals.any() else sample.image.shape[0] // 2
    chosen = ChosenSlice(0, index, False, frozenset())
    grey = np.asarray(take_image(to_unit(sample.image, rule), chosen))
    masks = take_masks(sample, chosen)
    overlay = np.repeat(grey[..., None], 3, axis=-1)
    # Large labels first, so that small ones stay visible on top.
    for position in sorted(masks, key=lambda p: -np.count_nonzero(masks[p])):
        overlay[masks[position]] = 0.45 * overlay[masks[position]] + 0.55 * _COLOURS[position % len(_COLOURS)] / 255
    spacing = sample.spacing[-2:]
    ratio = float(spacing[0] / spacing[1]) if np.isfinite(spacing).all() and min(spacing) > 0 else 1.0
    return grey, overlay, list(masks), ratio
