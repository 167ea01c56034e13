"""The network side of clicking on one slice: arrays only, on the worker thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...imaging import IntensityWindow, Volume, slice_spacing, take_slice
from ...progress import CancelToken
from ...segmentation import ClickResult, ClickSession, SupportSet
from ..interface import ClickState, RunOptions
from ..running.models import ModelCache
from ..support.examples import SliceExamples

if TYPE_CHECKING:
    from ...network import InContextModel

#: The label that examples of the clicked segment have.
LABEL = 1


class ClickEngine:
    """The network side of clicking on one slice; used on the worker thread, arrays only.

    Args:
        models: Gives the model.
        options: Model and device.
        volume: The image.
        axis: Slice axis.
        index: The slice.
        here: Marked slices of the volume, label 1; None without any.
        stored: Examples from files, label 1.
        pairs: Examples from other volumes, label 1.
    """

    def __init__(
        self,
        models: ModelCache,
        options: RunOptions,
        volume: Volume,
        axis: str,
        index: int,
        here: SliceExamples | None,
        stored: SupportSet,
        pairs: tuple[SliceExamples, ...],
    ) -> None:
        self._models = models
        self._options = options
        self._volume = volume
        self._axis = axis
        self._index = index
        self._here = here
        self._stored = stored
        self._pairs = pairs
        self._ready: tuple[ClickSession, np.ndarray] | None = None

    def prepare(self) -> tuple[ClickSession, np.ndarray]:
        """Load the model, encode the examples, and cut the slice out; done once."""
        if self._ready is None:
            model = self._models.get(self._options.model, self._options.device)
            window = IntensityWindow.of(self._volume.array)
            support = self._stored
            if self._here is not None:
                support = self._here.support(window).merged(support)
            for pair in self._pairs:
                support = support.merged(pair.support())
            pixels = take_slice(self._volume.array, self._axis, self._index)
            session = _session(model, pixels.shape, slice_spacing(self._volume.geometry, self._axis), support)
            session.prepare()
            self._ready = session, window.apply(pixels)
        return self._ready

    def answer(self, clicks: ClickState, prior: np.ndarray | None, cancel: CancelToken) -> ClickResult:
        """The mask that the clicks ask for, (rows, cols)."""
        session, image = self.prepare()
        return session.segment(
            image, include=clicks.include, exclude=clicks.exclude, prior=prior, index=self._index, cancel=cancel
        )


def _session(
    model: InContextModel, shape: tuple[int, ...], spacing: tuple[float, float], support: SupportSet
) -> ClickSession:
    usable = support if LABEL in support.label_values else SupportSet()
    return ClickSession(model, shape=(shape[0], shape[1]), spacing=spacing, support=usable, label=LABEL)
