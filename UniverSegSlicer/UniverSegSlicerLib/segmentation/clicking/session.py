"""Click to segment: one slice, a few positive and negative clicks, an answer at once."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...imaging import Box, IntensityWindow, SliceFrame, are_lengths
from ...progress import CancelToken
from ..predictor import CLICK_CHANNELS, PRIOR_CHANNELS, Meter, SupportStack, planes, probability
from ..region import region_around
from ..settings import PropagationSettings
from ..support.choice import draw_support
from ..support.example import SupportExample
from ..support.planes import example_frame, planes_through
from ..support.set import SupportSet

if TYPE_CHECKING:
    from ...network import InContextModel

#: A click, (row, col) in pixels of the slice; whole numbers are pixel centres.
Point = tuple[float, float]

# A closer look pays where it shows the structure at least this much larger.
_CLOSER = 0.67
# Sizes of a region between one and its double, and places along its side.
_SIZES, _PLACES = 4, 8
# Frames whose examples stay encoded: the whole slice, and a region that grew now and then.
_FRAMES = 4


@dataclass(frozen=True, eq=False)
class ClickResult:
    """The answer to the clicks.

    Attributes:
        mask: Boolean (rows, cols).
        probability: float32 (rows, cols) in [0, 1]; give it back as the prior of the next click.
        seconds: Time taken.
    """

    mask: np.ndarray
    probability: np.ndarray
    seconds: float


class ClickSession:
    """Everything that can be done before the click: the frame and the encoded examples.

    One session serves all slices of a volume along one axis. It is not changed by a click, so a result depends on its
    arguments alone.

    Args:
        model: A model with click planes.
        shape: (rows, cols) of the slices.
        spacing: (row_mm, col_mm).
        support: Examples of the structure; none are needed.
        label: The label of the examples that is meant.
        box: Region to look at, for instance around the marks of the volume; by default what the clicks, the prior and a
            first look at the whole slice suggest.
        settings: Support size, choice, margin, flips and seed.

    Raises:
        InputError: The model has no click planes, the label is absent, or the spacing is none.

    Example:
        >>> session = ClickSession(model, shape=(512, 512), spacing=(0.7, 0.7))  # doctest: +SKIP
        >>> result = session.segment(window.apply(slice_57), include=[(200, 310)])  # doctest: +SKIP
    """

    def __init__(
        self,
        model: InContextModel,
        *,
        shape: tuple[int, int],
        spacing: tuple[float, float] = (1.0, 1.0),
        support: SupportSet | None = None,
        label: int = 1,
        box: Box | None = None,
        settings: PropagationSettings | None = None,
    ) -> None:
        if model.query_channels < CLICK_CHANNELS:
            raise InputError(
                f"{model.name} has {model.query_channels} query channel(s) and cannot read clicks; use a model with "
                "click planes, such as the default one."
            )
        if not are_lengths(spacing):
            raise InputError(f"pixel spacing {tuple(spacing)} mm is not two positive numbers.")
        self.model = model
        self.shape = (int(shape[0]), int(shape[1]))
        self.spacing = (float(spacing[0]), float(spacing[1]))
        self.settings = settings or PropagationSettings()
        self.label = label
        self._examples = () if support is None else support.supporting(label)
        self._box = box
        self._stacks: dict[SliceFrame, SupportStack] = {}
        if support is not None and not self._examples and len(support):
            raise InputError(f"label {label} is absent from the support set, which holds {support.label_values}.")

    def prepare(self) -> None:
        """Encode the examples for the first look now, so that the first click does not wait for it."""
        frame = SliceFrame.fit(self.shape, self.spacing, self._box, self.model.resolution)
        stack = self._stack(frame)
        stack.encoded(draw_support(stack.places, None, self.settings)[0])

    def segment(
        self,
        image: np.ndarray,
        *,
        include: Sequence[Point] = (),
        exclude: Sequence[Point] = (),
        prior: np.ndarray | None = None,
        index: int | None = None,
        cancel: CancelToken | None = None,
    ) -> ClickResult:
        """Segment the slice.

        Args:
            image: (rows, cols) in [0, 1], through the window of its volume.
            include: Clicks on the structure.
            exclude: Clicks beside it.
            prior: (rows, cols) probability or mask that is to be corrected, such as the last answer.
            index: Slice number, for the choice of the nearest examples.
            cancel: Looked at before every pass of the network.

        Raises:
            InputError: Shapes that differ, clicks outside the slice, or nothing to go by: no click, no example, no
                prior.
        """
        begin = time.perf_counter()
        image = np.asarray(image, dtype=np.float32)
        if image.shape != self.shape:
            raise InputError(f"the slice has the shape {image.shape}, the session was made for {self.shape}.")
        prior = self._checked_prior(prior)
        clicks = [self._checked(point) for point in (*include, *exclude)]
        if not include and not self._examples and prior is None:
            raise InputError(
                "there is nothing to go by: click on the structure at least once (clicks outside of it correct a mask "
                "or what examples say)."
            )
        meter = Meter(None, cancel, 2)

        def look(frame: SliceFrame, guess: np.ndarray | None) -> np.ndarray:
            meter.advance(0, "")
            queries = planes(
                frame.to_network(image)[None],
                include=_click_plane(frame, include),
                exclude=_click_plane(frame, exclude),
                prior=None if guess is None else frame.to_network(guess)[None],
            )
            stack = self._stack(frame)
            draws = draw_support(stack.places, index, self.settings)
            logits, _ = stack.predict(queries, draws, flips=self.settings.flips, meter=meter)
            return frame.from_network(logits[0])

        frame = self._frame(self._box or self._region(clicks, prior), clicks)
        logits = look(frame, prior)
        if self._box is None and self.model.query_channels >= PRIOR_CHANNELS:
            closer = self._frame(self._region(clicks, logits > 0), clicks)
            if closer.side_mm <= _CLOSER * frame.side_mm:
                logits = look(closer, probability(logits))
        chance = probability(logits)
        # The mask is that of the probability, in which a logit next to nothing is rounded to one half.
        return ClickResult(chance > 0.5, chance, time.perf_counter() - begin)

    def _stack(self, frame: SliceFrame) -> SupportStack:
        if frame not in self._stacks:
            size = frame.size
            whole = frame == SliceFrame.fit(self.shape, self.spacing, size=size)
            region = None if whole else self.settings
            frames = [
                frame if self._same_grid(example) else example_frame(example, self.label, size, region)
                for example in self._examples
            ]
            images, masks = planes_through(frames, self._examples, self.label, size)
            places = [np.nan if example.index is None else float(example.index) for example in self._examples]
            while len(self._stacks) >= _FRAMES:
                self._stacks.pop(next(iter(self._stacks)))
            self._stacks[frame] = SupportStack(self.model, images, masks, np.array(places))
        return self._stacks[frame]

    def _same_grid(self, example: SupportExample) -> bool:
        return example.image.shape == self.shape and bool(np.allclose(example.spacing, self.spacing))

    def _frame(self, box: Box | None, clicks: Sequence[Point]) -> SliceFrame:
        if box is not None:
            for row, col in clicks:  # the square must show every click
                r, c = round(row), round(col)
                box = box.union(Box(r, r + 1, c, c + 1))
            if self._box is None:
                return self._snapped(SliceFrame.fit(self.shape, self.spacing, box, self.model.resolution))
        return SliceFrame.fit(self.shape, self.spacing, box, self.model.resolution)

    def _snapped(self, frame: SliceFrame) -> SliceFrame:
        """A square of few sizes and places that holds this one: a click more, and the examples are encoded already."""
        whole = SliceFrame.fit(self.shape, self.spacing, size=frame.size)
        step = math.floor(_SIZES * math.log2(whole.side_mm / (frame.side_mm * (1 + 1 / _PLACES))))
        if step <= 0:
            return whole
        side = whole.side_mm * 2 ** (-step / _SIZES)
        grid = side / _PLACES
        centre = [round((start + frame.side_mm / 2) / grid) * grid for start in frame.start_mm]
        return SliceFrame.around(self.shape, self.spacing, (centre[0], centre[1]), side, frame.size)

    def _region(self, clicks: Sequence[Point], mask: np.ndarray | None) -> Box | None:
        """A region around a mask and the clicks; None where there is no mask to go by."""
        tight = None if mask is None else Box.around(mask >= 0.5)
        if tight is None:
            return None
        for row, col in clicks:
            r, c = round(row), round(col)
            tight = tight.union(Box(r, r + 1, c, c + 1))
        return region_around(tight, self.shape, self.spacing, self.settings)

    def _checked(self, point: Point) -> Point:
        row, col = (float(x) for x in point)
        if not (-0.5 <= row <= self.shape[0] - 0.5 and -0.5 <= col <= self.shape[1] - 0.5):
            raise InputError(f"the click {point} (row, col) is outside the slice of {self.shape} pixels.")
        return min(max(row, 0.0), self.shape[0] - 1.0), min(max(col, 0.0), self.shape[1] - 1.0)

    def _checked_prior(self, prior: np.ndarray | None) -> np.ndarray | None:
        if prior is None:
            return None
        prior = np.asarray(prior, dtype=np.float32)
        if prior.shape != self.shape:
            raise InputError(f"the prior has the shape {prior.shape}, the slice {self.shape}.")
        if not (np.isfinite(prior).all() and prior.min() >= 0 and prior.max() <= 1):
            raise InputError("the prior has values outside [0, 1].")
        if self.model.query_channels < PRIOR_CHANNELS:
            return None  # clicks and examples say enough for such a model
        return prior if prior.any() else None


def click_segment(
    image_slice: np.ndarray,
    *,
    include: Sequence[Point] = (),
    exclude: Sequence[Point] = (),
    model: InContextModel,
    support: SupportSet | None = None,
    label: int = 1,
    prior: np.ndarray | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    window: IntensityWindow | None = None,
    index: int | None = None,
    settings: PropagationSettings | None = None,
) -> ClickResult:
    """Segment one slice from clicks; :class:`ClickSession` does the same for many clicks, faster.

    Args:
        image_slice: (rows, cols), any real dtype.
        include: Clicks (row, col) on the structure.
        exclude: Clicks beside it.
        model: A model with click planes.
        support: Examples of the structure; none are needed.
        label: The label of the examples that is meant.
        prior: (rows, cols) probability or mask to correct.
        spacing: (row_mm, col_mm).
        window: Of the volume that the slice belongs to; by default that of the slice alone.
        index: Slice number, for the choice of the nearest examples.
        settings: Support size, choice, margin, flips and seed.

    Raises:
        InputError: As :class:`ClickSession` and its ``segment``.

    Example:
        >>> click_segment(image, include=[(120, 80)], model=load_model()).mask.sum()  # doctest: +SKIP
        1034
    """
    image = np.asarray(image_slice)
    if image.ndim != 2 or image.dtype.kind not in "biuf":
        raise InputError(f"the slice has the shape {image.shape} and dtype {image.dtype}; (rows, cols) are needed.")
    window = window or IntensityWindow.of(image)
    session = ClickSession(
        model, shape=(image.shape[0], image.shape[1]), spacing=spacing, support=support, label=label, settings=settings
    )
    return session.segment(window.apply(image), include=include, exclude=exclude, prior=prior, index=index)


def _click_plane(frame: SliceFrame, points: Sequence[Point]) -> np.ndarray | None:
    """One plane (1, size, size) with a single pixel of 1 per click, as the network has learnt them."""
    if not points:
        return None
    plane = np.zeros((1, frame.size, frame.size), np.float32)
    for row, col in points:
        r, c = (min(max(round(x), 0), frame.size - 1) for x in frame.point_to_network(row, col))
        plane[0, r, c] = 1.0
    return plane
