"""The commands train, evaluate, bundle, synthetic and episodes, as a user runs them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from trainer.cli.app import run
from trainer.learning.loop.beginnings import training_of
from trainer.learning.loop.checkpoints import averaged_network
from UniverSegSlicerLib.network.loading import load_model
from UniverSegSlicerLib.network.weights.files import read_network
from UniverSegSlicerLib.network.weights.safetensors import read_safetensors

SETTINGS = {
    "name": "small",
    "phases": [{"steps": 3, "resolution": 16, "queries": 1, "pairs": 2, "tasks": [1, 2], "support": {1: 1}}],
    "architecture": {"query_channels": 4, "encoder": [4, 4], "resolution": 16},
    "episodes": {"shares": {"synthetic": 1.0}},
    "record": {"checkpoint_every": 2, "validate_every": 0, "pictures_every": 2},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    return path


def test_train_stop_resume_and_bundle(tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    command = ["train", str(config), "--run", str(folder), "--accelerator", "cpu"]
    assert run([*command, "--minutes", "0"]) == 0
    assert "1 of 3 steps" in capsys.readouterr().out
    assert run(command) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert run([*command, "--resume"]) == 0
    assert "3 of 3 steps" in capsys.readouterr().out
    assert (folder / "pictures" / "step_0000002.png").is_file()

    weights, catalogue = tmp_path / "out" / "default.safetensors", tmp_path / "models.json"
    catalogue.write_text(json.dumps({"models": [{"name": "default", "sha256": None}]}), encoding="utf-8")
    arguments = ["bundle", str(folder), "-o", str(weights), "--catalogue", str(catalogue), "--resolution", "32"]
    assert run(arguments) == 0
    model = load_model(weights, "cpu")
    assert (model.architecture.encoder, model.resolution) == ((4, 4), 32)
    entry = json.loads(catalogue.read_text(encoding="utf-8"))["models"][0]
    assert entry["sha256"] in capsys.readouterr().out
    assert entry["bytes"] == weights.stat().st_size
    card = weights.with_suffix(".md").read_text(encoding="utf-8")
    assert "| updates | 3 |" in card
    assert entry["sha256"] in card


def test_a_bundle_may_be_the_mean_with_the_model_that_the_run_began_with(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, first, second = ["train", str(config), "--accelerator", "cpu"], tmp_path / "first", tmp_path / "second"
    old, new, mean = (tmp_path / f"{name}.safetensors" for name in ("old", "new", "mean"))
    assert run([*train, "--run", str(first)]) == 0
    assert run(["bundle", str(first), "-o", str(old), "--catalogue", str(tmp_path / "none.json")]) == 0
    assert run([*train, "--run", str(second), "--initial", str(old)]) == 0
    bundle = ["bundle", str(second), "--catalogue", str(tmp_path / "none.json")]
    assert run([*bundle, "-o", str(new)]) == 0
    assert run([*bundle, "-o", str(mean), "--mix", str(old), "--share", "0.25"]) == 0
    a, b, c = (read_network(path).state_dict() for path in (old, new, mean))
    assert any(not torch.equal(a[name], b[name]) for name in a)
    for name in a:
        torch.testing.assert_close(c[name], 0.25 * a[name] + 0.75 * b[name], rtol=0, atol=2e-3)
    card = mean.with_suffix(".md").read_text(encoding="utf-8")
    digest = hashlib.sha256(old.read_bytes()).hexdigest()
    assert f"mean of this run's, 75%, and of those of the model file with SHA-256 {digest}, 25%" in card
    told = json.loads(read_safetensors(mean)[1]["training"])
    assert told["mixed"] == [{"share": 0.25, "sha256": digest}] and told["before"]["step"] == 3
    assert "mixed" not in json.loads(read_safetensors(new)[1]["training"])

    capsys.readouterr()
    assert run([*bundle, "-o", str(mean), "--mix", str(tmp_path / "absent")]) == 2
    assert "absent" in capsys.readouterr().err
    third = tmp_path / "third"
    assert run([*train, "--run", str(third), "--initial", str(old)]) == 0
    both = ["--mix", str(third), "--share", "0.3", "--mix", str(old), "--share", "0.45"]
    assert run([*bundle, "-o", str(mean), *both]) == 0
    mixed, d = read_network(mean).state_dict(), averaged_network(third).state_dict()
    for name in a:
        torch.testing.assert_close(mixed[name], 0.45 * a[name] + 0.25 * b[name] + 0.3 * d[name], rtol=0, atol=2e-3)
    card = mean.with_suffix(".md").read_text(encoding="utf-8")
    assert "mean of this run's, 25%, of those of a run of 3 updates, 30%, and of those of the model file" in card
    assert "runs that are mixed in: 9 updates" in card and training_of(mean)["step"] == 9

    assert run([*bundle, "-o", str(mean), "--mix", str(first)]) == 0
    assert "of those of an earlier run, 40%" in mean.with_suffix(".md").read_text(encoding="utf-8")
    assert training_of(mean)["step"] == 6, "the run that it began with counts once"

    capsys.readouterr()
    assert run([*bundle, "-o", str(mean), "--mix", str(old), "--mix", str(third), "--share", "0.5"]) == 2
    assert "2 --mix and 1 --share" in capsys.readouterr().err
    assert run([*bundle, "-o", str(mean), *both, "--mix", str(old), "--share", "0.5"]) == 2
    assert "add up to 1.25" in capsys.readouterr().err
    assert run([*bundle, "-o", str(mean), "--mix", "Resources/Weights/default.safetensors"]) == 2
    assert "default.safetensors" in capsys.readouterr().err


def test_an_unknown_key_is_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, "learning_rate": 1}), encoding="utf-8")
    assert run(["train", str(path), "--run", str(tmp_path / "run")]) == 2
    assert "Unknown key 'learning_rate'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_real_episodes_need_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "real.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, "episodes": {"shares": {"across": 1.0}}}), encoding="utf-8")
    assert run(["train", str(path), "--run", str(tmp_path / "run")]) == 2
    assert "need a store" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run(["train", str(path), "--run", str(tmp_path / "run"), "--store", str(tmp_path / "empty")]) == 2
    assert "no store" in capsys.readouterr().err


def test_bundle_and_evaluate_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "nothing").mkdir()
    assert run(["bundle", str(tmp_path / "nothing"), "-o", str(tmp_path / "x.safetensors")]) == 2
    assert "no checkpoint there" in capsys.readouterr().err
    assert run(["evaluate", str(tmp_path / "none.pt"), "--store", str(tmp_path), "--supports", "1,two"]) == 2
    assert "--supports is '1,two'" in capsys.readouterr().err


def test_synthetic_draws_a_sheet(tmp_path: Path) -> None:
    picture = tmp_path / "sheet.png"
    assert run(["synthetic", "-o", str(picture), "--tasks", "2", "--images", "3", "--side", "32"]) == 0
    pixels = np.asarray(Image.open(picture))
    assert pixels.shape == (2 * 32 + 2, 3 * 32 + 4, 3)
    # Some pixels are tinted green: the label of a task.
    assert bool((pixels[..., 1].astype(int) > pixels[..., 0].astype(int) + 40).any())


def test_bench_step_prints_both_times(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--width", "4,4", "--queries", "2", "--support", "2", "--side", "16", "--repeats", "1"]
    assert run(["bench", "step", *arguments]) == 0
    assert "times as fast" in capsys.readouterr().out
