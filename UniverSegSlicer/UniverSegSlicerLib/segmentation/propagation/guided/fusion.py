"""One logit per pixel from shape, votes, brightness and network: a weighted sum, its weights chosen on real scans.

The weights are those of a logistic model of 38 numbers. They were fitted (soft Dice and cross entropy, every data set
alike) on slices of labelled volumes with 1, 3, 4 and 5 marked slices; docs/quality.md says on which, and what each part
brings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from .ending import Ending
from .evidence import Evidence, Mark

if TYPE_CHECKING:
    from torch import Tensor

# Where marks are crowded, the doubt beyond the expected end stops growing after so many times the way to it.
_FULL_DOUBT = 2.0
# Evidence is bounded to these values: pixels of distance, and log-odds.
_DEEPEST, _BRIGHTEST, _LOUDEST = 8.0, 4.0, 4.0
_LEAST_CAP = -12.0
# Shapes lose their weight with the number of slices to the next mark.
_FADING = 0.15
# Trust and contrast from which the weights count their changes, and the largest contrast that counts.
_USUAL, _USUAL_CONTRAST, _HIGHEST_CONTRAST = 0.8, 1.5, 4.0
# So much of what speaks for an end counts no more where brightness alone leads on.
_LED = 0.8


@dataclass(frozen=True, eq=False)
class Place:
    """Where slices are among the marks; arrays are (N,).

    Attributes:
        distance: Slices to the nearest mark.
        beyond: Slices to the mark as a share of the expected distance to the end; 0 between two marks.
        cap: Pixels by which a structure that closes like an ellipsoid has shrunk there, at most 0.
        away: Slices to the mark in widths of the structure; 0 between two marks.
        ending: How far the structure may go on; None between two filled marks.
    """

    distance: np.ndarray
    beyond: np.ndarray
    cap: np.ndarray
    away: np.ndarray
    ending: Ending | None

    @property
    def late(self) -> np.ndarray:
        """Half gaps between marks that slices are beyond the one after half a gap, (N,)."""
        assert self.ending is not None
        half = self.ending.half_gap
        return np.maximum(0.0, self.distance - half - 1) / (half + 0.5)

    @classmethod
    def of(cls, rows: np.ndarray, marks: Sequence[Mark], ending: Ending | None) -> Place:
        """The place of slices ``rows`` (N,) among the one or two filled marks next to them."""
        distance = np.abs(rows[None] - np.array([mark.index for mark in marks])[:, None]).min(axis=0).astype(float)
        if ending is None:
            none = np.zeros(len(rows))
            return cls(distance, none, none, none, None)
        beyond = distance / ending.expected
        closed = np.sqrt(np.maximum(0.0, 1 - np.minimum(beyond, 1) ** 2)) - np.maximum(beyond, 1)
        return cls(distance, beyond, marks[0].depth * closed, distance / ending.width, ending)


@dataclass(frozen=True)
class Trust:
    """How far the marked slices of a volume foretell one another.

    Attributes:
        shape: Mean Dice of neighbouring marked shapes once registration brought one to the other's slice.
        brightness: Mean contrast of brightness from one mark to the next, see :func:`.contrast.contrast`.
    """

    shape: float = _USUAL
    brightness: float = _USUAL_CONTRAST

    @classmethod
    def of(cls, agreements: Sequence[float], contrasts: Sequence[float]) -> Trust:
        """From neighbouring marks; what is usual where there are none.

        Args:
            agreements: Dice of neighbouring marks with slices between them.
            contrasts: From mark to mark. Where there is nothing between any two, they are as alike as slices can be,
                so a low contrast says little.
        """
        if not contrasts:
            return cls()
        brightness = float(np.clip(np.mean(contrasts), 0.0, _HIGHEST_CONTRAST))
        if not agreements:
            return cls(brightness=max(cls.brightness, brightness))
        return cls(float(np.mean(agreements)), brightness)


@dataclass(frozen=True)
class Weights:
    """Weights of the evidence in one situation; log-odds each.

    Attributes:
        shape, fading_shape: Per pixel of distance; the second one fades with the slices to the next mark.
        votes, brightness, network: Per unit of their log-odds.
        constant: Added everywhere.
        by_shape: Changes of shape, votes and brightness per unit of trust in shapes above the usual, and of the
            constant.
        by_contrast: Change of the brightness's weight per unit of contrast above the usual.
        in_slice: Per mean brightness, votes and network's probability of a slice within the brought shape.
        cap: Per pixel that a closing structure has shrunk.
        approach, overrun: Per share of the way to the expected end, and per share beyond it (up to two where marks are
            crowded).
        closing: Change of the overrun per share of the area that is gone on the mark: a structure that has narrowed
            there ends nearby.
        open: Change of the overrun per unit of :attr:`Ending.open`: a structure that is at its widest there may go on.
        away: Per width of the structure between slice and mark.
        guessed: Approach, overrun and constant in their place where the end is a guess.
        even: Per half gap beyond the next slice after half a gap, where marks are spread evenly over the structure.
        temperature: The sum is divided by it, so that it is as sure as it is right.
    """

    shape: float
    fading_shape: float
    votes: float
    brightness: float
    network: float
    constant: float
    by_shape: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    by_contrast: float = 0.0
    in_slice: tuple[float, float, float] = (0.0, 0.0, 0.0)
    cap: float = 0.0
    approach: float = 0.0
    overrun: float = 0.0
    closing: float = 0.0
    open: float = 0.0
    away: float = 0.0
    guessed: tuple[float, float, float] = (0.0, 0.0, 0.0)
    even: float = 0.0
    temperature: float = 1.75

    def numbers(self) -> list[float]:
        """All but the temperature, in the order of the attributes, 24 numbers."""
        values = (getattr(self, part.name) for part in fields(self) if part.name != "temperature")
        return [number for value in values for number in (value if isinstance(value, tuple) else (value,))]

    @classmethod
    def of_numbers(cls, numbers: Sequence[float], temperature: float) -> Weights:
        """The weights of which :meth:`numbers` are these."""
        rest = iter(numbers)
        values: dict[str, Any] = {}
        for name, value in vars(BETWEEN).items():
            if name != "temperature":
                values[name] = tuple(next(rest) for _ in value) if isinstance(value, tuple) else next(rest)
        return cls(**values, temperature=temperature)


BETWEEN = Weights(
    shape=0.297, fading_shape=0.068, votes=1.411, brightness=0.797, network=0.3, constant=0.509,
    by_shape=(0.723, -0.457, -0.697, -0.535), by_contrast=0.199,
)  # fmt: skip
BEYOND = Weights(
    shape=-0.067, fading_shape=0.574, votes=0.480, brightness=0.904, network=0.133, constant=-0.585,
    by_shape=(-0.185, -0.184, -0.293, 0.0), by_contrast=0.533, in_slice=(0.539, -0.199, -0.431),
    approach=-1.164, overrun=-1.533, closing=-6.0, open=0.5, away=-0.5, guessed=(0.0, -0.3, -0.35), even=-24.0,
)  # fmt: skip
AROUND_ONE = Weights(
    shape=0.164, fading_shape=0.054, votes=0.586, brightness=1.218, network=0.321, constant=-0.232,
    in_slice=(0.365, -0.047, -0.095), cap=0.155, away=0.084, guessed=(-0.698, -0.459, -0.369), temperature=1.977,
)  # fmt: skip


def weights_for(place: Place, trust: Trust | None) -> Weights:
    """The weights of a situation; ``trust`` is None where there is only one filled mark."""
    if place.ending is None:
        return BETWEEN
    return BEYOND if trust is not None else AROUND_ONE


@dataclass(frozen=True, eq=False)
class Terms:
    """What the weights of :class:`Weights` multiply, for N slices.

    Attributes:
        maps: (N, 4, S, S) bounded evidence: shape in pixels, votes, brightness and network in log-odds.
        factors: (N, 24) of each weight, in the order of :meth:`Weights.numbers`, for the map that it belongs to or,
            where it is a part of the constant, for ones.
    """

    maps: Tensor
    factors: Tensor

    def weighted(self, numbers: Tensor) -> Tensor:
        """Logits (N, 1, S, S), before the temperature, with the numbers (24,) or (N, 24) of the weights."""
        import torch

        owners = torch.nn.functional.one_hot(torch.tensor(_OWNERS)).to(self.factors)
        coefficients = (self.factors * numbers) @ owners
        result = torch.einsum("nk,nkrc->nrc", coefficients[:, :-1], self.maps)
        return (result + coefficients[:, -1, None, None])[:, None]

    def answer(self, weights: Weights) -> Tensor:
        """Logits (N, 1, S, S) with the weights of one situation."""
        import torch

        numbers = torch.tensor(weights.numbers(), dtype=self.factors.dtype, device=self.factors.device)
        return self.weighted(numbers) / weights.temperature


# The map in Terms, or 4 for the constant, that each of the numbers of Weights belongs to; and which are "in_slice".
_OWNERS = (0, 0, 1, 2, 3, 4, 0, 1, 2, 4, 2, *[4] * 13)
_IN_SLICE = slice(11, 14)


def terms_of(evidence: Evidence, network: Tensor, place: Place, trust: Trust | None, ending: float = 1.0) -> Terms:
    """What the weights multiply; the arguments are those of :func:`fuse`."""
    import torch

    known = trust or Trust()
    more, sharper = known.shape - _USUAL, known.brightness - _USUAL_CONTRAST
    bright = evidence.brightness.clamp(-_BRIGHTEST, _BRIGHTEST)
    heard = network.clamp(-_LOUDEST, _LOUDEST)
    maps = torch.cat([evidence.shape.clamp(-_DEEPEST, _DEEPEST), evidence.votes, bright, heard], dim=1)
    one, none = np.ones_like(place.distance), np.zeros_like(place.distance)
    cap = approach = overrun = closing = far = unsaid = guess = late = none
    if place.ending is not None:
        guess = one * place.ending.guessed
        cap = ending * np.maximum(place.cap, _LEAST_CAP)
        approach, over = ending * np.minimum(place.beyond, 1), np.maximum(0.0, place.beyond - 1)
        bounded = np.minimum(over, _FULL_DOUBT)
        overrun = ending * (over + place.ending.crowded * (bounded - over))
        closing, unsaid = place.ending.closing * overrun, place.ending.open * overrun
        far = ending * place.away
        late = ending * place.ending.even * (1 - place.ending.led_on) * place.late
        doubted = 1 - _LED * place.ending.led_on
        cap, approach, overrun, closing, far = (doubted * each for each in (cap, approach, overrun, closing, far))
    told = 1 - guess
    factors = [one, one / (1 + _FADING * place.distance), one, one, one, told]
    factors += [more * one] * 4 + [sharper * one]
    factors += [none] * 3 + [cap, approach * told, overrun * told, closing * told, unsaid * told, far]
    factors += [approach * guess, overrun * guess, guess, late]
    by_slice = torch.as_tensor(np.stack(factors, axis=1), dtype=maps.dtype, device=maps.device)
    if place.ending is not None:
        within = (evidence.shape > 0).to(maps.dtype)
        means = torch.cat([bright, torch.sigmoid(evidence.votes), torch.sigmoid(heard)], dim=1)
        size = within.sum(dim=(-2, -1)).clamp(min=1)
        by_slice[:, _IN_SLICE] = (means * within).sum(dim=(-2, -1)) / size
    return Terms(maps, by_slice)


def fuse(evidence: Evidence, network: Tensor, place: Place, trust: Trust | None, ending: float = 1.0) -> Tensor:
    """Logits (N, 1, S, S) from all that is known.

    Args:
        evidence: From the marks.
        network: Logits of the network (N, 1, S, S).
        place: Of the slices.
        trust: In the marks; None where only one is filled.
        ending: Factor of what the place says about the structure's end; 0 leaves it to the image.
    """
    return terms_of(evidence, network, place, trust, ending).answer(weights_for(place, trust))
