"""A second, closer look: what whole slices show small is shown larger, and the examples at the same scale.

A structure of a few pixels is hardly anything to a network of 128 pixels a side, and one that is shown larger than in
the examples is another structure. So the second look and its examples share one scale, taken from both; few scales are
there, because the examples are encoded once for each. Measured: docs/training.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..imaging import Box, SliceFrame
from .predictor import SupportStack
from .support.example import SupportExample
from .support.planes import example_planes, planes_through

if TYPE_CHECKING:
    from ..network import InContextModel

#: Sides of a closer look, as shares of the whole slice. The network has learnt on squares of at least a fifth of
#: the slice; beyond three quarters there is nothing to gain.
SHARES = (0.2, 0.26, 0.34, 0.44, 0.58, 0.75)
# Side of a closer look, by the longer side of the structure.
_ROOM = 1.5
# Around a structure that is larger than its look there is still so much.
_LEAST_ROOM = 1.2


def shown_share(box: Box, shape: tuple[int, int], spacing: tuple[float, float]) -> float:
    """The longer side of a box, as a share of the longer side of the slice (both in mm)."""
    return _longest(box.shape, spacing) / _longest(shape, spacing)


class ScaledExamples:
    """The examples of a label at the scales of whole slices and of closer looks, encoded once for each scale.

    Args:
        examples: Slices or pictures that say something about the label.
        label: The label value.
        model: The network.
        side: Side in pixels of the squares that it is shown; None for that which it was trained on.
    """

    def __init__(
        self, examples: Sequence[SupportExample], label: int, model: InContextModel, side: int | None = None
    ) -> None:
        self._examples, self._label, self._model = tuple(examples), label, model
        self.side = side or model.resolution
        self._boxes = [Box.around(example.labels == label) for example in examples]
        self._stacks: dict[float | None, SupportStack] = {}

    def stack(self, share: float | None = None) -> SupportStack:
        """The examples on the network's grid: squares of a share of the slice around the structure, or whole slices."""
        if share not in self._stacks:
            size = self.side
            if share is None:
                images, masks = example_planes(self._examples, self._label, size, None)
            else:
                images, masks = planes_through(self._frames(share), self._examples, self._label, size)
            places = np.full(len(self._examples), np.nan)
            self._stacks[share] = SupportStack(self._model, images, masks, places)
        return self._stacks[share]

    def share_for(self, box: Box, shape: tuple[int, int], spacing: tuple[float, float]) -> float | None:
        """The scale of a closer look at a structure; None where whole slices show it large enough.

        Args:
            box: Where the first look found it.
            shape: (rows, cols) of the slice.
            spacing: (row_mm, col_mm) of its pixels.
        """
        drawn = [
            shown_share(own, example.image.shape, example.spacing)
            for own, example in zip(self._boxes, self._examples, strict=True)
            if own is not None
        ]
        if not drawn:
            return None
        wanted = _ROOM * max(float(np.median(drawn)), shown_share(box, shape, spacing))
        return next((share for share in SHARES if share >= wanted), None)

    def _frames(self, share: float) -> list[SliceFrame]:
        known = [
            _relative_centre(box, example.image.shape)
            for box, example in zip(self._boxes, self._examples, strict=True)
            if box is not None
        ]
        # An example without the structure shows where the others have it.
        usual = np.mean(known, axis=0)
        frames = []
        for box, example in zip(self._boxes, self._examples, strict=True):
            shape, spacing = example.image.shape, example.spacing
            side, centre = share * _longest(shape, spacing), usual
            if box is not None:
                side = max(side, _LEAST_ROOM * _longest(box.shape, spacing))
                centre = _relative_centre(box, shape)
            place = (centre[0] * shape[0] * spacing[0], centre[1] * shape[1] * spacing[1])
            frames.append(SliceFrame.around(shape, spacing, place, side, self.side))
        return frames


def closer_frame(box: Box, share: float, shape: tuple[int, int], spacing: tuple[float, float], size: int) -> SliceFrame:
    """The square of a closer look: a share of the slice's longer side, around a box in pixels of the slice."""
    centre = ((box.row_start + box.row_stop) / 2 * spacing[0], (box.col_start + box.col_stop) / 2 * spacing[1])
    return SliceFrame.around(shape, spacing, centre, share * _longest(shape, spacing), size)


def slice_box(box: Box, frame: SliceFrame) -> Box:
    """A box of network pixels of a frame as a box of the slice's pixels."""
    start = [int(np.floor(x)) for x in frame.point_from_network(box.row_start - 0.5, box.col_start - 0.5)]
    stop = [int(np.ceil(x)) + 1 for x in frame.point_from_network(box.row_stop - 0.5, box.col_stop - 0.5)]
    rows, cols = frame.shape
    return Box(max(0, start[0]), min(rows, stop[0]), max(0, start[1]), min(cols, stop[1]))


def _longest(shape: tuple[int, ...], spacing: tuple[float, float]) -> float:
    return max(shape[0] * spacing[0], shape[1] * spacing[1])


def _relative_centre(box: Box, shape: tuple[int, ...]) -> tuple[float, float]:
    return (box.row_start + box.row_stop) / 2 / shape[0], (box.col_start + box.col_stop) / 2 / shape[1]
