"""Which task and which examples are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.tasks.sampling import HierarchicalSampler, draw_query_and_support
from UniverSegSlicerLib.errors import InputError

# A data set with 50 labels beside two with one label each; path: (data set, label).
ITEMS = [("many", str(label)) for label in range(50)] + [("one", "1"), ("other", "1")]


def shares(sampler: HierarchicalSampler[tuple[str, str]], count: int = 6000) -> dict[str, float]:
    rng = np.random.default_rng(0)
    names = [sampler.draw(rng)[0] for _ in range(count)]
    return {name: names.count(name) / count for name in ("many", "one", "other")}


def test_hierarchical_sampling_gives_every_dataset_the_same_share() -> None:
    found = shares(HierarchicalSampler(ITEMS, lambda item: item))
    assert all(abs(share - 1 / 3) < 0.03 for share in found.values()), found


def test_uniform_sampling_follows_the_number_of_tasks() -> None:
    found = shares(HierarchicalSampler(ITEMS, lambda item: item, mode="uniform"))
    assert abs(found["many"] - 50 / 52) < 0.02


def test_weights_change_the_shares_and_zero_removes() -> None:
    found = shares(HierarchicalSampler(ITEMS, lambda item: item, weights={"one": 0.0, "other": 3.0}))
    assert found["one"] == 0
    assert abs(found["other"] - 0.75) < 0.03


def test_labels_inside_a_dataset_are_drawn_alike() -> None:
    sampler = HierarchicalSampler(ITEMS[:50], lambda item: item)
    rng = np.random.default_rng(1)
    counts = np.bincount([int(sampler.draw(rng)[1]) for _ in range(10000)], minlength=50)
    assert counts.min() > 120
    assert counts.max() < 290


def test_a_weight_for_a_dataset_that_is_not_there_is_named() -> None:
    assert HierarchicalSampler(ITEMS, lambda item: item, weights={"nowhere": 2.0}).unknown_weights == ["nowhere"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"weights": {"one": -1.0}}, "must not be negative"), ({"mode": "fair"}, "mode is 'fair'")],
)
def test_bad_settings_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        HierarchicalSampler(ITEMS, lambda item: item, **arguments)


def test_nothing_to_draw_from() -> None:
    with pytest.raises(InputError, match="no task to draw from"):
        HierarchicalSampler([], lambda item: item)


def test_query_and_support_are_of_different_subjects() -> None:
    subjects = np.repeat(np.arange(6), 3)
    rng = np.random.default_rng(0)
    for _ in range(50):
        query, support = draw_query_and_support(subjects, 2, 5, rng)
        assert not set(subjects[query]) & set(subjects[support])
        assert len(set(subjects[query])) == 2
        assert len(set(support)) == 5


def test_a_task_with_one_subject_uses_other_images() -> None:
    rng = np.random.default_rng(0)
    query, support = draw_query_and_support(np.zeros(4, dtype=int), 2, 8, rng)
    assert not set(query) & set(support)
    assert len(support) == 8


def test_a_task_with_one_image_is_refused() -> None:
    with pytest.raises(InputError, match="The task has 1 image"):
        draw_query_and_support(np.zeros(1, dtype=int), 1, 1, np.random.default_rng(0))


def test_support_sizes_zero_and_beyond_the_pool() -> None:
    subjects = np.arange(5)
    rng = np.random.default_rng(0)
    assert draw_query_and_support(subjects, 1, 0, rng)[1].shape == (0,)
    query, support = draw_query_and_support(subjects, 1, 64, rng)
    assert len(support) == 64
    assert set(support) == set(range(5)) - set(query)


def test_replacement_repeats_and_its_absence_does_not() -> None:
    subjects = np.arange(30)
    rng = np.random.default_rng(0)
    repeated = [len(set(draw_query_and_support(subjects, 1, 16, rng, replacement=True)[1])) for _ in range(20)]
    assert min(repeated) < 16
    unique = [len(set(draw_query_and_support(subjects, 1, 16, rng, replacement=False)[1])) for _ in range(20)]
    assert set(unique) == {16}
