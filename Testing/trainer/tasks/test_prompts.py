"""Simulated clicks and priors."""

from __future__ import annotations

import pytest
import torch

from trainer.tasks.prompts.clicks import correct, depth_inside, first_clicks, middle_of_largest, place_clicks
from trainer.tasks.prompts.priors import disturb


def disc(side: int, row: float, column: float, radius: float) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return (((y - row) ** 2 + (x - column) ** 2) <= radius**2)[None, None]


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_depth_is_the_chessboard_distance() -> None:
    region = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    region[..., 3:10, 2:13] = True
    depth = depth_inside(region, 8)[0, 0]
    assert depth[6, 7] == 4
    assert depth[3, 7] == 1
    assert depth[2, 7] == 0


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_click_lies_in_its_region(kind: int, generator: torch.Generator) -> None:
    region = torch.cat([disc(32, 10, 20, 6), disc(32, 20, 8, 3)])
    for _ in range(10):
        clicks = place_clicks(region, generator, torch.full((2,), kind))
        assert clicks.sum(dim=(1, 2, 3)).tolist() == [1, 1]
        assert bool((clicks.bool() <= region).all())


def test_centre_and_border_clicks_are_where_their_names_say(generator: torch.Generator) -> None:
    region = disc(32, 15, 15, 9)
    centre = place_clicks(region, generator, torch.tensor([1])).nonzero()[0, 2:]
    assert (centre - 15).abs().max() <= 1
    border = place_clicks(region, generator, torch.tensor([2])).nonzero()[0, 2:].float()
    assert 7.5 <= float((border - 15).norm()) <= 9.5


def test_an_empty_region_gets_no_click(generator: torch.Generator) -> None:
    assert place_clicks(torch.zeros(2, 1, 8, 8, dtype=torch.bool), generator).sum() == 0


def test_corrections_go_to_the_larger_error(generator: torch.Generator) -> None:
    truth = disc(32, 10, 10, 5).float()
    nothing = torch.zeros_like(truth)
    # The answer misses the object in the first case and adds a larger wrong one in the second.
    positive, negative = correct(nothing, truth, nothing, nothing, generator)
    assert positive.sum() == 1
    assert negative.sum() == 0
    assert bool((positive.bool() <= truth.bool()).all())
    wrong = torch.maximum(truth, disc(32, 24, 24, 7).float())
    positive, negative = correct(wrong, truth, nothing, nothing, generator)
    assert positive.sum() == 0
    assert negative.sum() == 1
    assert bool((negative.bool() & truth.bool()).sum() == 0)


def test_a_careful_click_is_in_the_middle_of_the_largest_connected_error() -> None:
    truth = disc(64, 30, 32, 6).float()
    # Many small wrong spots are more pixels than the object that was missed, but none of them is as large.
    answer = torch.zeros_like(truth)
    answer[..., 44:62:3, 2:62:3] = 1
    assert answer.sum() > truth.sum()
    nothing = torch.zeros_like(truth)
    positive, negative = correct(answer, truth, nothing, nothing, None)
    assert positive.nonzero()[:, 2:].tolist() == [[30, 32]]
    assert negative.sum() == 0
    # At the edge of the image the middle is not pushed outwards.
    wide = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    wide[..., :5, :5] = True
    assert middle_of_largest(wide).nonzero()[:, 2:].tolist() == [[2, 2]]
    added = torch.maximum(truth, disc(64, 12, 10, 8).float())
    positive, negative = correct(added, truth, nothing, nothing, None)
    assert positive.sum() == 0
    assert negative.nonzero()[:, 2:].tolist() == [[12, 10]]
    positive, negative = correct(truth, truth, nothing, nothing, None)
    assert positive.sum() + negative.sum() == 0


def test_a_perfect_answer_gets_no_click(generator: torch.Generator) -> None:
    truth = disc(32, 10, 10, 5).float()
    nothing = torch.zeros_like(truth)
    positive, negative = correct(truth, truth, nothing, nothing, generator)
    assert positive.sum() + negative.sum() == 0


def test_first_clicks_are_right_about_the_object(generator: torch.Generator) -> None:
    truth = torch.cat([disc(32, 10, 12, 6), disc(32, 20, 20, 4)]).float()
    prior = torch.cat([disc(32, 10, 16, 6), torch.zeros(1, 1, 32, 32, dtype=torch.bool)]).float()
    for _ in range(10):
        positive, negative = first_clicks(prior, torch.tensor([True, False]), truth, 3, generator)
        assert bool((positive.bool() <= truth.bool()).all())
        assert not bool((negative.bool() & truth.bool()).any())
        assert (positive + negative).sum(dim=(1, 2, 3)).min() >= 1


def test_disturbed_priors_grow_worse_with_strength(generator: torch.Generator) -> None:
    masks = disc(64, 30, 30, 12).float().expand(64, 1, 64, 64)

    def dice(strength: float) -> float:
        changed = disturb(masks, torch.full((64,), strength), generator)
        assert changed.min() >= 0
        assert changed.max() <= 1
        answer = (changed > 0.5).float()
        return float((2 * (answer * masks).sum((1, 2, 3)) / (answer.sum((1, 2, 3)) + masks.sum((1, 2, 3)))).mean())

    untouched, mild, strong = dice(0.0), dice(0.4), dice(1.0)
    assert untouched > 0.97
    assert untouched > mild > strong
    assert 0.4 < strong < 0.9
