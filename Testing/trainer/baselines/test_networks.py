"""The few-shot methods: what each does with examples whose answer is plain."""

from __future__ import annotations

import pytest
import torch

from trainer.baselines.alpnet import ALPNet
from trainer.baselines.architecture import FAMILIES, BaselineArchitecture
from trainer.baselines.families import new_baseline
from trainer.baselines.panet import PANet, matched, prototypes
from trainer.learning.networks.kinds import new_trained, trained_architecture_from_json
from UniverSegSlicerLib.errors import InputError, ModelError


def architecture(family: str) -> BaselineArchitecture:
    return BaselineArchitecture(family, width=16, resolution=64)


@pytest.fixture(params=FAMILIES)
def network(request: pytest.FixtureRequest):
    torch.manual_seed(0)
    return new_baseline(architecture(request.param)).eval()


def episode(tasks: int = 2, queries: int = 3, support: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(tasks, support, 1, 64, 64, generator=generator)
    labels = torch.zeros_like(images)
    labels[..., 10:40, 20:50] = 1
    return torch.rand(tasks, queries, 1, 64, 64, generator=generator), images, labels


@torch.no_grad()
def test_queries_of_one_task_are_answered_as_each_alone(network) -> None:
    queries, images, labels = episode()
    together = network.episodes(queries, images, labels)
    assert together.shape == (2, 3, 1, 64, 64)
    alone = network(queries[1:, 2], images[1:], labels[1:])
    assert torch.allclose(together[1:, 2], alone, atol=1e-4)


@torch.no_grad()
def test_the_order_of_the_examples_does_not_matter_and_their_labels_do(network) -> None:
    queries, images, labels = episode()
    answer = network.episodes(queries, images, labels)
    turned = [2, 0, 3, 1]
    assert torch.allclose(answer, network.episodes(queries, images[:, turned], labels[:, turned]), atol=1e-4)
    assert not torch.allclose(answer, network.episodes(queries, images, labels.flip(-1)), atol=1e-3)


def test_without_an_example_it_says_so(network) -> None:
    with pytest.raises(InputError, match="at least one example"):
        network(torch.rand(1, 1, 64, 64), torch.rand(1, 0, 1, 64, 64), torch.rand(1, 0, 1, 64, 64))


def test_the_nearer_prototype_wins() -> None:
    features = torch.zeros(1, 1, 2, 4, 4)
    features[:, :, 0, :, :2] = 1
    features[:, :, 1, :, 2:] = 1
    masks = torch.zeros(1, 1, 4, 4)
    masks[..., :2] = 1
    inside, outside = prototypes(features, masks)
    assert torch.allclose(inside, torch.tensor([[1.0, 0.0]]), atol=1e-4)
    assert torch.allclose(outside, torch.tensor([[0.0, 1.0]]), atol=1e-4)
    # The cosines are 1 and 0; the paper's multiplier is 20.
    assert torch.allclose(matched(features, inside, outside), 40 * (masks - 0.5), atol=1e-2)


def test_an_example_without_the_structure_does_not_blur_its_prototype() -> None:
    generator = torch.Generator().manual_seed(0)
    features, masks = torch.rand(1, 2, 3, 4, 4, generator=generator), torch.zeros(1, 2, 4, 4)
    masks[:, 0, :2] = 1
    inside, _ = prototypes(features, masks)
    alone, _ = prototypes(features[:, :1], masks[:, :1])
    assert torch.allclose(inside, alone)


@pytest.mark.parametrize("kind", [PANet, ALPNet])
def test_the_way_back_is_a_term_of_the_loss_in_training_only(kind) -> None:
    network = kind(architecture("panet"))
    queries, images, labels = episode()
    network.train().episodes(queries, images, labels)
    assert float(network.term.detach()) > 0
    network.eval().episodes(queries, images, labels)
    assert network.term is None


def test_an_architecture_travels_as_json_and_wrong_ones_are_refused() -> None:
    own = architecture("senet")
    assert trained_architecture_from_json(own.to_json()) == own
    assert type(new_trained(own)).__name__ == "SENet"
    with pytest.raises(ModelError, match="no baseline"):
        BaselineArchitecture("fewnet")
    with pytest.raises(ModelError, match="field 'depth'"):
        BaselineArchitecture.from_dict({"family": "senet", "depth": 3})
    with pytest.raises(ModelError):
        trained_architecture_from_json("nonsense")
