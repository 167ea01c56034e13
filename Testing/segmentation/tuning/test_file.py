"""Tuned weights in a file: they serve with the model and the support set that they belong to, and no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from UniverSegSlicerLib.errors import InputError, ModelError
from UniverSegSlicerLib.network import Architecture, InContextModel
from UniverSegSlicerLib.network.families import new_network
from UniverSegSlicerLib.network.weights.safetensors import read_safetensors, write_safetensors
from UniverSegSlicerLib.segmentation import SupportSet
from UniverSegSlicerLib.segmentation.tuning import Tuned, TuningReport, read_tuned, tuned_path, write_tuned
from UniverSegSlicerLib.segmentation.tuning.steps import tuned_names

REPORT = TuningReport(True, 10, 2.5, 0.5, 0.625, 4, "held-out examples gain")


def _model(seed: int = 1) -> InContextModel:
    torch.manual_seed(seed)
    network = new_network(Architecture(query_channels=4, encoder=(4, 4), resolution=32)).eval()
    return InContextModel(network, name="small", device=torch.device("cpu"), precision="fp32")


def _support(seed: int = 0) -> SupportSet:
    rng = np.random.default_rng(seed)
    return SupportSet.from_pairs(rng.random((3, 32, 32)), rng.integers(0, 2, (3, 32, 32)))


def _tuned(model: InContextModel) -> Tuned:
    state = {name: model.network.get_parameter(name).detach() + 0.1 for name in tuned_names(model.network)}
    return Tuned(model, REPORT, state)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tuned_path(tmp_path / "set.npz")
    write_tuned(path, _tuned(_model()), _model(), _support())
    return path


def test_a_file_gives_the_tuned_model_and_what_happened(file, tmp_path):
    assert file.name == "set.tuned.safetensors"
    _support().save(tmp_path / "set.npz")
    model = _model()
    found = read_tuned(file, model, SupportSet.load(tmp_path / "set.npz"))
    assert found.report == REPORT and found.model.name == "small, tuned"
    for name, tensor in _tuned(model).state.items():
        assert torch.equal(found.model.network.get_parameter(name), tensor)


@pytest.mark.parametrize(
    ("model", "support", "message"),
    [
        (2, 0, "tuned from another model than small; tune again.$"),
        (1, 1, "tuned on another support set; tune again.$"),
        (1, None, "tuned on another support set; tune again.$"),
    ],
)
def test_weights_of_something_else_are_refused(file, model, support, message):
    with pytest.raises(ModelError, match=message):
        read_tuned(file, _model(model), None if support is None else _support(support))


def test_switching_an_example_off_makes_another_support_set(file):
    with pytest.raises(ModelError, match="another support set"):
        read_tuned(file, _model(), _support().using([0, 1]))


def test_damage_is_one_sentence(file):
    state, metadata = read_safetensors(file)
    name = next(iter(state))
    broken = [
        ({**state, name: state[name][:1]}, metadata, "its tensors are not those"),
        ({key: state[key] for key in state if key != name}, metadata, "its tensors are not those"),
        ({**state, name: state[name] * float("nan")}, metadata, "not finite"),
        (state, {**metadata, "format": "x"}, "no tuned weights"),
        (state, {**metadata, "report": "[]"}, "damaged"),
    ]
    for tensors, words, message in broken:
        write_safetensors(file, tensors, words)
        with pytest.raises(ModelError, match=message):
            read_tuned(file, _model(), _support())
    file.write_bytes(b"nothing")
    with pytest.raises(ModelError):
        read_tuned(file, _model(), _support())
    file.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        read_tuned(file, _model(), _support())


def test_what_was_not_kept_is_not_written(tmp_path):
    with pytest.raises(InputError, match="no tuned weights to keep"):
        write_tuned(
            tmp_path / "a.safetensors",
            replace(_tuned(_model()), report=replace(REPORT, kept=False)),
            _model(),
            _support(),
        )
    assert not list(tmp_path.iterdir())
