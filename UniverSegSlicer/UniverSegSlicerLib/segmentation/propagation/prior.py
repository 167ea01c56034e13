"""The strategy "prior": the network is told the shape that the neighbours suggest."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ...imaging import OUTSIDE_LOGIT
from ..predictor import probability
from ..shapes import gap_and_rest, shapes_between, signed_distance, soft_mask
from .passes import predict_slices
from .plain import independent
from .task import LabelLogits, LabelTask

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


def predict_marked(task: LabelTask, result: LabelLogits) -> None:
    """Enter what the network makes of the marked slices, with the marks as prior."""
    marked = np.array(sorted(task.marks))
    predict_slices(task, result, marked, np.stack([task.marks[n] for n in marked]))


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
