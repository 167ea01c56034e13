"""Many 2D images with one support set: the protocol of the UniverSeg paper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..imaging import Box, IntensityWindow, SliceFrame
from ..progress import CancelToken, ProgressCallback
from .cutoff import present_cutoff
from .looking import ScaledExamples, closer_frame
from .predictor import Meter, planes
from .settings import PropagationSettings
from .support.choice import Draw, draw_support
from .support.example import SupportExample
from .support.set import SupportSet

if TYPE_CHECKING:
    from ..network import InContextModel

# Images that are on the network's grid at once.
_BATCH = 64

# Below a probability of 0.02 everywhere there is nothing to look closer at.
_LEAST_SIGN = -3.9

#: Largest ``detail``: beyond it, memory and time grow and nothing is gained.
MOST_DETAIL = 4

#: Examples per draw by default: what the published network was trained with.
MOST_EXAMPLES = 64


def segment_images(
    images: Sequence[np.ndarray],
    support: SupportSet,
    model: InContextModel,
    *,
    label: int | None = None,
    ensemble: int = 1,
    support_size: int = MOST_EXAMPLES,
    seed: int = 0,
    flips: bool = False,
    spacings: Sequence[tuple[float, float]] | None = None,
    window: IntensityWindow | None = None,
    closer: bool = True,
    detail: int | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> list[np.ndarray]:
    """Segment one label in 2D images.

    Args:
        images: (rows, cols) each, any real dtype and any size.
        support: Examples.
        model: The network.
        label: Label of the examples; may be left out where they hold only one.
        ensemble: Number of random draws of the support set whose logits are averaged.
        support_size: Examples per draw, at most; 64 is what the published network was trained with.
        seed: Of the draws.
        flips: Also average over mirrored copies.
        spacings: (row_mm, col_mm) of each image; square pixels by default.
        window: Intensity window of all images; each image's own by default.
        closer: Look a second time at what whole images show small, cut out larger, and take the mean of both answers
            there. Twice the time at most; the paper's protocol does without.
        detail: The network is also shown so many times as many pixels a side as it was trained on, 1 to 4, in so much
            squared the time, and the mean of both answers is taken. None: as many as the examples have, up to what the
            network was trained for.
        progress: Called with the share done.
        cancel: Looked at after every chunk.

    Returns:
        Logits float32 (rows, cols) per image, at its own size; above 0 is the structure.

    Raises:
        InputError: No support, a label that is absent or not named, an image that is none, or a detail beyond its
            range; the message says which.
        Cancelled: The cancel token was raised.
    """
    label = _label(support, label)
    if detail is not None and not 1 <= detail <= MOST_DETAIL:
        raise InputError(f"detail is {detail}, expected 1 to {MOST_DETAIL}.", argument="detail")
    settings = PropagationSettings(
        strategy="independent", choice="random", support_size=support_size, ensemble=ensemble, seed=seed, flips=flips
    )
    shown = support.supporting(label)
    # Coarse and fine answers err in different places: their mean is better than either (docs/training.md).
    times = sorted({1, detail or _detail(shown, model)})
    scales = [ScaledExamples(shown, label, model, model.resolution * each) for each in times]
    draws = draw_support(scales[0].stack().places, None, settings)
    meter = Meter(progress, cancel, len(images) * len(scales) * len(draws) * (1 + flips))
    look = _Look(scales, draws, flips, meter)
    results: list[np.ndarray] = []
    for start in range(0, len(images), _BATCH):
        pictures = []
        for n, image in enumerate(images[start : start + _BATCH], start):
            array = np.asarray(image)
            if array.ndim != 2 or array.dtype.kind not in "biuf":
                raise InputError(f"image {n} has the shape {array.shape} and dtype {array.dtype}; (rows, cols) needed.")
            spacing = spacings[n] if spacings else (1.0, 1.0)
            pictures.append(_Picture(array, spacing, window or IntensityWindow.of(array)))
        found = look.whole(pictures)
        results.extend(look.closer(pictures, found) if closer else found)
    return results


@dataclass(frozen=True, eq=False)
class _Picture:
    """One image (rows, cols) with the size of its pixels, and the window it is seen through."""

    array: np.ndarray
    spacing: tuple[float, float]
    window: IntensityWindow

    @property
    def shape(self) -> tuple[int, int]:
        rows, cols = self.array.shape
        return rows, cols

    def seen_through(self, frame: SliceFrame) -> np.ndarray:
        return frame.to_network(self.array, window=self.window)


@dataclass(frozen=True, eq=False)
class _Look:
    """The network over pictures: whole, and then closer at what was found; each is the mean over all scales."""

    scales: Sequence[ScaledExamples]
    draws: Sequence[Draw]
    flips: bool
    meter: Meter

    def whole(self, pictures: Sequence[_Picture]) -> list[np.ndarray]:
        """Logits of each picture, at its own size."""
        return _means(
            self._predict(
                examples, pictures, [SliceFrame.fit(one.shape, one.spacing, size=examples.side) for one in pictures]
            )
            for examples in self.scales
        )

    def closer(self, pictures: Sequence[_Picture], found: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The same after a second look at what was found small; pictures of one scale go together."""
        results = list(found)
        groups: dict[float, dict[int, Box]] = {}
        for n, (picture, logits) in enumerate(zip(pictures, found, strict=True)):
            box = _present_box(logits)
            share = None if box is None else self.scales[0].share_for(box, picture.shape, picture.spacing)
            if box is not None and share is not None:
                groups.setdefault(share, {})[n] = box
        looks = sum(len(boxes) for boxes in groups.values()) * len(self.scales)
        self.meter.expect(looks * len(self.draws) * (1 + self.flips))
        for share, boxes in groups.items():
            seen = [pictures[n] for n in boxes]
            frames = [
                [
                    closer_frame(box, share, one.shape, one.spacing, examples.side)
                    for box, one in zip(boxes.values(), seen, strict=True)
                ]
                for examples in self.scales
            ]
            answers = _means(
                self._predict(examples, seen, own, share) for examples, own in zip(self.scales, frames, strict=True)
            )
            for n, logits, finest in zip(boxes, answers, frames[-1], strict=True):
                part = finest.covered.slices
                results[n] = results[n].copy()
                results[n][part] = (results[n][part] + logits[part]) / 2
        return results

    def _predict(
        self,
        examples: ScaledExamples,
        pictures: Sequence[_Picture],
        frames: Sequence[SliceFrame],
        share: float | None = None,
    ) -> list[np.ndarray]:
        queries = planes(np.stack([one.seen_through(frame) for one, frame in zip(pictures, frames, strict=True)]))
        logits, _ = examples.stack(share).predict(
            queries, self.draws, flips=self.flips, meter=self.meter, message="images"
        )
        return [frame.from_network(one) for frame, one in zip(frames, logits, strict=True)]


def _means(answers: Iterable[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """The mean of several answers to the same pictures, picture by picture."""
    return [np.mean(np.stack(same), axis=0) for same in zip(*answers, strict=True)]


def _detail(examples: Sequence[SupportExample], model: InContextModel) -> int:
    """How much finer than it was trained on a network is shown examples: by their own pixels, as far as it was
    trained for."""
    sides = [max(example.image.shape) for example in examples]
    return int(np.clip(round(float(np.median(sides)) / model.resolution), 1, model.finest)) if sides else 1


def _present_box(logits: np.ndarray) -> Box | None:
    """Where an image that shows the structure has it; None where nothing speaks for it."""
    if logits.max() < _LEAST_SIGN:
        return None
    return Box.around(logits > present_cutoff(logits))


def _label(support: SupportSet, label: int | None) -> int:
    present = support.label_values
    if not present:
        raise InputError("the support set holds no label; at least one labelled image is needed.")
    if label is None:
        if len(present) > 1:
            raise InputError(
                f"the support set holds the labels {', '.join(map(str, present))}; say which one is meant."
            )
        return present[0]
    if label not in present:
        raise InputError(f"label {label} is absent; the support set holds {', '.join(map(str, present))}.")
    return label
