"""Muon's updates, and which weights it moves."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.learning.loop.config import OptimizerSettings
from trainer.learning.loop.muon import Muon, orthogonal
from trainer.learning.loop.optimizers import make_optimizers, set_rate
from trainer.learning.networks.encoder_weights import encoder_of, hold_still
from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.network.attentive.architecture import AttentiveArchitecture
from UniverSegSlicerLib.network.attentive.model import AttentiveUniverSeg
from UniverSegSlicerLib.network.published.model import UniverSeg


@settings(deadline=None)
@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 1000))
def test_singular_values_become_about_one_and_the_singular_vectors_stay(rows: int, columns: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    u, _, vh = torch.linalg.svd(torch.randn(rows, columns, generator=generator), full_matrices=False)
    values = torch.logspace(0, -1, min(rows, columns))
    made = orthogonal((u * values) @ vh)
    found = u.T @ made @ vh.T
    assert torch.allclose(found, torch.diag(found.diag()), atol=1e-3)
    assert found.diag().min() > 0.6 and found.diag().max() < 1.3


def test_a_gradient_of_zeros_moves_nothing() -> None:
    kernel = torch.nn.Parameter(torch.randn(4, 3, 3, 3))
    before = kernel.detach().clone()
    optimizer = Muon([kernel], lr=0.1)
    kernel.grad = torch.zeros_like(kernel)
    optimizer.step()
    assert torch.equal(kernel.detach(), before)


def test_an_update_has_the_size_of_adams_whatever_the_gradient() -> None:
    for scale in (1e-4, 1e4):
        kernel = torch.nn.Parameter(torch.zeros(16, 8, 3, 3))
        optimizer = Muon([kernel], lr=0.01)
        kernel.grad = scale * torch.randn(16, 8, 3, 3, generator=torch.Generator().manual_seed(1))
        optimizer.step()
        assert float(kernel.detach().square().mean().sqrt()) == pytest.approx(0.01 * 0.2, rel=0.2)


def test_weight_decay_does_not_depend_on_the_gradient() -> None:
    kernel = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = Muon([kernel], lr=0.1, weight_decay=0.5)
    kernel.grad = torch.zeros(2, 2)
    optimizer.step()
    assert torch.allclose(kernel.detach(), torch.full((2, 2), 0.95))


def test_it_goes_down_a_narrow_valley() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(256, 20, generator=generator) @ torch.diag(torch.logspace(0, -1.5, 20))
    target = inputs @ torch.randn(20, 10, generator=generator)
    weight = torch.nn.Parameter(torch.zeros(20, 10))
    optimizer = Muon([weight])
    losses = []
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.3 * (1 - step / 200)
        loss = (inputs @ weight - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 1e-4 * losses[0]


def test_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="two or more axes"):
        Muon([torch.nn.Parameter(torch.zeros(3))])


def test_every_trained_weight_has_one_optimizer() -> None:
    network = UniverSeg(Architecture(query_channels=4, encoder=(4, 4, 4)))
    fixed = network.dec_blocks[-1].support_conv.weight.requires_grad_(False)
    for kind in ("adamw", "muon"):
        optimizers = make_optimizers(network, OptimizerSettings(kind=kind))  # type: ignore[arg-type]
        moved = [p for one in optimizers.values() for group in one.param_groups for p in group["params"]]
        assert len(moved) == len({id(p) for p in moved})
        expected = {id(p) for p in network.parameters() if p is not fixed}
        assert {id(p) for p in moved} == expected
    assert set(optimizers) == {"adamw", "muon"}
    output = network.out_conv.parameters()
    adams = {id(p) for group in optimizers["adamw"].param_groups for p in group["params"]}
    assert {id(p) for p in output} <= adams


@pytest.mark.parametrize("kind", ["adamw", "muon"])
@pytest.mark.parametrize("trained", [False, True])
def test_an_encoder_of_photographs_moves_in_smaller_steps_or_not_at_all(kind: str, trained: bool) -> None:
    network = AttentiveUniverSeg(AttentiveArchitecture(widths=(4, 4, 4, 4, 4), heads=1, head_channels=4))
    hold_still(network, encoder_trained=trained)
    optimizers = make_optimizers(network, OptimizerSettings(kind=kind))  # type: ignore[arg-type]
    for one in optimizers.values():
        set_rate(one, 0.8, 0.25)
    rates = {
        id(p): (name, group["lr"])
        for name, one in optimizers.items()
        for group in one.param_groups
        for p in group["params"]
    }
    encoder = encoder_of(network)
    assert encoder is not None
    its = {id(p) for p in encoder.parameters()}
    assert {rates.get(one) for one in its} == ({("adamw", 0.2)} if trained else {None})
    others = {id(p) for p in network.parameters()} - its
    assert {rates[one][1] for one in others} == {0.8}
