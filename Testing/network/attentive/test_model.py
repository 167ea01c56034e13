"""The attentive network as a whole, trainable and behind the interface that both families share."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from UniverSegSlicerLib.errors import Cancelled, InputError, ModelError
from UniverSegSlicerLib.network import InContextModel, load_model
from UniverSegSlicerLib.network.attentive.architecture import AttentiveArchitecture
from UniverSegSlicerLib.network.attentive.model import AttentiveUniverSeg
from UniverSegSlicerLib.network.attentive.pointwise import Pointwise
from UniverSegSlicerLib.network.families import architecture_from_dict, architecture_from_json
from UniverSegSlicerLib.network.memory import OutOfMemory
from UniverSegSlicerLib.network.weights.files import read_network, write_network
from UniverSegSlicerLib.progress import CancelToken

SMALL = AttentiveArchitecture(
    widths=(4, 4, 4, 4, 4), heads=2, head_channels=5, value_channels=2, fine_channels=2, resolution=32
)
CPU = torch.device("cpu")


def _network(architecture: AttentiveArchitecture = SMALL) -> AttentiveUniverSeg:
    torch.manual_seed(3)
    return AttentiveUniverSeg(architecture).eval()


def _model(network: AttentiveUniverSeg | None = None, precision: str = "fp32") -> InContextModel:
    return InContextModel(network or _network(), name="small", device=CPU, precision=precision)


def _example(support: int, batch: int = 2, rows: int = 32, columns: int = 64) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(support)
    queries = torch.rand(batch, 4, rows, columns, generator=generator)
    queries[:, 1:3] = (queries[:, 1:3] > 0.99).float()
    images = torch.rand(batch, support, 1, rows, columns, generator=generator)
    return queries, images, (torch.rand(images.shape, generator=generator) > 0.5).float()


@torch.inference_mode()
@pytest.mark.parametrize("support", [0, 1, 5])
@pytest.mark.parametrize("enlarge", [1, 2])
def test_the_shared_interface_gives_the_networks_own_logits(support, enlarge):
    network = _network(replace(SMALL, enlarge=enlarge))
    inputs = _example(support)
    torch.testing.assert_close(_model(network)(*inputs), network(*inputs), rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_a_one_by_one_convolution_is_a_matrix_product():
    """Of the same weights by the same names, whatever the layout and the number of images."""
    mine, theirs = Pointwise(5, 7), torch.nn.Conv2d(5, 7, 1)
    theirs.load_state_dict(mine.state_dict())
    for number in (1, 20):
        image = torch.randn(number, 5, 6, 4)
        for layout in (torch.contiguous_format, torch.channels_last):
            seen = image.contiguous(memory_format=layout)
            torch.testing.assert_close(mine(seen), theirs(seen), rtol=1e-4, atol=1e-5)


def test_a_network_learns_from_features_that_need_no_gradient():
    """As tuning does, whose encoder's maps are computed once: PyTorch ended the process here."""
    network = _network().to(memory_format=torch.channels_last)
    queries, images, labels = _example(2)
    with torch.no_grad():
        seen = network.see(queries[:, None, :1], images)
    network.encoder.requires_grad_(False)
    network.episodes(queries[:, None], images, labels, seen).square().mean().backward()
    assert all(weight.grad is not None for weight in network.cross.parameters() if weight.requires_grad)


