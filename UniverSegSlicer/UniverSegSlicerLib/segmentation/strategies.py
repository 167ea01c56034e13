"""How one label spreads through the slices, on the network's grid. Every strategy is a function of the same kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from ..imaging import OUTSIDE_LOGIT, Box
from .choice import Draw, draw_support
from .predictor import Meter, SupportStack, logit, planes, probability
from .settings import PropagationSettings
from .shapes import gap_and_rest, shapes_between, signed_distance, soft_mask


@dataclass(frozen=True, eq=False)
class LabelTask:
    """One label of one volume on the network's grid.

    Attributes:
        images: (N, size, size) float32 in [0, 1], all slices along the axis.
        marks: Slice number to soft mask (size, size), for every slice on which the label is known (it may be empty).
        wanted: Rising numbers of the slices to predict.
        support: The examples; those from this volume have a place.
        settings: How to go about it.
        meter: Progress and cancellation.
        shown: The part of the square that shows the slice; nothing is ever found in the padding around it.
        step: Distance between neighbouring slices, in pixels of the square.
        name: For the progress message.
        seen: (N, r, r) the same slices on the network's own grid, where that is another one; only "guided" knows two.
    """

    images: np.ndarray
    marks: dict[int, np.ndarray]
    wanted: np.ndarray
    support: SupportStack
    settings: PropagationSettings
    meter: Meter
    shown: Box
    step: float = 1.0
    name: str = ""
    seen: np.ndarray | None = None


@dataclass(eq=False)
class LabelLogits:
    """What came out for one label.

    Attributes:
        logits: (N, size, size).
        spread: Standard deviation of the probabilities between passes, same shape; None after single passes.
        doubt: Slice number to what was taken from all logits of a slice, because the structure may have ended.
    """

    logits: np.ndarray
    spread: np.ndarray | None = None
    doubt: dict[int, float] = field(default_factory=dict)

    @classmethod
    def background(cls, task: LabelTask) -> LabelLogits:
        """Certain background in all slices but the marked ones, which are what was marked."""
        logits = np.full(task.images.shape, OUTSIDE_LOGIT, np.float32)
        for index, mask in task.marks.items():
            logits[index] = np.where(mask >= 0.5, -OUTSIDE_LOGIT, OUTSIDE_LOGIT)
        return cls(logits)

    def put(self, indices: np.ndarray, logits: np.ndarray, spread: np.ndarray | None) -> None:
        """Enter the result of some slices."""
        self.logits[indices] = logits
        if spread is not None:
            if self.spread is None:
                self.spread = np.zeros(self.logits.shape, np.float32)
            self.spread[indices] = spread


Strategy = Callable[[LabelTask], LabelLogits]


def independent(task: LabelTask) -> LabelLogits:
    """Predict every slice on its own from the examples (Butoi et al. 2023)."""
    result = LabelLogits.background(task)
    predict_slices(task, result, task.wanted)
    return result


def cascade(task: LabelTask) -> LabelLogits:
    """Go outwards from the marked slices; each accepted slice joins the examples (arXiv 2412.13299).

    The support of a slice stays bounded: the nearest examples, marked or accepted, up to the settings' support size.
    """
    known = sorted(task.marks)
    if not known:
        return independent(task)
    result = LabelLogits.background(task)
    distance = np.abs(task.wanted[:, None] - np.array(known)).min(axis=1)
    support = task.support
    for step in np.unique(distance):
        ring = task.wanted[distance == step]
        predict_slices(task, result, ring, support=support)
        accepted = (result.logits[ring] > 0).astype(np.float32)
        good = accepted.any(axis=(1, 2))
        if good.any():
            support = support.with_examples(task.images[ring[good]], accepted[good], [float(n) for n in ring[good]])
    return result


def prior_guided(task: LabelTask) -> LabelLogits:
    """Tell the network the shape that the neighbours suggest, and let it correct it by what the image shows.

    Between two marked slices that shape is interpolated. Beyond the last one it is the last accepted slice, outwards
    until the structure ends. Later passes take the last prediction of the slice and its neighbours.
    """
    known = sorted(task.marks)
    filled = [n for n in known if task.marks[n].max() >= 0.5]
    if not filled:
        result = independent(task) if not known else LabelLogits.background(task)
    else:
        result = LabelLogits.background(task)
        ends = _between_marks(task, result, known)
        for start, direction, stop in ends:
            _outwards(task, result, start, direction, stop)
    for _ in range(task.settings.passes_of("prior") - 1):
        _again(task, result)
    return result


STRATEGIES: dict[str, Strategy] = {"independent": independent, "cascade": cascade, "prior": prior_guided}


def predict_slices(
    task: LabelTask,
    result: LabelLogits,
    indices: np.ndarray,
    prior: np.ndarray | None = None,
    support: SupportStack | None = None,
    prior_weight: float = 0.0,
) -> None:
    """Predict slices and enter them; slices with the same draws of examples go together.

    Args:
        task: The label.
        result: Written in place.
        indices: Slice numbers, (n,).
        prior: (n, size, size) probabilities; none by default.
        support: Examples in the place of the task's.
        prior_weight: Share of the prior's own logits in the result.
    """
    support = support or task.support
    groups: dict[tuple[Draw, ...], list[int]] = {}
    for row, index in enumerate(indices):
        groups.setdefault(tuple(draw_support(support.places, int(index), task.settings)), []).append(row)
    for draws, rows in groups.items():
        queries = planes(task.images[indices[rows]], prior=None if prior is None else prior[rows])
        logits, spread = support.predict(queries, draws, flips=task.settings.flips, meter=task.meter, message=task.name)
        within = np.full_like(logits, OUTSIDE_LOGIT)
        if prior is not None and prior_weight:
            logits = (1 - prior_weight) * logits + prior_weight * logit(prior[rows], _LOUDEST)
        part = (slice(None), *task.shown.slices)
        within[part] = logits[part]
        result.put(indices[rows], within, spread)


def _between_marks(task: LabelTask, result: LabelLogits, known: list[int]) -> list[tuple[int, int, int]]:
    """Predict what lies between two filled marked slices; return the ways outwards as (start, direction, stop)."""
    ways = []
    filled = {n: bool(task.marks[n].max() >= 0.5) for n in known}
    if filled[known[0]]:
        ways.append((known[0], -1, -1))
    inside, shapes = [], []
    for low, high in pairwise(known):
        if filled[low] and filled[high]:
            here = task.wanted[(task.wanted > low) & (task.wanted < high)]
            if len(here):
                inside.append(here)
                fractions = (here - low) / (high - low)
                shapes.append(shapes_between(task.marks[low] >= 0.5, task.marks[high] >= 0.5, fractions))
        elif filled[low]:
            ways.append((low, 1, high))
        elif filled[high]:
            ways.append((high, -1, low))
    if filled[known[-1]]:
        ways.append((known[-1], 1, len(task.images)))
    if inside:
        weight = task.settings.shape_weight
        predict_slices(task, result, np.concatenate(inside), soft_mask(np.concatenate(shapes)), prior_weight=weight)
    return ways


# Largest logit that takes part in a mean over slices.
_LOUDEST = 8.0
# The structure has ended where less than this share of the largest marked area is left ...
_SMALLEST_AREA = 0.01
# ... and the segmentation leaks where an area is larger than the largest marked one by more than this share, divided
# by the number of filled marks: the more of them, the better they tell how large the structure gets.
_LARGEST_GROWTH = 8.0
# Width of the distribution of the structure's end, in reaches.
_SHARPNESS = 0.25
# Weight of that doubt in the logits.
_DOUBT = 3.0
# More doubt than any logit can outweigh, and a number that float16 holds.
_MOST_DOUBT = 1e4
# It also leaks where a slice has more than this multiple of the area of the one before, and more than any marked one.
_LARGEST_STEP = 2.0


def _outwards(task: LabelTask, result: LabelLogits, start: int, direction: int, stop: int) -> None:
    """Slice by slice away from a marked one; the last accepted slice is the prior, until the structure ends."""
    wanted = set(task.wanted.tolist())
    areas = {n: float((mask >= 0.5).sum()) for n, mask in task.marks.items() if mask.max() >= 0.5}
    largest = max(areas.values())
    too_large = (1 + _LARGEST_GROWTH / len(areas)) * largest
    last = soft_mask(signed_distance(task.marks[start] >= 0.5))
    weight = task.settings.shape_weight / 2
    reach = _expected_reach(areas, task.step)
    for index in range(start + direction, stop, direction):
        if index not in wanted:
            if index in task.marks:
                break
            continue
        predict_slices(task, result, np.array([index]), last[None], prior_weight=weight)
        doubt = task.settings.ending * _DOUBT * _doubt_of_existence(abs(index - start) / reach)
        result.doubt[index] = min(doubt, _MOST_DOUBT)
        result.logits[index] -= result.doubt[index]
        found = result.logits[index] > 0
        area, before = float(found.sum()), float((last >= 0.5).sum())
        leaks = area > too_large or (area > largest and area > _LARGEST_STEP * before)
        ended = area < max(1.0, _SMALLEST_AREA * largest) or not (found & (last >= 0.5)).any()
        if ended or leaks:
            result.logits[index] = OUTSIDE_LOGIT
            rest = abs(stop - index) - 1
            task.meter.advance(rest, task.name)
            break
        last = probability(result.logits[index])


def _expected_reach(areas: dict[int, float], step: float) -> float:
    """How many slices the structure may go on beyond its outermost mark.

    Marks that are spread out show where the structure is: it ends about one gap beyond them. Where they span less than
    a structure of that width would be long, or where there is only one, it may go on for the rest of that length.
    """
    return max(1.0, *gap_and_rest(areas, step))


def _doubt_of_existence(distance: float) -> float:
    """Negative log-odds that a structure still exists, ``distance`` reaches beyond its outermost mark, at least 0.

    What is left of it is taken to follow a logistic distribution around one reach.
    """
    return max(0.0, (distance - 1) / _SHARPNESS)


def _again(task: LabelTask, result: LabelLogits) -> None:
    """Predict once more the slices in which something was found, with the neighbourhood's last answer as the prior."""
    chance = probability(result.logits)
    around = np.pad(chance, ((1, 1), (0, 0), (0, 0)), mode="edge")
    prior = 0.25 * around[:-2] + 0.5 * chance + 0.25 * around[2:]
    there = task.wanted[(prior[task.wanted] >= 0.5).any(axis=(1, 2))]
    if len(there):
        predict_slices(task, result, there, prior[there], prior_weight=task.settings.shape_weight / 2)
        result.logits[there] -= np.array([result.doubt.get(int(n), 0.0) for n in there], np.float32)[:, None, None]


def smooth_along_slices(logits: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian mean of logits (N, size, size) along the slices; ``sigma`` in slices, the ends repeated."""
    reach = max(1, round(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    # A marked or empty slice is certain; unbounded, its logit would overrule all neighbours.
    bounded = np.clip(logits, -_LOUDEST, _LOUDEST)
    padded = np.pad(bounded, ((reach, reach), (0, 0), (0, 0)), mode="edge")
    result = np.zeros_like(bounded)
    for offset, weight in enumerate(weights):
        result += np.float32(weight) * padded[offset : offset + len(logits)]
    return result
