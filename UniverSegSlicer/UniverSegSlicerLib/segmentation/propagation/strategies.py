"""The ways in which one label spreads through the slices. Every strategy is a value of one kind, and stands here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .guided import following
from .plain import cascade, independent, predict_marked
from .prior import predict_marked as predict_marked_with_prior
from .prior import prior_guided
from .task import LabelLogits, LabelTask


def not_smoothed(_task: LabelTask) -> float:
    """The slices stand for themselves."""
    return 0.0


def smoothed_in_full(_task: LabelTask) -> float:
    """Whatever the structure."""
    return 1.0


@dataclass(frozen=True)
class Strategy:
    """A way from the marked slices to the others.

    Attributes:
        spread: From the task to the logits of all its slices.
        predict_marked: Enters what the strategy makes of the marked slices themselves, for those who ask for it.
        side: Side in pixels of the square that it works on, and more where the settings ask for detail; None for the
            network's own square.
        smoothing: How much of the settings' smoothing along the slices it bears for a task, 0 to 1.
        takes_prior: Whether slices can be predicted anew from an answer that is there. Without marks, a second look
            at the region of the first answer does so; and so do the tiles of a structure that is large.
    """

    spread: Callable[[LabelTask], LabelLogits]
    predict_marked: Callable[[LabelTask, LabelLogits], None] = predict_marked
    side: int | None = None
    smoothing: Callable[[LabelTask], float] = not_smoothed
    takes_prior: bool = False


STRATEGIES: dict[str, Strategy] = {
    "independent": Strategy(independent),
    "cascade": Strategy(cascade),
    "prior": Strategy(prior_guided, predict_marked_with_prior, smoothing=smoothed_in_full, takes_prior=True),
    "guided": Strategy(
        following.guided, following.predict_marked, side=following.WORKING_SIZE, smoothing=following.smoothing_share
    ),
}
