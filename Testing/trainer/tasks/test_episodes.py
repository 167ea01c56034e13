"""Batches of episodes, and the pool they come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from trainer.tasks.augmentation.table import AugmentationTable, Operations
from trainer.tasks.episodes import EpisodeSampler, EpisodeSettings, without_randomness
from trainer.tasks.kinds.volume_episodes import (
    VolumeEpisodeSettings,
    between_marks,
    draw_marks,
    draw_volume_episode,
    region_maps,
)
from trainer.tasks.pool import DataPool
from UniverSegSlicerLib.errors import InputError

PLAIN = AugmentationTable(Operations(), Operations())


def sampler(pool: DataPool | None, seed: int = 0, **changes: object) -> EpisodeSampler:
    return EpisodeSampler(pool, EpisodeSettings(**changes), seed)  # type: ignore[arg-type]


def test_pool_reads_what_was_put_in(pool: DataPool) -> None:
    task = pool.tasks[0]
    images, masks = pool.read_images(task.images), pool.read_masks(task.masks)
    assert images.shape == masks.shape == (8, 32, 32)
    # The disc is 120 grey levels brighter than its surroundings.
    inside = images[masks > 0].mean() - images[masks == 0].mean()
    assert abs(float(inside) - 120 / 255) < 0.02


def test_row_minus_one_is_an_empty_mask(pool: DataPool) -> None:
    masks = pool.read_masks(np.array([-1, 0]))
    assert masks[0].sum() == 0
    assert masks[1].sum() > 0


@pytest.mark.parametrize("kind", ["across", "volume", "synthetic", "superpixel"])
@pytest.mark.parametrize("support", [0, 1, 5])
def test_every_kind_makes_a_batch(pool: DataPool, kind: str, support: int) -> None:
    episodes = sampler(pool, shares={kind: 1.0}).draw(3, 2, support, 16)
    assert episodes.query_images.shape == episodes.query_labels.shape == episodes.priors.shape == (3, 2, 1, 16, 16)
    assert episodes.support_images.shape == episodes.support_labels.shape == (3, support, 1, 16, 16)
    assert episodes.has_prior.shape == (3, 2)
    for tensor in (episodes.query_images, episodes.query_labels, episodes.priors, episodes.support_images):
        assert bool(torch.isfinite(tensor).all())
    assert float(episodes.query_labels.min()) >= 0
    assert float(episodes.query_labels.max()) <= 1 + 1e-6
    assert len(episodes.names) == 3


def test_the_same_seed_gives_the_same_batches_and_another_does_not(pool: DataPool) -> None:
    first, again, other = (sampler(pool, seed).draw(4, 2, 3, 32) for seed in (5, 5, 6))
    assert torch.equal(first.query_images, again.query_images)
    assert torch.equal(first.support_labels, again.support_labels)
    assert not torch.equal(first.query_images, other.query_images)


def test_state_continues_bit_for_bit(pool: DataPool) -> None:
    one = sampler(pool)
    one.draw(2, 2, 2, 16)
    state = one.state_dict()
    expected = one.draw(2, 2, 2, 16)
    two = sampler(pool, seed=99)
    two.load_state_dict(state)
    found = two.draw(2, 2, 2, 16)
    assert torch.equal(expected.query_images, found.query_images)
    assert torch.equal(expected.priors, found.priors)


def test_without_randomness_the_stored_pixels_come_out(pool: DataPool) -> None:
    settings = without_randomness(EpisodeSettings(shares={"across": 1.0}))
    episodes = EpisodeSampler(pool, settings, 0).draw(2, 1, 2, 32)
    stored = pool.read_images(np.concatenate([task.images for task in pool.tasks]))
    query = episodes.query_images[0, 0, 0]
    assert float((stored - query).abs().amax(dim=(1, 2)).min()) < 1e-4
    assert not bool(episodes.has_prior.any())


def test_half_size_is_the_mean_of_two_by_two(pool: DataPool) -> None:
    settings = without_randomness(EpisodeSettings(shares={"across": 1.0}))
    small, large = (EpisodeSampler(pool, settings, 0).draw(1, 1, 1, side).query_images for side in (16, 32))
    expected = torch.nn.functional.avg_pool2d(large[0], 2)
    assert torch.allclose(small[0], expected, atol=1e-4)


def test_query_and_support_of_a_task_share_flips(pool: DataPool) -> None:
    flips = AugmentationTable(Operations(horizontal_flip_p=0.5, vertical_flip_p=0.5), Operations())
    settings = EpisodeSettings(
        shares={"volume": 1.0}, augmentation=flips, prior_p=0.0, volume=VolumeEpisodeSettings(region_p=0)
    )
    outcomes = set()
    for seed in range(12):
        episodes = EpisodeSampler(pool, settings, seed).draw(1, 1, 3, 32)
        columns = torch.arange(32.0)
        centres = [(label.sum(-2) * columns).sum() / label.sum() for label in episodes.support_labels[0, :, 0]]
        # The disc moves from column 13 to 18 over the stack; flipped, from 18 to 13: support slices stay in order.
        outcomes.add(bool(centres[0] < centres[-1]))
    assert outcomes == {True, False}


def test_a_prior_is_near_the_query_label(pool: DataPool) -> None:
    volume = VolumeEpisodeSettings(prior_shares=(0, 0.5, 0.5, 0), region_p=0, beyond=0)
    episodes = sampler(pool, shares={"volume": 1.0}, augmentation=PLAIN, volume=volume).draw(24, 1, 3, 32)
    assert bool(episodes.has_prior.all())
    prior, label = (episodes.priors > 0.5).float().flatten(1), episodes.query_labels.flatten(1)
    dice = 2 * (prior * label).sum(1) / (prior.sum(1) + label.sum(1)).clamp_min(1)
    assert float(dice[label.sum(1) > 0].mean()) > 0.7


def test_synthetic_tasks_need_no_pool() -> None:
    assert sampler(None, shares={"synthetic": 1.0}).draw(1, 1, 1, 16).names == ("synthetic",)


def test_a_pool_of_other_kinds_is_refused() -> None:
    with pytest.raises(InputError, match="none of a kind with a positive share"):
        sampler(None, shares={"across": 1.0})


def test_unknown_kind_and_empty_shares_are_named() -> None:
    with pytest.raises(InputError, match="names 'videos'"):
        EpisodeSettings(shares={"videos": 1.0})
    with pytest.raises(InputError, match="are all 0"):
        EpisodeSettings(shares={"across": 0.0})


def test_a_draw_can_have_shares_and_priors_of_its_own(pool: DataPool) -> None:
    mixed = sampler(pool, shares={"across": 1.0, "volume": 1.0}, prior_p=1.0)
    assert set(mixed.draw(6, 1, 1, 16, shares={"synthetic": 1.0}).names) == {"synthetic"}
    assert "synthetic" not in mixed.draw(12, 1, 1, 16).names
    assert bool(mixed.draw(6, 2, 1, 16, shares={"across": 1.0}).has_prior.all())
    assert not bool(mixed.draw(6, 2, 1, 16, shares={"across": 1.0}, prompted=0.0).has_prior.any())
    with pytest.raises(InputError, match="none of a kind with a positive share"):
        sampler(None, shares={"synthetic": 1.0}).draw(1, 1, 1, 16, shares={"across": 1.0})


def test_volume_marks_are_spread_and_queries_are_not_marked(pool: DataPool) -> None:
    rng = np.random.default_rng(0)
    present = np.arange(10, 40)
    even = draw_marks(present, 3, rng, even=True)
    assert all(low <= mark < low + 10 for mark, low in zip(even, (10, 20, 30), strict=True))
    assert len(set(draw_marks(present, 5, rng, even=False))) == 5
    assert len(draw_marks(present[:2], 5, rng, even=True)) == 5
    drawn = draw_volume_episode(pool, pool.volumes[0], 3, 4, rng, VolumeEpisodeSettings())
    assert not set(drawn.images[:3]) & set(drawn.images[3:])


def test_between_marks_follows_the_slice_positions() -> None:
    masks = np.zeros((2, 20, 20), dtype=bool)
    masks[0, 5:8, 5:8], masks[1, 5:15, 5:15] = True, True
    marks = np.array([10, 20])
    areas = [between_marks(marks, masks, index, interpolate=True).sum() for index in (5, 10, 15, 20, 30)]
    assert areas[0] == areas[1] == 9
    assert areas[3] == areas[4] == 100
    assert 9 < areas[2] < 100
    assert between_marks(marks, masks, 12, interpolate=False).sum() == 9
    assert between_marks(marks, masks, 18, interpolate=False).sum() == 100


def test_region_shows_the_whole_structure() -> None:
    settings = replace(VolumeEpisodeSettings(), region_margin=(0.2, 0.4))
    masks = np.zeros((1, 64, 64), dtype=bool)
    masks[0, 40:50, 8:16] = True
    for seed in range(20):
        found = region_maps(masks, np.random.default_rng(seed), settings)
        size, x, y = found[0, 0], found[0, 2], found[1, 2]
        assert settings.smallest_region <= size < 0.5
        assert x - size <= 8 / 32 - 1
        assert x + size >= 16 / 32 - 1
        assert y - size <= 40 / 32 - 1
        assert y + size >= 50 / 32 - 1
    assert np.array_equal(region_maps(np.zeros((1, 8, 8), bool), np.random.default_rng(0), settings), np.eye(3)[:2])
