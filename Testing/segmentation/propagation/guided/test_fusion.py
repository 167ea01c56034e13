"""The weighted sum of the evidence: its terms, and the same sum written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from UniverSegSlicerLib.segmentation.propagation.guided.evidence import Evidence
from UniverSegSlicerLib.segmentation.propagation.guided.fusion import (
    AROUND_ONE,
    BETWEEN,
    BEYOND,
    Ending,
    Place,
    Trust,
    Weights,
    fuse,
    terms_of,
    weights_for,
)

DISTANCE = np.array([1.0, 3.0, 7.0])
PLACES = {
    "between": Place(DISTANCE, *np.zeros((3, 3)), None),
    "beyond": Place(DISTANCE, DISTANCE / 2, -DISTANCE, DISTANCE / 9, Ending(2.0, False, 16.0, 0.3, 0.4, 0.2, 9.0)),
    "beyond even marks": Place(
        DISTANCE, DISTANCE / 2, -DISTANCE, DISTANCE / 9, Ending(2.0, False, 16.0, width=9.0, even=0.6, half_gap=2)
    ),
    "beyond even marks at one end": Place(
        DISTANCE,
        DISTANCE / 2,
        -DISTANCE,
        DISTANCE / 9,
        Ending(2.0, False, 16.0, 0.2, 0.5, width=9.0, even=0.9, half_gap=2, wider=0.3, led_on=0.7),
    ),
    "beyond, a guess": Place(
        DISTANCE, DISTANCE / 4, -3 * DISTANCE, DISTANCE / 6, Ending(4.0, True, 8.0, 0.3, 1.0, 0.2, 6.0, led_on=0.4)
    ),
}


def made(seed: int = 0) -> tuple[Evidence, torch.Tensor]:
    """Evidence and a network's logits for three slices, some of it beyond its bounds."""
    noise = torch.randn(4, 3, 1, 16, 16, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Evidence(8 * noise[0], 2 * noise[1], 3 * noise[2]), 6 * noise[3]


def written_out(evidence: Evidence, network: torch.Tensor, place: Place, trust: Trust | None, ending: float) -> object:
    """The sum with every weight where it belongs, slice by slice in NumPy."""
    w = weights_for(place, trust)
    known = trust or Trust()
    more, sharper = known.shape - 0.8, known.brightness - 1.5
    slices = []
    for n, distance in enumerate(place.distance):
        shape, votes, bright, heard = (
            part[n, 0].numpy() for part in (evidence.shape, evidence.votes, evidence.brightness, network)
        )
        within = shape > 0
        shape, bright, heard = np.clip(shape, -8, 8), np.clip(bright, -4, 4), np.clip(heard, -4, 4)
        total = (w.shape + more * w.by_shape[0] + w.fading_shape / (1 + 0.15 * distance)) * shape
        total += (w.votes + more * w.by_shape[1]) * votes
        total += (w.brightness + more * w.by_shape[2] + sharper * w.by_contrast) * bright
        total += w.network * heard + more * w.by_shape[3]
        if place.ending is None:
            slices.append((total + w.constant) / w.temperature)
            continue
        for weight, values in zip(
            w.in_slice, (bright, 1 / (1 + np.exp(-votes)), 1 / (1 + np.exp(-heard))), strict=True
        ):
            total += weight * values[within].mean()
        told = (w.approach, w.overrun + w.closing * place.ending.closing, w.constant)
        approach, overrun, constant = w.guessed if place.ending.guessed else told
        over, crowded = max(0, place.beyond[n] - 1), place.ending.crowded
        over = crowded * min(2, over) + (1 - crowded) * over
        doubt = w.cap * max(place.cap[n], -12) + approach * min(place.beyond[n], 1) + overrun * over
        doubt = (1 - 0.8 * place.ending.led_on) * (doubt + w.away * place.away[n])
        if not place.ending.guessed:
            doubt += w.open * place.ending.open * over
        late = max(0, distance - place.ending.half_gap - 1) / (place.ending.half_gap + 0.5)
        doubt += w.even * place.ending.even * (1 - place.ending.led_on) * late
        slices.append((total + constant + ending * doubt) / w.temperature)
    return np.stack(slices)[:, None]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("trust", [None, Trust(0.9, 2.2), Trust(0.9, 2.8), Trust(0.9, 4.0)])
@pytest.mark.parametrize("ending", [0.0, 1.0, 2.0])
def test_terms_times_weights_are_the_sum_written_out(place: str, trust: Trust | None, ending: float) -> None:
    evidence, network = made()
    expected = written_out(evidence, network, PLACES[place], trust, ending)
    found = fuse(evidence, network, PLACES[place], trust, ending)
    assert found.dtype == torch.float64 and found.shape == (3, 1, 16, 16)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-12)
    single = [Evidence(evidence.shape.float(), evidence.votes.float(), evidence.brightness.float()), network.float()]
    np.testing.assert_allclose(fuse(*single, PLACES[place], trust, ending).numpy(), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("weights", [BETWEEN, BEYOND, AROUND_ONE])
def test_numbers_there_and_back(weights: Weights) -> None:
    assert len(weights.numbers()) == 24
    assert Weights.of_numbers(weights.numbers(), weights.temperature) == weights


def test_weights_of_slices_of_several_situations() -> None:
    """Each slice may have weights of its own, as a fit needs it."""
    terms = terms_of(*made(), PLACES["beyond"], Trust(0.7, 1.0))
    both = [torch.tensor(weights.numbers(), dtype=torch.float64) for weights in (BETWEEN, BEYOND)]
    mixed = terms.weighted(torch.stack([both[0], both[1], both[0]]))
    assert torch.equal(mixed[1], terms.weighted(both[1])[1])
    assert torch.equal(mixed[2], terms.weighted(both[0])[2])
