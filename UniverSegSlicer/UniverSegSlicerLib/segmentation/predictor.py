"""The network with a support set: draws, mirrored copies and their mean, within one chunk of a cancellation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..network import QUERY_PLANES
from ..progress import CancelToken, ProgressCallback
from .support.choice import Draw

if TYPE_CHECKING:
    from ..network import EncodedSupport, InContextModel

#: Query channels of a model that reads clicks, and of one that also has the prior plane.
CLICK_CHANNELS = QUERY_PLANES.index("negative clicks") + 1
PRIOR_CHANNELS = QUERY_PLANES.index("prior mask") + 1

# Queries between two reports of progress: about a second of work. The network cuts them further to its memory.
_BATCH_CPU = 16
_BATCH_ACCELERATOR = 128


class Meter:
    """Progress of a known number of network passes, and the place where a cancellation is noticed.

    Args:
        progress: Told the share of passes done; never goes back.
        cancel: Looked at after every chunk.
        total: Expected number of passes (a bound is enough).
    """

    def __init__(self, progress: ProgressCallback | None, cancel: CancelToken | None, total: int) -> None:
        self.cancel = cancel
        self._progress = progress
        self._total = max(1, total)
        self._done = 0
        self._shown = 0.0

    def advance(self, passes: int, message: str) -> None:
        """Count passes as done; raise Cancelled where that was asked for."""
        self.check()
        self._done += passes
        if self._progress is not None:
            self._shown = max(self._shown, min(1.0, self._done / self._total))
            self._progress(self._shown, message)

    def check(self) -> None:
        """Raise Cancelled where that was asked for."""
        if self.cancel is not None:
            self.cancel.raise_if_cancelled()

    def expect(self, passes: int) -> None:
        """Add passes that were not foreseen."""
        self._total += passes


class SupportStack:
    """Examples on the network's grid, each draw of them encoded once.

    Args:
        model: The network.
        images: (S, size, size) float32 in [0, 1].
        masks: (S, size, size) float32 in [0, 1].
        places: (S,) slice numbers along the query's axis, NaN for examples from elsewhere.
        keep: Encoded draws to keep (a draw in use is kept in any case).
    """

    def __init__(
        self, model: InContextModel, images: np.ndarray, masks: np.ndarray, places: np.ndarray, keep: int = 4
    ) -> None:
        self.model = model
        self.images = images
        self.masks = masks
        self.places = np.asarray(places, dtype=float)
        self._keep = keep
        self._encoded: dict[tuple[Draw, bool], EncodedSupport] = {}

    def __len__(self) -> int:
        return len(self.images)

    def encoded(self, draw: Draw, mirrored: bool = False) -> EncodedSupport:
        """The examples of a draw, encoded."""
        key = (draw, mirrored)
        if key not in self._encoded:
            while len(self._encoded) >= self._keep:
                self._encoded.pop(next(iter(self._encoded)))
            images, masks = self.images[list(draw)], self.masks[list(draw)]
            if mirrored:
                images, masks = images[..., ::-1].copy(), masks[..., ::-1].copy()
            self._encoded[key] = self.model.encode_support(images[:, None], masks[:, None])
        return self._encoded[key]

    def with_examples(self, images: np.ndarray, masks: np.ndarray, places: Sequence[float]) -> SupportStack:
        """A new stack with more examples."""
        return SupportStack(
            self.model,
            np.concatenate([self.images, images]),
            np.concatenate([self.masks, masks]),
            np.concatenate([self.places, places]),
            self._keep,
        )

    def predict(
        self, queries: np.ndarray, draws: Sequence[Draw], *, flips: bool, meter: Meter, message: str = ""
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Mean logits over the draws, and how much the draws disagree.

        Args:
            queries: (N, Q, size, size) planes of the queries.
            draws: One or more draws of examples.
            flips: Whether each draw is also taken on mirrored copies.
            meter: Counts N passes per draw and flip.
            message: Shown with the progress.

        Returns:
            Logits (N, size, size) float32, and the standard deviation of the probabilities, same shape, or None where
            there was only one pass.
        """
        logits = np.zeros((len(queries), *queries.shape[-2:]), np.float32)
        passes = [(draw, mirrored) for draw in draws for mirrored in ((False, True) if flips else (False,))]
        if len(passes) == 1:
            return self._pass(queries, *passes[0], meter, message), None
        total, squares = np.zeros_like(logits), np.zeros_like(logits)
        for draw, mirrored in passes:
            one = self._pass(queries, draw, mirrored, meter, message)
            logits += one
            chance = probability(one)
            total += chance
            squares += chance**2
        count = len(passes)
        spread = np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0))
        return logits / count, spread

    def _pass(self, queries: np.ndarray, draw: Draw, mirrored: bool, meter: Meter, message: str) -> np.ndarray:
        support = self.encoded(draw, mirrored)
        parts = []
        batch = _BATCH_CPU if str(self.model.device).startswith("cpu") else _BATCH_ACCELERATOR
        for start in range(0, len(queries), batch):
            part = queries[start : start + batch]
            planes = part[..., ::-1].copy() if mirrored else part
            answer = self.model.predict(planes, support, cancel=meter.cancel)
            found = np.asarray(answer, dtype=np.float32)[:, 0]
            parts.append(found[..., ::-1] if mirrored else found)
            meter.advance(len(part), message)
        return np.concatenate(parts)


def probability(logits: np.ndarray) -> np.ndarray:
    """The logistic function, float32, without overflow."""
    return (0.5 * (1 + np.tanh(0.5 * np.asarray(logits, dtype=np.float32)))).astype(np.float32)


def logit(chance: np.ndarray, largest: float) -> np.ndarray:
    """The inverse of :func:`probability`, float32, bounded to ±``largest``."""
    low = float(probability(np.float32(-largest)))
    bounded = np.clip(np.asarray(chance, dtype=np.float32), low, 1 - low)
    return np.log(bounded / (1 - bounded)).astype(np.float32)


def planes(
    images: np.ndarray,
    *,
    prior: np.ndarray | None = None,
    include: np.ndarray | None = None,
    exclude: np.ndarray | None = None,
) -> np.ndarray:
    """Stack the query planes (N, Q, size, size) in the network's order; planes after the last given one are left out.

    Args:
        images: (N, size, size).
        prior: Probability that neighbours or an earlier answer suggest, same shape.
        include: Positive clicks, same shape.
        exclude: Negative clicks, same shape.
    """
    nothing = np.zeros_like(images)
    given = [images, include, exclude, prior]
    while given[-1] is None:
        given.pop()
    return np.stack([nothing if plane is None else plane for plane in given], axis=1).astype(np.float32, copy=False)
