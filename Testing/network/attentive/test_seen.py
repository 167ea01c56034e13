"""Slices and examples that come again are not encoded again, and nothing else changes by it."""

from __future__ import annotations

import pytest
import torch

from UniverSegSlicerLib.network import InContextModel
from UniverSegSlicerLib.network.attentive import engine as engines
from UniverSegSlicerLib.network.attentive.architecture import AttentiveArchitecture
from UniverSegSlicerLib.network.attentive.engine import AttentiveEngine
from UniverSegSlicerLib.network.attentive.model import AttentiveUniverSeg
from UniverSegSlicerLib.network.attentive.seen import Seen, content_of

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> AttentiveUniverSeg:
    torch.manual_seed(4)
    return AttentiveUniverSeg(
        AttentiveArchitecture(
            widths=(4, 4, 4, 4, 4), heads=2, head_channels=5, value_channels=2, fine_channels=2, resolution=32
        )
    ).eval()


@pytest.fixture
def planes() -> torch.Tensor:
    """Image and label of 12 examples."""
    generator = torch.Generator().manual_seed(5)
    found = torch.rand(12, 2, 32, 64, generator=generator)
    found[:, 1] = found[:, 1].round()
    return found


def _model(network: AttentiveUniverSeg) -> InContextModel:
    return InContextModel(network, name="small", device=CPU, precision="fp32")


def _answer(model: InContextModel, queries: torch.Tensor, examples: torch.Tensor) -> torch.Tensor:
    return model.predict(queries, model.encode_support(examples[:, :1], examples[:, 1:]))


@pytest.fixture
def looked_at(monkeypatch) -> list[int]:
    """How many slices each call of the encoder was given, in engines that are made from now on."""
    counts: list[int] = []
    plain = AttentiveUniverSeg.features

    def features(self, images):
        counts.append(images.shape[0] * images.shape[1])
        return plain(self, images)

    monkeypatch.setattr(AttentiveUniverSeg, "features", features)
    return counts


def test_only_what_is_new_is_computed_and_the_oldest_goes():
    asked = []

    def compute(places):
        asked.append(places)
        return [f"{place}" for place in places]

    seen: Seen[str] = Seen(3)
    assert seen.of([b"a", b"b", b"a"], compute) == ["0", "1", "0"]
    assert seen.of([b"c", b"a"], compute) == ["0", "0"]
    # b was asked for longest ago.
    assert seen.of([b"d"], compute) == ["0"]
    assert seen.of([b"a", b"c", b"d"], compute) == ["0", "0", "0"]
    assert seen.of([b"b"], compute) == ["0"]
    assert asked == [[0, 1], [0], [0], [0]]


def test_more_than_is_kept_comes_back_whole():
    seen: Seen[int] = Seen(2)
    keys = [bytes([n]) for n in range(5)]
    assert seen.of(keys, lambda places: places) == [0, 1, 2, 3, 4]


def test_content_tells_slices_of_other_shape_apart():
    flat = torch.zeros(1, 1, 2, 8)
    assert content_of(flat) != content_of(flat.reshape(1, 1, 4, 4))
    assert content_of(flat.transpose(2, 3)) == content_of(torch.zeros(1, 1, 8, 2))


def test_draws_that_share_examples_give_what_they_give_alone(network, planes, looked_at):
    queries = torch.rand(5, 4, 32, 64, generator=torch.Generator().manual_seed(6))
    model = _model(network)
    draws = [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7], [11, 0]]
    found = [_answer(model, queries, planes[draw]) for draw in draws]
    # Five queries once, nine examples once each.
    assert sum(looked_at) == 5 + 9
    for draw, logits in zip(draws, found, strict=True):
        torch.testing.assert_close(logits, _answer(_model(network), queries, planes[draw]), rtol=1e-4, atol=1e-5)


def test_remembering_changes_nothing(network, planes, monkeypatch):
    queries = torch.rand(5, 4, 32, 64, generator=torch.Generator().manual_seed(7))
    model = _model(network)
    found = [_answer(model, queries, planes), _answer(model, queries, planes[3:9])]
    monkeypatch.setattr(AttentiveEngine, "_remembers", lambda *_: False)
    plain = _model(network)
    torch.testing.assert_close(found[0], _answer(plain, queries, planes), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[1], _answer(plain, queries, planes[3:9]), rtol=1e-4, atol=1e-5)


def test_an_example_with_another_label_is_another_example(network, planes):
    queries = torch.rand(2, 4, 32, 64, generator=torch.Generator().manual_seed(8))
    other = planes[:4].clone()
    other[:, 1] = 1 - other[:, 1]
    model = _model(network)
    _answer(model, queries, planes[:4])
    fresh = _answer(_model(network), queries, other)
    torch.testing.assert_close(_answer(model, queries, other), fresh, rtol=1e-4, atol=1e-5)


def test_a_larger_set_whose_keys_are_averaged_does_not_take_the_keys_of_a_small_one(network, planes, monkeypatch):
    from UniverSegSlicerLib.network.attentive import cross_block

    monkeypatch.setattr(cross_block, "MOST_KEYS", 64)
    queries = torch.rand(2, 4, 32, 64, generator=torch.Generator().manual_seed(9))
    model = _model(network)
    _answer(model, queries, planes[:1])
    fresh = _answer(_model(network), queries, planes)
    torch.testing.assert_close(_answer(model, queries, planes), fresh, rtol=1e-4, atol=1e-5)


def test_a_support_that_is_too_large_to_keep_is_encoded_as_before(network, planes, monkeypatch):
    queries = torch.rand(2, 4, 32, 64, generator=torch.Generator().manual_seed(10))
    whole = _answer(_model(network), queries, planes)
    monkeypatch.setattr(engines, "_EXAMPLES_KEPT", 4)
    torch.testing.assert_close(_answer(_model(network), queries, planes), whole, rtol=1e-4, atol=1e-5)


def test_another_network_remembers_nothing_of_this_one(network, planes):
    queries = torch.rand(2, 4, 32, 64, generator=torch.Generator().manual_seed(11))
    model = _model(network)
    before = _answer(model, queries, planes)
    torch.manual_seed(12)
    other = AttentiveUniverSeg(network.architecture).eval()
    changed = model.with_network(other, "other")
    assert not torch.equal(_answer(changed, queries, planes), before)
    fresh = _answer(_model(other), queries, planes)
    torch.testing.assert_close(_answer(changed, queries, planes), fresh, rtol=1e-4, atol=1e-5)
