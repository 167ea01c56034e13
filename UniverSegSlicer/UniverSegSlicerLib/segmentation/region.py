"""The part of the slices that the network looks at, so that its pixels go to the structure and not to air."""

from __future__ import annotations

import math

import numpy as np

from ..imaging import Box, SliceFrame
from .settings import PropagationSettings

# A structure of a few pixels shown over the whole square would be nothing but interpolation; the network has learnt on
# squares of at least a fifth of the slice.
_SMALLEST_SHARE = 0.2
# How much a region grows on a side where the segmentation touches it, as a share of the region.
_GROWTH = 0.5


def region_around(
    box: Box | None, shape: tuple[int, int], spacing: tuple[float, float], settings: PropagationSettings
) -> Box | None:
    """Grow the tight box of a structure by the margin of the settings; None (whole slices) where nothing is known.

    Args:
        box: Tight box of the structure over all slices in which it is known.
        shape: (rows, cols) of the slices.
        spacing: (row_mm, col_mm).
        settings: ``margin`` or ``margin_mm``.
    """
    if box is None:
        return None
    longest = max(box.shape[0] * spacing[0], box.shape[1] * spacing[1])
    margin = settings.margin * longest if settings.margin_mm is None else settings.margin_mm
    whole = max(shape[0] * spacing[0], shape[1] * spacing[1])
    margin = max(margin, (_SMALLEST_SHARE * whole - longest) / 2)
    # Three times the slice is as good as infinity, and a number.
    return box.grown(margin if math.isfinite(margin) else 3 * whole, spacing, shape)


def grown_where_touched(frame: SliceFrame, masks: np.ndarray) -> Box | None:
    """A larger region where a segmentation reaches the rim of the frame inside the slice; None where it does not.

    Args:
        frame: The frame of the segmentation.
        masks: (N, size, size) boolean, on the frame's square.
    """
    anywhere = masks.any(axis=0)
    box = frame.covered
    rows, cols = (max(1, math.ceil(_GROWTH * n)) for n in box.shape)
    rim = 2
    grow = [
        rows if anywhere[:rim].any() and box.row_start > 0 else 0,
        rows if anywhere[-rim:].any() and box.row_stop < frame.shape[0] else 0,
        cols if anywhere[:, :rim].any() and box.col_start > 0 else 0,
        cols if anywhere[:, -rim:].any() and box.col_stop < frame.shape[1] else 0,
    ]
    if not any(grow):
        return None
    return Box(
        max(0, box.row_start - grow[0]),
        min(frame.shape[0], box.row_stop + grow[1]),
        max(0, box.col_start - grow[2]),
        min(frame.shape[1], box.col_stop + grow[3]),
    )