@torch.inference_mode()
def test_pieces_of_any_size_give_the_same_logits():
    network = _network()
    model = _model(network)
    queries, images, labels = _example(7, batch=3)
    support = model.encode_support(images[0], labels[0])
    whole = model.predict(queries, support)
    small = _model(network).encode_support(images[0], labels[0])
    torch.testing.assert_close(model.predict(queries, small, memory_budget=1), whole, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_queries_of_an_episode_share_its_support():
    network = _network()
    queries, images, labels = _example(3, batch=2)
    together = network.episodes(torch.stack([queries, queries.flip(0)], 1), images, labels)
    seen = network.see(torch.stack([queries, queries.flip(0)], 1)[:, :, :1], images)
    torch.testing.assert_close(together[:, 0], network(queries, images, labels), rtol=1e-3, atol=1e-4)
    again = network.episodes(torch.stack([queries, queries.flip(0)], 1), images, labels, seen)
    torch.testing.assert_close(again, together, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("plane", [1, 2, 3])
def test_every_prompt_moves_the_answer_also_without_examples(plane):
    network = _network()
    queries, images, labels = _example(0)
    queries[:, 1:] = 0
    plain = network(queries, images, labels)
    queries[:, plane, 10:14, 20:24] = 1
    assert (network(queries, images, labels) - plain).abs().max() > 1e-4


def test_progress_and_cancellation():
    model = _model()
    queries, images, labels = _example(2, batch=9)
    support = model.encode_support(images[0], labels[0])
    told: list[float] = []
    model.predict(queries, support, progress=lambda fraction, _message: told.append(fraction))
    assert told == sorted(told) and told[-1] == 1.0 and len(told) > 2
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        model.predict(queries, support, cancel=cancel)


def test_an_engine_that_cannot_encode_leaves_nothing_that_passes_for_another_s_encoding():
    model, broken = _model(), _model()
    queries, images, labels = _example(2)
    support = model.encode_support(images[0], labels[0])
    expected = model.predict(queries, support)

    def fails(*_arguments, **_options):
        raise MemoryError

    broken._engine.network.encode = fails
    with pytest.raises(OutOfMemory):
        broken.predict(queries, support)
    torch.testing.assert_close(model.predict(queries, support), expected)


def test_half_precision_gives_nearly_the_same_mask():
    network = _network()
    inputs = _example(4)
    exact, rough = _model(network)(*inputs), _model(network, "bf16")(*inputs)
    assert rough.dtype == torch.float32
    assert 0 < (exact - rough).abs().mean() < 0.05 * exact.std()
    a, b = exact > exact.median(), rough > exact.median()
    assert 2 * (a & b).sum() / (a.sum() + b.sum()) >= 0.98


def test_every_trained_weight_learns_from_an_episode():
    network = _network().train()
    network.encoder.requires_grad_(False)
    queries, images, labels = _example(3)
    network(queries, images, labels).square().mean().backward()
    idle = [name for name, weight in network.named_parameters() if weight.requires_grad and weight.grad is None]
    assert idle == []
    assert all(weight.grad is None for weight in network.encoder.parameters())


def test_a_file_keeps_the_network_and_its_family(tmp_path):
    network = _network()
    write_network(tmp_path / "small.safetensors", network, half=False)
    model = load_model(tmp_path / "small.safetensors", "cpu", precision="fp32")
    assert model.architecture == SMALL and model.query_channels == 4 and model.resolution == 32
    inputs = _example(2)
    torch.testing.assert_close(model(*inputs), _model(network)(*inputs))


def test_a_support_of_another_side_is_refused():
    model = _model()
    queries, images, labels = _example(2)
    with pytest.raises(InputError, match="multiples of 32"):
        model.encode_support(images[0, ..., :40], labels[0, ..., :40])
    with pytest.raises(InputError, match="as in the support set"):
        model.predict(queries[..., :32], model.encode_support(images[0], labels[0]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("cross.1.sharpness"), "tensor cross.1.sharpness is missing"),
        (lambda state: state.update({"output.bias": torch.zeros(2)}), r"output.bias has shape \(2,\), expected \(1,\)"),
        (lambda state: state.update({"output.bias": torch.full((1,), torch.nan)}), "not finite"),
        (lambda state: state.update({"more": torch.zeros(1)}), "tensor more belongs to no part"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path, change, words):
    from UniverSegSlicerLib.network.weights.safetensors import write_safetensors

    state = dict(_network().state_dict())
    change(state)
    write_safetensors(tmp_path / "bad.safetensors", state, {"architecture": SMALL.to_json()})
    with pytest.raises(ModelError, match=words):
        read_network(tmp_path / "bad.safetensors")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"family": "diffusive"}, "of the family 'diffusive'; this version knows published and attentive"),
        ({"family": ["attentive"]}, "family"),
        ({"family": "attentive", "depth": 3}, "Unknown field 'depth'"),
        ({"family": "attentive", "widths": [1, 2]}, "5 levels"),
        ({"family": "attentive", "widths": 8}, "list of integers"),
        ({"family": "attentive", "encoder": "resnet"}, "efficientnet-lite0"),
        ({"family": "attentive", "resolution": 100}, "multiple of 32"),
        ({"family": "attentive", "heads": True}, "heads must be an integer"),
        ([], "JSON object"),
    ],
)
def test_architectures_that_this_version_cannot_build_are_refused(values, words):
    with pytest.raises(ModelError, match=words):
        architecture_from_dict(values)


def test_architectures_travel_as_json():
    assert architecture_from_json(SMALL.to_json()) == SMALL
    with pytest.raises(ModelError, match="not JSON"):
        architecture_from_json("{")
