"""Networks in files: what is written comes back, and what is no network is refused in words."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from UniverSegSlicerLib.errors import InputError, ModelError
from UniverSegSlicerLib.network import load_model
from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.network.weights.files import infer_architecture, read_network, write_network
from UniverSegSlicerLib.network.weights.safetensors import write_safetensors

from .examples import build, example

SMALL = Architecture(4, (8, 12, 16, 8), cross_activation=True, normalization="group", resolution=64)
PUBLISHED = Architecture(1, (8, 8, 8, 8))


def test_a_network_survives_its_file(tmp_path: Path) -> None:
    network = build(SMALL)
    write_network(tmp_path / "x.safetensors", network, {"training": "none"}, half=False)
    found = read_network(tmp_path / "x.safetensors")
    assert found.architecture == SMALL
    for name, tensor in network.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor)
    assert all(parameter.requires_grad for parameter in found.parameters())


def test_half_precision_storage_loads_as_single(tmp_path: Path) -> None:
    network = build(PUBLISHED)
    write_network(tmp_path / "half.safetensors", network)
    write_network(tmp_path / "single.safetensors", network, half=False)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.7 * (tmp_path / "single.safetensors").stat().st_size
    for name, tensor in read_network(tmp_path / "half.safetensors").state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, network.state_dict()[name].half().float())


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_published_state_dict_loads_and_tells_its_architecture(tmp_path: Path, wrapped: bool) -> None:
    network = build(PUBLISHED)
    state = dict(network.state_dict())
    torch.save({"state_dict": state} if wrapped else state, tmp_path / "x.pt")
    model = load_model(tmp_path / "x.pt", "cpu", precision="fp32")
    assert model.architecture == PUBLISHED and model.name == "x" and str(model.device) == "cpu"
    inputs = example(1, 2, rows=16, columns=16)
    with torch.no_grad():
        torch.testing.assert_close(model(*inputs), network(*inputs), rtol=0, atol=1e-5)


class Bomb:
    """Unpickling this runs a command."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {os.environ['BOMB']}",)


@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path: Path, writer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "ran"
    monkeypatch.setenv("BOMB", str(mark))
    path = tmp_path / "bomb.pt"
    if writer == "pickle":
        path.write_bytes(pickle.dumps({"x": Bomb()}))
    else:
        torch.save({"x": Bomb()}, path)
    with pytest.raises(ModelError, match="contains code"):
        load_model(path)
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken zip", b"not a model at all", bytes(1000)])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_files_that_are_no_models_are_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"x\."):
        load_model(path)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    network = build(PUBLISHED)
    torch.save(network.state_dict(), tmp_path / "x.pt")
    write_network(tmp_path / "x.safetensors", network)
    for path in (tmp_path / "x.pt", tmp_path / "x.safetensors"):
        content = path.read_bytes()
        for length in (len(content) // 2, len(content) - 1):
            path.write_bytes(content[:length])
            with pytest.raises(ModelError):
                load_model(path)


@pytest.mark.parametrize("content", [[1, 2], {"x": 3}, torch.zeros(3), {1: torch.zeros(3)}])
def test_other_things_that_torch_saves_are_no_models(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(ModelError, match="expected a state dict"):
        load_model(tmp_path / "x.pt")


def test_the_tensor_that_does_not_fit_is_named(tmp_path: Path) -> None:
    state = dict(build(PUBLISHED).state_dict())
    name = "dec_blocks.1.target.vmapped.conv.weight"
    broken = [
        ({**state, name: torch.zeros(8, 8, 5, 5)}, rf"{name} has shape \(8, 8, 5, 5\), expected \(8, 8, 3, 3\)"),
        ({key: value for key, value in state.items() if key != name}, f"{name} is missing"),
        ({**state, "extra.weight": torch.zeros(1)}, "extra.weight belongs to no part"),
        ({**state, name: state[name] / 0}, f"{name} has values that are not finite"),
        ({**state, name: torch.zeros(8, 8, 3, 3, dtype=torch.int64)}, f"{name} has values"),
        ({"something": torch.zeros(2)}, "not those of a UniverSeg network"),
        ({"enc_blocks.1.cross.cross_conv.weight": torch.zeros(8, 3, 3, 3)}, "not those of a UniverSeg network"),
    ]
    for number, (content, words) in enumerate(broken):
        path = tmp_path / f"{number}.pt"
        torch.save(content, path)
        with pytest.raises(ModelError, match=words):
            load_model(path)


def test_a_safetensors_file_without_architecture_is_refused(tmp_path: Path) -> None:
    state = build(PUBLISHED).state_dict()
    write_safetensors(tmp_path / "x.safetensors", state)
    with pytest.raises(ModelError, match="no architecture in its metadata"):
        load_model(tmp_path / "x.safetensors")
    for text in ("{", "[]", '{"encoder": "x"}', '{"query_channels": 9}', '{"new_field": 1}'):
        write_safetensors(tmp_path / "x.safetensors", state, {"architecture": text})
        with pytest.raises(ModelError):
            load_model(tmp_path / "x.safetensors")


def test_architecture_follows_from_shapes() -> None:
    for architecture in (Architecture(), Architecture(4, (6, 7)), Architecture(2, (5,))):
        state = build(architecture).state_dict()
        assert infer_architecture(state, "x") == architecture


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "vulkan", ""])
def test_devices_that_are_not_there_are_refused(tiny_model_path: Path, device: str) -> None:
    with pytest.raises(InputError, match="device"):
        load_model(tiny_model_path, device)


def test_unknown_precision_is_refused(tiny_model_path: Path) -> None:
    with pytest.raises(InputError, match="precision"):
        load_model(tiny_model_path, precision="fp8")  # type: ignore[arg-type]


def test_auto_precision_takes_half_only_where_the_processor_computes_it(
    tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert load_model(tiny_model_path, "cpu").dtype == torch.float32
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert load_model(tiny_model_path, "cpu").dtype == torch.bfloat16
    assert load_model(tiny_model_path, "cpu", precision="fp32").dtype == torch.float32
