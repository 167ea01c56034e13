"""Clicks and priors: where they are felt, and that they match what they lie on."""

from __future__ import annotations

import torch

from UniverSegSlicerLib.network.attentive.prompts import PROMPT_CHANNELS, prompt_maps, spread_clicks


def test_a_click_is_one_where_it_is_and_fades_with_distance():
    clicks = torch.zeros(1, 2, 64, 64)
    clicks[0, 0, 20, 30] = 1
    spread = spread_clicks(clicks)
    assert spread[0, 0, 20, 30] == 1 and not spread[0, 1].any()
    torch.testing.assert_close(spread[0, 0, 20, 33], torch.tensor(-0.5).exp())
    assert spread[0, 0, 20, 45] == 0


def test_strokes_and_neighbouring_clicks_stay_within_one():
    clicks = torch.ones(1, 1, 32, 32)
    assert spread_clicks(clicks).max() == 1
    assert not spread_clicks(torch.zeros(1, 1, 32, 32)).any()


def test_likeness_is_largest_where_the_query_looks_like_what_was_clicked():
    features = torch.zeros(1, 3, 8, 8)
    features[:, 0, :, :4], features[:, 1, :, 4:] = 1, 1
    prompts = torch.zeros(1, 3, 32, 32)
    prompts[0, 0, 16, 4] = prompts[0, 1, 16, 28] = 1
    prompts[0, 2, :, :16] = 1
    maps = prompt_maps(torch.cat([spread_clicks(prompts[:, :2]), prompts[:, 2:]], 1), features)
    assert maps.shape == (1, PROMPT_CHANNELS, 8, 8)
    positive, negative, prior = maps[0, 3:]
    assert positive[:, :4].min() > 0.99 and positive[:, 4:].max() < 0.2
    assert negative[:, 4:].min() > 0.99 and negative[:, :4].max() < 0.2
    assert prior[:, :4].min() > 0.99 and prior[:, 4:].max() < 0.2


def test_without_prompts_nothing_is_like_them():
    assert not prompt_maps(torch.zeros(2, 3, 32, 32), torch.randn(2, 5, 8, 8)).any()
