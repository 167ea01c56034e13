"""Losses, Dice, the episode forward pass and averaged weights."""

from __future__ import annotations

import math

import pytest
import torch

from trainer.learning.loop.losses import (
    cross_entropy_loss,
    false_area_loss,
    hard_dice,
    log_dice_loss,
    segmentation_loss,
    soft_dice_loss,
)
from trainer.learning.loop.schedule import AveragedWeights
from trainer.learning.networks.episode_forward import episode_logits
from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.network.published.model import UniverSeg


def test_soft_dice_of_known_values() -> None:
    target = torch.zeros(1, 1, 4, 4)
    target[..., :2] = 1
    assert float(soft_dice_loss((target - 0.5) * 200, target)) == pytest.approx(0, abs=1e-5)
    assert float(soft_dice_loss((0.5 - target) * 200, target)) == pytest.approx(1, abs=1e-5)
    # All pixels at one half: overlap 2 * 8 * 0.5, squares 16 * 0.25 + 8.
    assert float(soft_dice_loss(torch.zeros_like(target), target)) == pytest.approx(1 - 8 / 12, abs=1e-5)


def test_log_dice_of_known_values() -> None:
    target = torch.zeros(1, 1, 4, 4)
    target[..., :2] = 1
    assert float(log_dice_loss((target - 0.5) * 200, target)) == pytest.approx(0, abs=1e-5)
    assert float(log_dice_loss((0.5 - target) * 200, target)) == pytest.approx(math.log(17), abs=1e-5)
    # All pixels at one half: overlap 2 * 8 * 0.5 + 1, areas 8 + 8 + 1.
    assert float(log_dice_loss(torch.zeros_like(target), target)) == pytest.approx(math.log(17 / 9), abs=1e-5)


def test_log_dice_pulls_harder_than_soft_dice_where_the_structure_is_missed() -> None:
    target = torch.zeros(1, 1, 16, 16)
    target[..., 4:8, 4:8] = 1
    pulls = []
    for weights in ({"dice": 1.0, "log_dice": 0.0}, {"dice": 0.0, "log_dice": 1.0}):
        logits = torch.full_like(target, -6.0).requires_grad_()
        segmentation_loss(logits, target, cross_entropy=0.0, focal_gamma=0.0, **weights).sum().backward()
        assert logits.grad is not None
        pulls.append(-float(logits.grad[target > 0].sum()))
    assert pulls[1] > 5 * pulls[0] > 0


def test_cross_entropy_and_its_focal_form() -> None:
    logits, target = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    assert float(cross_entropy_loss(logits, target)) == pytest.approx(0.6931, abs=1e-4)
    assert float(cross_entropy_loss(logits, target, focal_gamma=2)) == pytest.approx(0.6931 / 4, abs=1e-4)


def test_an_answer_to_an_empty_target_costs_by_its_area() -> None:
    empty = torch.zeros(1, 1, 10, 10)
    logits = torch.full_like(empty, -20.0)
    logits[..., 0, :2] = 20.0
    # Two wrong pixels of a hundred, and two are half of the price.
    assert float(false_area_loss(logits, 0.02)) == pytest.approx(0.5, abs=1e-4)
    everywhere = torch.full_like(empty, -1.0).requires_grad_()
    loss = segmentation_loss(everywhere, empty, dice=1.0, cross_entropy=0.5, focal_gamma=0, empty_area=0.01)
    area = 100 * 0.26894**2
    assert float(loss.detach()) == pytest.approx(0.5 * 0.31326 + area / (area + 1), abs=1e-3)
    loss.sum().backward()
    assert everywhere.grad is not None
    assert bool((everywhere.grad > 0).all())


def test_hard_dice() -> None:
    a, b = torch.zeros(3, 1, 2, 2, dtype=torch.bool), torch.zeros(3, 1, 2, 2, dtype=torch.bool)
    a[0, 0, 0], b[0, 0, :, 0] = True, True
    a[1] = True
    assert hard_dice(a, b).tolist() == pytest.approx([0.5, 0.0, 1.0])


@pytest.mark.parametrize("normalization", ["none", "group"])
@pytest.mark.parametrize("cross_activation", [False, True])
@pytest.mark.parametrize("support", [0, 1, 3])
def test_episodes_give_what_the_network_gives_pair_by_pair(
    normalization: str, cross_activation: bool, support: int
) -> None:
    torch.manual_seed(0)
    network = UniverSeg(Architecture(4, (4, 6, 8), cross_activation, normalization, 16))  # type: ignore[arg-type]
    queries = torch.rand(2, 3, 4, 16, 16)
    images, labels = torch.rand(2, support, 1, 16, 16), torch.rand(2, support, 1, 16, 16)
    found = episode_logits(network, queries, images, labels)
    for task in range(2):
        for query in range(3):
            expected = network(queries[task, query : query + 1], images[task : task + 1], labels[task : task + 1])
            assert torch.allclose(found[task, query], expected[0], atol=2e-5)


def test_gradients_of_episodes_equal_those_of_the_network() -> None:
    torch.manual_seed(0)
    network = UniverSeg(Architecture(4, (4, 6, 8), normalization="group", resolution=16))
    queries, images, labels = torch.rand(1, 2, 4, 16, 16), torch.rand(1, 3, 1, 16, 16), torch.rand(1, 3, 1, 16, 16)
    weight = network.enc_blocks[0].support_conv.weight
    episode_logits(network, queries, images, labels).square().sum().backward()
    found = weight.grad.clone()
    weight.grad = None
    plain = network(queries[0], images.expand(2, -1, -1, -1, -1), labels.expand(2, -1, -1, -1, -1))
    plain.square().sum().backward()
    assert torch.allclose(found, weight.grad, rtol=1e-3, atol=1e-5)


def test_averaged_weights_follow_slowly() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    averaged = AveragedWeights(network, 0.9)
    torch.nn.init.ones_(network.weight)
    seen = []
    for _ in range(40):
        averaged.update(network)
        seen.append(float(averaged.values["weight"]))
    assert seen == sorted(seen)
    assert seen[0] > 0.5  # early averages forget the start
    assert 0.9 < seen[-1] < 1.0
    averaged.copy_to(network)
    assert float(network.weight.detach()) == pytest.approx(seen[-1])
