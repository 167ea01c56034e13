"""What a cross block takes from the support: attention, prototypes and means, each against its definition."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from UniverSegSlicerLib.network.attentive import cross_block
from UniverSegSlicerLib.network.attentive.cross_block import AttentiveCrossBlock, join, positions

CHANNELS, SIDE, HEADS, VALUES = 12, 8, 2, 3


def _block(key_side: int = SIDE, width: int = 6) -> AttentiveCrossBlock:
    torch.manual_seed(0)
    block = AttentiveCrossBlock(CHANNELS, width, heads=HEADS, head_channels=5, value_channels=VALUES, key_side=key_side)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return block.eval()


def _inputs(tasks: int = 2, queries: int = 3, size: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    query = torch.randn(tasks * queries, CHANNELS, SIDE, SIDE, generator=generator)
    support = torch.randn(tasks, size, CHANNELS, SIDE, SIDE, generator=generator)
    labels = (torch.rand(tasks, size, 1, 2 * SIDE, 2 * SIDE, generator=generator) > 0.5).float()
    return query, support, labels


@torch.inference_mode()
def test_attention_is_the_softmax_of_likeness_and_nearness():
    block, (query, support, labels) = _block(), _inputs(tasks=1, queries=1, size=2)
    normal = block.norm(query)
    found = block(normal, block.summarise(support, labels))[0, 6 : 6 + HEADS * (1 + VALUES)]
    examples = block.norm(support[0])
    label = functional.avg_pool2d(labels[0], 2)
    value = block.value(torch.cat([block.project_support(examples), label], 1))
    places = positions(SIDE, SIDE, query.device)
    far = (places[:, None] - places[None]).square().sum(-1).repeat(1, 2)
    for head in range(HEADS):
        part = slice(5 * head, 5 * head + 5)
        q = functional.normalize(block.query(normal)[0, part].flatten(1).T, dim=1)
        k = functional.normalize(block.key(examples)[:, part].transpose(0, 1).flatten(1).T, dim=1)
        score = 10 * block.sharpness[head].exp() * q @ k.T - 2 * functional.softplus(block.nearness[head]) * far
        brought = torch.cat([label, value[:, VALUES * head : VALUES * (head + 1)]], 1).transpose(0, 1).flatten(1)
        expected = (score.softmax(dim=1) @ brought.T).T.reshape(-1, SIDE, SIDE)
        torch.testing.assert_close(found[(1 + VALUES) * head :][: 1 + VALUES], expected, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_prototypes_and_means_are_those_of_the_definition():
    block, (query, support, labels) = _block(), _inputs(tasks=1, queries=1)
    normal = block.norm(query)
    rest = block(normal, block.summarise(support, labels))[0, 6 + HEADS * (1 + VALUES) :]
    examples, label = block.norm(support[0]), functional.avg_pool2d(labels[0], 2)
    for row, weight in enumerate((label, 1 - label)):
        mean = (examples * weight).sum((0, 2, 3)) / weight.sum()
        expected = functional.cosine_similarity(normal[0], mean[:, None, None], dim=0)
        torch.testing.assert_close(rest[row], expected, rtol=1e-3, atol=1e-4)
    projected = block.project_support(examples)
    means = torch.cat([label, projected, projected * label], 1).mean(0)
    torch.testing.assert_close(rest[2:], means, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("cuts", [[4], [1, 3], [2, 1, 1]])
def test_parts_of_a_support_join_to_the_whole(cuts):
    block, (query, support, labels) = _block(), _inputs()
    normal = block.norm(query)
    parts = [block.summarise(*pair) for pair in zip(support.split(cuts, 1), labels.split(cuts, 1), strict=True)]
    whole = block(normal, block.summarise(support, labels))
    torch.testing.assert_close(block(normal, join(parts)), whole, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_neither_order_nor_repetition_of_the_examples_matters():
    block, (query, support, labels) = _block(), _inputs()
    normal = block.norm(query)
    once = block(normal, block.summarise(support, labels))
    twice = block(normal, block.summarise(torch.cat([support.flip(1)] * 2, 1), torch.cat([labels.flip(1)] * 2, 1)))
    torch.testing.assert_close(twice, once, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_an_empty_support_leaves_zeros_in_its_place():
    block, (query, _, _) = _block(), _inputs()
    found = block(block.norm(query), None)
    assert found.shape == (6, block.outputs, SIDE, SIDE)
    assert not found[:, 6:].any() and found[:, :6].any()


@torch.inference_mode()
def test_large_supports_are_averaged_to_a_bounded_number_of_keys(monkeypatch):
    monkeypatch.setattr(cross_block, "MOST_KEYS", 100)
    block, (_, support, labels) = _block(), _inputs(size=4)
    assert block.summarise(support, labels).keys.shape[2] == 4 * 16
    assert block.summarise(support[:, :1], labels[:, :1]).keys.shape[2] == 64
    assert block.summarise(support[:, :1], labels[:, :1], total=400).keys.shape[2] == 1
