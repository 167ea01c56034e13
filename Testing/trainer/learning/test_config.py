"""Configuration files."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from trainer.learning.loop.config import OptimizerSettings, Phase, TrainingConfig, from_mapping, load_config, to_mapping
from trainer.learning.loop.schedule import learning_rate
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.network.attentive.architecture import AttentiveArchitecture


@pytest.fixture
def written(tmp_path: Path):  # type: ignore[no-untyped-def]
    def write(**values: object) -> Path:
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump({"name": "x", "phases": [{"steps": 2}], **values}), encoding="utf-8")
        return path

    return write


def test_every_configuration_of_the_repository_loads(repository: Path) -> None:
    files = sorted((repository / "trainer" / "configs").glob("*.yaml"))
    assert "default.yaml" in [file.name for file in files]
    for file in files:
        config = load_config(file)
        assert config.steps > 0
        assert config.data.role == "train"


def test_a_configuration_survives_writing_and_reading(written) -> None:  # type: ignore[no-untyped-def]
    path = written(
        architecture={"query_channels": 4, "encoder": [8, 16]},
        optimizer={"learning_rate": "1e-3"},
        episodes={"augmentation": {"task": {"affine_p": 1, "scale": [1, 2]}}},
    )
    config = load_config(path)
    assert config.architecture.encoder == (8, 16)
    assert config.optimizer.learning_rate == 1e-3
    assert config.episodes.augmentation.task.scale == (1.0, 2.0)
    assert from_mapping(TrainingConfig, yaml.safe_load(yaml.safe_dump(to_mapping(config)))) == config


def test_an_attentive_network_keeps_its_family(written) -> None:  # type: ignore[no-untyped-def]
    config = load_config(written(architecture={"family": "attentive", "heads": 2}, encoder={"weights": "random"}))
    assert config.architecture == AttentiveArchitecture(heads=2)
    assert not config.encoder.trained
    assert from_mapping(TrainingConfig, yaml.safe_load(yaml.safe_dump(to_mapping(config)))) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"architecture": {"family": "diffusive"}}, "architecture: This model is of the family 'diffusive'"),
        ({"architecture": {"family": "attentive", "heads": 0}}, "architecture: heads must be an integer from 1 to 64"),
        ({"encoder": {"weights": "resnet"}}, "encoder.weights is 'resnet'; expected one of"),
        ({"lr": 1}, "Unknown key 'lr'"),
        ({"optimizer": {"rate": 1}}, "Unknown key 'optimizer.rate'"),
        ({"episodes": {"augmentation": {"task": {"spin": 1}}}}, r"Unknown key 'episodes.augmentation.task.spin'"),
        ({"seed": "seven"}, "seed is 'seven'; expected int"),
        ({"seed": True}, "seed is True; expected int"),
        ({"precision": "8-bit"}, "precision is '8-bit'; expected one of"),
        ({"phases": []}, "phases is empty"),
        ({"phases": [{"resolution": 64}]}, r"lacks the key 'phases\[0\].steps'"),
        ({"phases": [{"steps": 1, "resolution": 60}]}, "resolution 60; this network needs multiples of 8"),
        ({"phases": [{"steps": 1, "tasks": [1, 2, 3]}]}, "expected 2 values"),
        ({"phases": [{"steps": 1, "shares": {"films": 1}}]}, "a phase's shares names 'films'"),
        ({"phases": [{"steps": 1, "prompted": 2}]}, "prompted 2.0; expected a factor from 0 to 1"),
        ({"phases": [{"steps": 1, "enlarge": {0: 1}}]}, "draws enlarge from {0: 1.0}; expected factors from 1 to 4"),
        ({"phases": [{"steps": 1, "enlarge": {2: 1}}]}, "a network of the family 'attentive' only"),
        ({"encoder": {"trained": True, "rate": 0}}, "encoder.The rate is 0.0, expected a share of the learning rate"),
        ({"architecture": {"encoder": [0]}}, "encoder must be an integer"),
        ({"episodes": {"augmentation": {"task": {"affine_p": 2}}}}, "affine_p is 2"),
        ({"data": 5}, "data is 5; expected a mapping"),
    ],
)
def test_mistakes_are_named_with_their_place(written, values: dict, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        load_config(written(**values))


def test_a_missing_file_and_broken_yaml(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(InputError, match="is not valid YAML"):
        load_config(tmp_path / "broken.yaml")


def test_phases_follow_each_other_and_progress_counts_compute() -> None:
    phases = (Phase(steps=4, resolution=32, pairs=8), Phase(steps=1, resolution=64, pairs=8))
    config = TrainingConfig("x", phases)
    assert [config.phase_at(step).resolution for step in range(5)] == [32] * 4 + [64]
    # Four small updates cost as much as one at twice the side.
    assert [config.progress(step) for step in (0, 2, 4, 5)] == [0.0, 0.25, 0.5, 1.0]


def test_tasks_follow_from_the_support_drawn() -> None:
    phase = Phase(steps=1, queries=2, pairs=48, tasks=(2, 12))
    assert [phase.tasks_for(support) for support in (0, 1, 2, 4, 16, 64)] == [12, 12, 12, 6, 2, 2]


@pytest.mark.parametrize(("schedule", "half"), [("cosine", 0.51), ("linear", 0.51), ("constant", 1.0)])
def test_learning_rate(schedule: str, half: float) -> None:
    settings = OptimizerSettings(learning_rate=1.0, warmup_steps=10, schedule=schedule, final_share=0.02)  # type: ignore[arg-type]
    assert learning_rate(0, 0.0, settings) == pytest.approx(0.1)
    assert learning_rate(100, 0.5, settings) == pytest.approx(half)
    assert learning_rate(1000, 1.0, settings) == pytest.approx(1.0 if schedule == "constant" else 0.02)
