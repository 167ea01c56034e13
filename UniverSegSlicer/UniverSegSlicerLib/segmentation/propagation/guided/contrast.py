"""How well brightness alone tells a marked structure from its surroundings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from .evidence import AROUND, PIXEL_SIGMA, Mark

_LARGEST_RATIO = 4.0
# By how much more brightness must tell without a blur against noise (in natural logarithms) for it to be left out, as
# where a structure is thin.
_BLUR_COSTS = 0.1
# Between these contrasts from mark to mark brightness alone comes to show a structure: it does where it is bone in a CT
# (3.1 and more), seldom in MR (2.2 at most in the volumes that this was first measured on). A single mark is judged by
# itself, which flatters it.
_VEILED, _PLAIN = 2.5, 3.1
_VEILED_ALONE, _PLAIN_ALONE = 3.0, 4.5


def with_best_blur(marks: Mapping[int, Mark]) -> dict[int, Mark]:
    """The marks without a blur where brightness tells clearly more from one to the next, either way, than with it."""
    pairs = _neighbours(marks)
    gains = [contrast(replace(source, blur=0.0), target) - contrast(source, target) for source, target in pairs]
    blur = 0.0 if gains and np.mean(gains) > _BLUR_COSTS else PIXEL_SIGMA
    return {index: replace(mark, blur=blur) for index, mark in marks.items()}


def contrasts_of(marks: Mapping[int, Mark]) -> list[float]:
    """The contrast from every mark to the next one and back; a single mark's to itself."""
    return [contrast(source, target) for source, target in _neighbours(marks)]


def contrast(source: Mark, target: Mark) -> float:
    """How well brightness tells the inside from the surroundings on one mark, by the ratios and the blur of another.

    The mean log-ratio inside less that around, in natural logarithms; 0 where brightness says nothing.
    """
    import torch

    bins = source.bins_of(torch.as_tensor(target.image)[None, None])[0, 0].numpy()
    ratio = np.clip(source.ratio[bins], -_LARGEST_RATIO, _LARGEST_RATIO)
    inside, around = target.distance > 0, (target.distance <= 0) & (target.distance > -AROUND)
    return float(ratio[inside].mean() - ratio[around].mean()) if inside.any() and around.any() else 0.0


def plainness(contrasts: Sequence[float], alone: bool) -> float:
    """How surely brightness alone shows the structure, 0 to 1.

    Args:
        contrasts: From :func:`contrasts_of`.
        alone: Whether they are of a single mark.
    """
    if not contrasts:
        return 0.0
    veiled, plain = (_VEILED_ALONE, _PLAIN_ALONE) if alone else (_VEILED, _PLAIN)
    return float(np.clip((np.mean(contrasts) - veiled) / (plain - veiled), 0.0, 1.0))


def _neighbours(marks: Mapping[int, Mark]) -> list[tuple[Mark, Mark]]:
    in_order = [marks[index] for index in sorted(marks)]
    return [*pairwise(in_order), *((b, a) for a, b in pairwise(in_order))] or [(mark, mark) for mark in in_order]
