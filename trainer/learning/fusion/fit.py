"""Weights of the evidence by soft Dice on labelled scans, temperatures by cross entropy, and how far both hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.progress import ProgressCallback
from UniverSegSlicerLib.segmentation.propagation.guided.fusion import Terms, Weights

from .evidence import SITUATIONS, Case, CaseEvidence

if TYPE_CHECKING:
    from torch import Tensor

#: What is compared on each data set, with weights that were fitted without it (but the present ones).
METHODS = ("present", "refitted", "without network")

# Numbers of Weights that belong to the network: its logits, and the mean of its probability in a slice.
_NETWORK = (4, 13)
# A term that is always smaller than this cannot be weighed.
_LEAST_SCALE = 1e-4
# Terms that are smaller than this on the few volumes at hand may be larger on others: their weights are held like those
# of a term of this size.
_USUAL_SCALE = 0.3


@dataclass(frozen=True)
class FitSettings:
    """How weights are fitted.

    Attributes:
        entropy: Weight of the cross entropy beside soft Dice.
        penalty: Weight of the mean square that a changed weight adds to the logits: few data change little.
        steps: At most so many steps of L-BFGS.
    """

    entropy: float = 0.05
    penalty: float = 0.003
    steps: int = 40


@dataclass(frozen=True)
class FusionScore(Case):
    """Of one case, on its unmarked slices of one situation or, "all", on all of them."""

    situation: str
    method: str
    dice: float
    entropy: float


class Sample:
    """The evidence of C cases with n slices in all, as tensors.

    Args:
        cases: With their evidence.
    """

    def __init__(self, cases: Sequence[tuple[Case, CaseEvidence]]) -> None:
        if not cases:
            raise InputError("there is no label with enough slices to mark some and to weigh others.")
        parts = [evidence for _, evidence in cases]
        self.cases = [case for case, _ in cases]
        self.terms = Terms(
            torch.from_numpy(np.concatenate([e.maps for e in parts])).float(),
            torch.from_numpy(np.concatenate([e.factors for e in parts])),
        )
        self.situation = torch.from_numpy(np.concatenate([e.situation for e in parts])).long()
        self.case = torch.repeat_interleave(torch.arange(len(parts)), torch.tensor([len(e.share) for e in parts]))
        self.missed = torch.tensor([float(e.missed) for e in parts])
        # (n, R, R): what a pixel counts, and what it counts inside the structure.
        area = [e.share[:, None, None] * e.shown.astype(np.float32) for e in parts]
        self.area = torch.from_numpy(np.concatenate(area))
        self.inside = self.area * torch.from_numpy(np.concatenate([e.truth for e in parts]))
        self._held, self._truth = self.area.sum(dim=(1, 2)), self.inside.sum(dim=(1, 2))

    @property
    def datasets(self) -> list[str]:
        """Their names, in order."""
        return sorted({case.dataset for case in self.cases})

    def alike(self, without: str | None = None) -> Tensor:
        """Weights (C,) of cases that add up to 1, every data set alike; 0 for one that is left out."""
        names = [case.dataset for case in self.cases]
        counts = {name: names.count(name) for name in names if name != without}
        return torch.tensor([1 / counts[n] / len(counts) if n in counts else 0.0 for n in names])

    def logits(self, numbers: Tensor) -> Tensor:
        """(n, R, R) with numbers (3, 24) of the weights of each situation."""
        return self.terms.weighted(numbers[self.situation])[:, 0]

    def dice(self, probability: Tensor, some: Tensor | None = None) -> Tensor:
        """(C,) of probabilities (n, R, R), soft or not, on ``some`` slices (n,); NaN without structure there."""
        counts = torch.ones(len(self.case)) if some is None else some.float()
        hit = self._by_case((probability * self.inside).sum(dim=(1, 2)) * counts)
        found = self._by_case((probability * self.area).sum(dim=(1, 2)) * counts)
        # The structure is missed in slices that are far from all marks, never between them.
        far = some is None or bool(some[self.situation > 0].any())
        truth = self._by_case(self._truth * counts) + (self.missed if far else 0)
        return torch.where(truth > 0, 2 * hit / (found + truth).clamp(min=1e-6), torch.nan)

    def entropy(self, logits: Tensor, some: Tensor | None = None) -> Tensor:
        """(C,) mean cross entropy of a pixel on ``some`` slices (n,)."""
        counts = torch.ones(len(self.case)) if some is None else some.float()
        loss = torch.nn.functional.softplus(logits) * self.area - logits * self.inside
        return self._by_case(loss.sum(dim=(1, 2)) * counts) / self._by_case(self._held * counts).clamp(min=1e-6)

    @cached_property
    def scales(self) -> Tensor:
        """(3, 24) root mean square of what each term adds to the logits per unit of its weight, by situation."""
        found = torch.zeros(len(SITUATIONS), self.terms.factors.shape[1])
        for number in range(len(SITUATIONS)):
            some = self.situation == number
            if some.any():
                # With a single weight of 1, the weighted sum is that term.
                terms = Terms(self.terms.maps[some], self.terms.factors[some])
                for k, single in enumerate(torch.eye(found.shape[1])):
                    found[number, k] = terms.weighted(single).square().mean().sqrt()
        return found

    def _by_case(self, values: Tensor) -> Tensor:
        return torch.zeros(len(self.cases)).index_add(0, self.case, values)


def present_numbers() -> Tensor:
    """(3, 24) numbers of the weights in use."""
    return torch.tensor([weights.numbers() for weights in SITUATIONS.values()])


def fit(
    sample: Sample,
    settings: FitSettings,
    *,
    without: str | None = None,
    network: bool = True,
    start: Tensor | None = None,
) -> Tensor:
    """Numbers (3, 24) of the weights.

    Args:
        sample: The evidence.
        settings: Of the fit.
        without: Data set to leave out.
        network: Whether the network has a say.
        start: (3, 24) numbers to start from and to stay near; the present ones by default.
    """
    start = (present_numbers() if start is None else start).clone()
    case_weights = sample.alike(without)
    free = sample.scales > _LEAST_SCALE
    scales = sample.scales.clamp(min=_USUAL_SCALE)
    if not network:
        start[:, _NETWORK] = 0
        free[:, _NETWORK] = False
    # Changes are counted in what they add to the logits: that is what the penalty bounds, and steps are alike.
    change = torch.zeros(int(free.sum()), requires_grad=True)
    search = torch.optim.LBFGS([change], max_iter=settings.steps, line_search_fn="strong_wolfe", tolerance_change=1e-6)

    def numbers() -> Tensor:
        return start.masked_scatter(free, start[free] + change / scales[free])

    def loss() -> Tensor:
        search.zero_grad()
        logits = sample.logits(numbers())
        each = 1 - sample.dice(torch.sigmoid(logits)).nan_to_num(1.0) + settings.entropy * sample.entropy(logits)
        total = (case_weights * each).sum() + settings.penalty * change.square().sum()
        total.backward()
        return total

    search.step(loss)
    return numbers().detach()


def temperatures(sample: Sample, numbers: Tensor, *, without: str | None = None) -> Tensor:
    """(3,) what the sums of each situation are divided by, so that they are as sure as they are right."""
    logits, case_weights = sample.logits(numbers), sample.alike(without)
    present = torch.tensor([weights.temperature for weights in SITUATIONS.values()])
    power = present.log().requires_grad_()
    search = torch.optim.LBFGS([power], max_iter=15, line_search_fn="strong_wolfe", tolerance_change=1e-5)

    def loss() -> Tensor:
        search.zero_grad()
        cooled = logits / power.exp()[sample.situation, None, None]
        total = (case_weights * sample.entropy(cooled)).sum()
        total.backward()
        return total

    search.step(loss)
    return power.exp().detach()


def score(sample: Sample, numbers: Tensor, heat: Tensor, method: str, dataset: str | None = None) -> list[FusionScore]:
    """Scores of the cases (of one data set) with some weights, by situation and on all slices."""
    logits = sample.logits(numbers) / heat[sample.situation, None, None]
    found = (logits > 0).float()
    rows = []
    for number, name in ((None, "all"), *enumerate(SITUATIONS)):
        some = None if number is None else sample.situation == number
        dice, entropy = sample.dice(found, some).tolist(), sample.entropy(logits, some).tolist()
        there = set(sample.case[slice(None) if some is None else some].tolist())
        for n, case in enumerate(sample.cases):
            if n in there and not np.isnan(dice[n]) and dataset in (None, case.dataset):
                rows.append(FusionScore(**vars(case), situation=name, method=method, dice=dice[n], entropy=entropy[n]))
    return rows


def leave_one_out(sample: Sample, settings: FitSettings, progress: ProgressCallback) -> list[FusionScore]:
    """Scores of each data set with the present weights and with those that the others give; none for a single set."""
    names = sample.datasets
    if len(names) < 2:
        return []
    present = present_numbers()
    heat = torch.tensor([weights.temperature for weights in SITUATIONS.values()])
    rows = score(sample, present, heat, METHODS[0])
    for number, name in enumerate(names):
        for part, method in enumerate(METHODS[1:]):
            progress((number + part / 2) / len(names), f"without {name}")
            fitted = fit(sample, settings, without=name, network=method == "refitted")
            rows += score(sample, fitted, temperatures(sample, fitted, without=name), method, name)
    progress(1.0, "done")
    return rows


def fitted_weights(sample: Sample, settings: FitSettings) -> dict[str, Weights]:
    """The weights of each situation, fitted on everything."""
    numbers = fit(sample, settings)
    heat = temperatures(sample, numbers)
    return {
        name: Weights.of_numbers([float(x) for x in row], float(t))
        for name, row, t in zip(SITUATIONS, numbers, heat, strict=True)
    }
