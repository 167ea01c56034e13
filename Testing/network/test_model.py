"""The trainable network against the form written down term by term."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from UniverSegSlicerLib.cli.bench.direct_form import direct_forward
from UniverSegSlicerLib.errors import InputError, ModelError
from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.network.families import architecture_from_json
from UniverSegSlicerLib.network.published.model import UniverSeg

from .examples import build, example

SMALL = Architecture(encoder=(6, 7, 8, 9))


@pytest.mark.parametrize("normalization", ["none", "group"])
@pytest.mark.parametrize("cross_activation", [False, True])
@pytest.mark.parametrize("support", [0, 1, 5])
@pytest.mark.parametrize("channels", [1, 4])
def test_logits_and_gradients_equal_those_of_the_direct_form(channels, support, cross_activation, normalization):
    architecture = replace(
        SMALL, query_channels=channels, cross_activation=cross_activation, normalization=normalization
    )
    # In double precision, where the two forms differ by rounding alone on every processor.
    network = build(architecture).double()
    inputs = [tensor.double() for tensor in example(channels, support)]
    gradients = []
    for function in (network, lambda *tensors: direct_forward(network, *tensors)):
        network.zero_grad()
        logits = function(*inputs)
        (torch.sigmoid(logits) * torch.linspace(0, 1, logits.numel()).view_as(logits)).mean().backward()
        gradients.append((logits.detach(), {n: p.grad for n, p in network.named_parameters() if p.grad is not None}))
    (fast, fast_gradients), (direct, direct_gradients) = gradients
    assert direct.abs().max() > 0.01
    torch.testing.assert_close(fast, direct, rtol=0, atol=1e-12)
    live = {name for name, gradient in direct_gradients.items() if gradient.any()}
    assert {name for name, gradient in fast_gradients.items() if gradient.any()} == live
    for name in live:
        scale = direct_gradients[name].abs().max()
        torch.testing.assert_close(fast_gradients[name] / scale, direct_gradients[name] / scale, rtol=0, atol=1e-12)


@pytest.mark.parametrize("depth", [1, 2])
def test_shallow_networks_equal_the_direct_form(depth):
    network = build(Architecture(query_channels=2, encoder=(5,) * depth))
    inputs = example(2, 3)
    torch.testing.assert_close(network(*inputs), direct_forward(network, *inputs), rtol=0, atol=1e-5)


def test_published_size_equals_the_direct_form():
    network = build(Architecture())
    inputs = example(1, 3, batch=1, rows=64, columns=64)
    with torch.no_grad():
        torch.testing.assert_close(network(*inputs), direct_forward(network, *inputs), rtol=0, atol=1e-5)


def test_parameter_counts_and_names_are_the_published_ones():
    network = UniverSeg()
    state = network.state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == 1_182_785
    assert state["enc_blocks.0.cross.cross_conv.weight"].shape == (64, 3, 3, 3)
    assert state["dec_blocks.2.cross.cross_conv.weight"].shape == (64, 256, 3, 3)
    expected = {
        f"{half}_blocks.{index}.{part}.{field}"
        for half, count in (("enc", 4), ("dec", 3))
        for index in range(count)
        for part in ("cross.cross_conv", "target.vmapped.conv", "support.vmapped.conv")
        for field in ("weight", "bias")
    } | {"out_conv.conv.weight", "out_conv.conv.bias"}
    assert set(state) == expected
    four = UniverSeg(Architecture(query_channels=4))
    assert sum(tensor.numel() for tensor in four.parameters()) == 1_182_785 + 3 * 64 * 9


def test_initial_weights_keep_the_size_of_activations():
    torch.manual_seed(0)
    network = UniverSeg()
    cross = network.enc_blocks[1].cross_conv.weight
    activated = network.enc_blocks[1].query_conv.weight
    assert cross.std().item() == pytest.approx((128 * 9) ** -0.5, rel=0.03)
    assert activated.std().item() == pytest.approx((2 / (1 + 0.01**2) / (64 * 9)) ** 0.5, rel=0.03)
    assert not network.enc_blocks[1].cross_conv.bias.any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda q, x, y: (q[:, :1], x, y), r"query has shape .* expected \(B, 2, H, W\)"),
        (lambda q, x, y: (q[..., :20], x[..., :20], y[..., :20]), "multiples of 8"),
        (lambda q, x, y: (q, x[..., :16], y), "support_images has shape"),
        (lambda q, x, y: (q, x, y[:, :, 0]), "support_labels has shape"),
        (lambda q, x, y: (q, x, y[:, :2]), "every image needs its label"),
    ],
)
def test_shapes_that_do_not_fit_are_named(change, words):
    network = UniverSeg(Architecture(query_channels=2, encoder=(4, 4, 4, 4)))
    with pytest.raises(InputError, match=words):
        network(*change(*example(2, 3)))


def test_architecture_survives_json():
    architecture = Architecture(4, (8, 16, 16, 32), True, "group", 64)
    assert architecture_from_json(architecture.to_json()) == architecture
    assert Architecture.from_dict({}) == Architecture()


@pytest.mark.parametrize(
    "values",
    [
        {"query_channels": 0},
        {"query_channels": True},
        {"encoder": []},
        {"encoder": 64},
        {"encoder": [64, -1]},
        {"encoder": [64.0]},
        {"cross_activation": 1},
        {"normalization": "batch"},
        {"resolution": 100},
        {"depth": 3},
        [],
    ],
)
def test_impossible_architectures_are_refused(values):
    with pytest.raises(ModelError):
        Architecture.from_dict(values)
