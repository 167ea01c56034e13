"""The training loop: resuming, stopping, and what can go wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trainer.learning.loop import training
from trainer.learning.loop.beginnings import training_of
from trainer.learning.loop.checkpoints import averaged_network, find_checkpoint, list_checkpoints, load_checkpoint
from trainer.learning.loop.config import (
    EncoderSettings,
    OptimizerSettings,
    Phase,
    PromptSettings,
    RecordSettings,
    TrainingConfig,
)
from trainer.learning.loop.training import DivergenceError, RunOptions, train
from trainer.learning.release.bundled_model import bundle
from trainer.tasks.episodes import EpisodeSettings, without_randomness
from trainer.tasks.pool import DataPool
from UniverSegSlicerLib.errors import InputError, ModelError, OutputError
from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.network.attentive.architecture import AttentiveArchitecture
from UniverSegSlicerLib.network.attentive.model import AttentiveUniverSeg
from UniverSegSlicerLib.network.weights.files import read_network, write_network

CONFIG = TrainingConfig(
    name="tiny",
    phases=(Phase(3, 16, 2, 8, (1, 3), {0: 1, 1: 1, 3: 1}), Phase(3, 32, 1, 4, (1, 2), {2: 1})),
    seed=7,
    architecture=Architecture(query_channels=4, encoder=(4, 4, 4), normalization="group", resolution=32),
    episodes=EpisodeSettings(shares={"across": 1.0, "volume": 1.0}),
    prompts=PromptSettings(more_rounds_p=0.5),
    optimizer=OptimizerSettings(learning_rate=1e-2, warmup_steps=2),
    record=RecordSettings(log_every=1, checkpoint_every=2, keep_checkpoints=2, validate_every=0, pictures_every=0),
)


def run(config: TrainingConfig, folder: Path, pool: DataPool, **options: object) -> training.RunState:
    chosen = RunOptions(folder, accelerator="cpu", **options)  # type: ignore[arg-type]
    return train(config, chosen, lambda _device: pool)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    checkpoint = load_checkpoint(folder)
    named = {f"raw {name}": value for name, value in checkpoint.network.items()}
    named.update({f"averaged {name}": value for name, value in checkpoint.averaged.items()})
    for optimizer, state in checkpoint.optimizers.items():
        for number, entry in state["state"].items():
            named.update({f"{optimizer} {number} {key}": value for key, value in entry.items()})
    return named


def test_a_resumed_run_equals_an_unbroken_one_bit_for_bit(tmp_path: Path, pool: DataPool) -> None:
    run(CONFIG, tmp_path / "whole", pool)
    run(CONFIG, tmp_path / "parts", pool, minutes=0.0)
    assert load_checkpoint(tmp_path / "parts").step == 1
    # The second part begins in the first phase and ends in the second one.
    state = run(CONFIG, tmp_path / "parts", pool, resume=True)
    assert state.step == 6
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name


def test_the_same_seed_repeats_and_another_does_not(tmp_path: Path, pool: DataPool) -> None:
    for name, config in (("a", CONFIG), ("b", CONFIG), ("c", replace(CONFIG, seed=8))):
        run(config, tmp_path / name, pool)
    a, b, c = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["raw enc_blocks.0.cross.cross_conv.weight"], c["raw enc_blocks.0.cross.cross_conv.weight"])


def test_training_learns_bright_discs(tmp_path: Path, pool: DataPool) -> None:
    losses: list[float] = []
    config = replace(
        CONFIG,
        phases=(Phase(50, 16, 2, 8, (2, 2), {2: 1}),),
        # Nothing that makes one batch harder than another.
        episodes=without_randomness(EpisodeSettings(shares={"across": 1.0})),
        prompts=PromptSettings(click_p=0.0, rounds=1),
        optimizer=OptimizerSettings(learning_rate=1e-2, warmup_steps=5),
        record=replace(CONFIG.record, log_every=0, checkpoint_every=0),
    )
    options = RunOptions(tmp_path / "run", accelerator="cpu")
    train(config, options, lambda _d: pool, report=lambda _s, _n, figures: losses.append(figures["loss"]))
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_old_checkpoints_go_and_small_files_remain(tmp_path: Path, pool: DataPool) -> None:
    run(CONFIG, tmp_path, pool)
    assert [path.name for path in list_checkpoints(tmp_path / "checkpoints")] == ["step_0000004", "step_0000006"]
    record = load_checkpoint(tmp_path).record
    assert record["samples"] > 0
    assert record["configs"][0]["config"]["seed"] == 7
    assert averaged_network(tmp_path).architecture == CONFIG.architecture
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_a_checkpoint_of_the_published_width_stays_under_sixteen_megabytes_a_file(
    tmp_path: Path, pool: DataPool
) -> None:
    wide = replace(
        CONFIG,
        phases=(Phase(1, 16, 1, 1, (1, 1), {1: 1}),),
        architecture=Architecture(query_channels=4, encoder=(64, 64, 64, 64), resolution=16),
    )
    run(wide, tmp_path, pool)
    sizes = {file.name: file.stat().st_size for file in list_checkpoints(tmp_path / "checkpoints")[0].iterdir()}
    assert max(sizes.values()) < 16e6, sizes


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path, pool: DataPool) -> None:
    run(CONFIG, tmp_path, pool)
    with pytest.raises(InputError, match="holds a run already"):
        run(CONFIG, tmp_path, pool)


def test_other_settings_need_permission_and_another_network_is_refused(tmp_path: Path, pool: DataPool) -> None:
    run(CONFIG, tmp_path, pool, minutes=0.0)
    slower = replace(CONFIG, optimizer=OptimizerSettings(learning_rate=1e-4))
    with pytest.raises(InputError, match="other settings of optimizer"):
        run(slower, tmp_path, pool, resume=True)
    assert run(slower, tmp_path, pool, resume=True, changed_config=True).step == 6
    assert len(load_checkpoint(tmp_path).record["configs"]) == 2
    adam = replace(CONFIG, optimizer=OptimizerSettings(kind="adamw"))
    with pytest.raises(InputError, match="optimizers adamw, muon, the configuration has adamw"):
        run(adam, tmp_path, pool, resume=True, changed_config=True)
    wider = replace(CONFIG, architecture=replace(CONFIG.architecture, encoder=(8, 4, 4)))
    with pytest.raises(ModelError, match=r"encoder is \[4, 4, 4\] in the checkpoint"):
        run(wider, tmp_path, pool, resume=True, changed_config=True)


def test_a_start_from_another_run_takes_its_averaged_weights(tmp_path: Path, pool: DataPool) -> None:
    run(CONFIG, tmp_path / "first", pool)
    still = replace(CONFIG, optimizer=OptimizerSettings(learning_rate=0.0))
    run(still, tmp_path / "second", pool, initial=tmp_path / "first")
    first, second = weights(tmp_path / "first"), weights(tmp_path / "second")
    assert torch.equal(first["averaged out_conv.conv.weight"], second["raw out_conv.conv.weight"])
    # The record of a run tells of all training behind its weights, through a model file too.
    record = json.loads((find_checkpoint(tmp_path / "second") / "record.json").read_text(encoding="utf-8"))
    once = training_of(tmp_path / "first")
    assert once["step"] == CONFIG.steps
    assert record["before"] == once
    bundle(tmp_path / "second", tmp_path / "model.safetensors")
    for source in (tmp_path / "second", tmp_path / "model.safetensors"):
        assert training_of(source)["samples"] == 2 * once["samples"]


def test_an_attentive_network_learns_at_several_scales_of_its_encoder(tmp_path: Path, pool: DataPool) -> None:
    """The scale of a step is drawn, and a resumed run draws as an unbroken one."""
    phase = Phase(4, 32, 1, 2, (1, 1), {0: 1, 2: 1}, enlarge={1: 1, 2: 1})
    network = AttentiveArchitecture(widths=(4, 4, 4, 4, 4), heads=1, head_channels=4, value_channels=1, resolution=32)
    config = replace(
        CONFIG, phases=(phase,), architecture=network, encoder=EncoderSettings(weights="random", trained=False)
    )
    run(config, tmp_path / "whole", pool)
    run(config, tmp_path / "parts", pool, minutes=0.0)
    run(config, tmp_path / "parts", pool, resume=True)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())
    run(replace(config, phases=(replace(phase, enlarge=None),)), tmp_path / "plain", pool)
    plain = weights(tmp_path / "plain")
    assert not all(torch.equal(value, plain[name]) for name, value in whole.items())
    scales: list[int] = []
    looked = AttentiveUniverSeg.see
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AttentiveUniverSeg, "see", lambda net, *seen: (scales.append(net.enlarge), looked(net, *seen))[1])
        two = (replace(phase, steps=2, enlarge={2: 1}), replace(phase, steps=2, enlarge=None))
        run(replace(config, phases=two), tmp_path / "two", pool)
    assert scales == [2, 2, 1, 1], "a phase that draws none takes the architecture's"
    assert averaged_network(tmp_path / "whole").enlarge == 1, "the architecture's, whatever the last step had"
    larger = (replace(phase, steps=1, enlarge=None), replace(phase, steps=1, enlarge=None, resolution=64))
    run(replace(config, phases=larger), tmp_path / "larger", pool)
    finest = [
        bundle(tmp_path / name, tmp_path / f"{name}.safetensors")["architecture"]["finest"]
        for name in ("whole", "plain", "larger")
    ]
    assert finest == [2, 1, 2] and read_network(tmp_path / "whole.safetensors").architecture.finest == 2


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("trained", [False, True])
def test_an_encoder_is_held_still_or_learns_with_the_rest(
    tmp_path: Path, pool: DataPool, trained: bool, precision: str
) -> None:
    """Whatever the precision and however many rounds of clicks a step has."""
    network = AttentiveArchitecture(widths=(4, 4, 4, 4, 4), heads=1, head_channels=4, value_channels=1, resolution=32)
    config = replace(
        CONFIG, phases=(Phase(3, 32, 1, 2, (1, 1), {0: 1, 2: 1}),), architecture=network,
        prompts=PromptSettings(more_rounds_p=1), encoder=EncoderSettings(weights="random", trained=trained),
        precision=precision,  # type: ignore[arg-type]
    )  # fmt: skip
    run(replace(config, optimizer=OptimizerSettings(learning_rate=0.0)), tmp_path / "before", pool)
    run(config, tmp_path / "after", pool)
    before, after = weights(tmp_path / "before"), weights(tmp_path / "after")
    same = {name: torch.equal(value, after[name]) for name, value in before.items() if name.startswith("raw encoder.")}
    assert len(same) > 90 and all(same.values()) is not trained
    assert not torch.equal(before["raw output.weight"], after["raw output.weight"])


def test_a_resumed_run_takes_the_encoders_new_rate(tmp_path: Path, pool: DataPool) -> None:
    network = AttentiveArchitecture(widths=(4, 4, 4, 4, 4), heads=1, head_channels=4, value_channels=1, resolution=32)
    encoder = EncoderSettings(weights="random", trained=True, rate=1.0)
    config = replace(CONFIG, phases=(Phase(3, 32, 1, 2, (1, 1), {2: 1}),), architecture=network, encoder=encoder)
    run(config, tmp_path, pool, minutes=0.0)
    slower = replace(config, encoder=replace(encoder, rate=0.25))
    run(slower, tmp_path, pool, resume=True, changed_config=True)
    rest, encoders = load_checkpoint(tmp_path).optimizers["adamw"]["param_groups"]
    assert encoders["lr"] == pytest.approx(0.25 * rest["lr"]) and rest["lr"] > 0


def test_a_start_from_a_model_file_takes_its_weights(tmp_path: Path, pool: DataPool) -> None:
    run(CONFIG, tmp_path / "first", pool)
    write_network(tmp_path / "model.safetensors", averaged_network(tmp_path / "first"), half=False)
    still = replace(CONFIG, optimizer=OptimizerSettings(learning_rate=0.0))
    run(still, tmp_path / "second", pool, initial=tmp_path / "model.safetensors")
    first, second = weights(tmp_path / "first"), weights(tmp_path / "second")
    assert torch.equal(first["averaged out_conv.conv.weight"], second["raw out_conv.conv.weight"])
    other = replace(still, architecture=replace(CONFIG.architecture, encoder=(8, 4, 4)))
    with pytest.raises(ModelError, match=r"encoder is \[4, 4, 4\] in the checkpoint"):
        run(other, tmp_path / "third", pool, initial=tmp_path / "model.safetensors")


def test_nan_stops_the_run_names_the_task_and_keeps_good_weights(
    tmp_path: Path, pool: DataPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = training.segmentation_loss

    def poisoned(*arguments: torch.Tensor, **options: float) -> torch.Tensor:
        calls.append(1)
        losses = real(*arguments, **options)
        return losses if len(calls) < 4 else losses * torch.tensor(float("nan"))

    monkeypatch.setattr(training, "segmentation_loss", poisoned)
    with pytest.raises(DivergenceError, match=r"Step 3: .* Tasks: .*disc"):
        run(CONFIG, tmp_path, pool)
    saved = load_checkpoint(tmp_path)
    assert saved.step == 3
    assert all(bool(torch.isfinite(value).all()) for value in saved.network.values())


def test_a_gradient_that_is_not_finite_never_reaches_the_weights(
    tmp_path: Path, pool: DataPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = training.segmentation_loss

    def exploding(logits: torch.Tensor, target: torch.Tensor, **options: float) -> torch.Tensor:
        logits.register_hook(lambda gradient: gradient * float("inf"))
        return real(logits, target, **options)

    monkeypatch.setattr(training, "segmentation_loss", exploding)
    with pytest.raises(DivergenceError):
        run(CONFIG, tmp_path, pool)
    assert all(bool(torch.isfinite(value).all()) for value in load_checkpoint(tmp_path).network.values())


def test_a_full_disk_leaves_the_previous_checkpoint(
    tmp_path: Path, pool: DataPool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(CONFIG, tmp_path, pool, minutes=0.0)
    before = weights(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trainer.learning.loop.checkpoints.write_safetensors", full)
    with pytest.raises(OutputError, match="No space left on device"):
        run(CONFIG, tmp_path, pool, resume=True)
    assert "Warning" in capsys.readouterr().out  # those on the way only warn
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step_0000001"]
    after = weights(tmp_path)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_killed_write_is_not_taken_for_a_checkpoint(tmp_path: Path, pool: DataPool) -> None:
    run(CONFIG, tmp_path, pool, minutes=0.0)
    partial = tmp_path / "checkpoints" / ".step_0000009.partial"
    partial.mkdir()
    (partial / "model.safetensors").write_bytes(b"half")
    assert load_checkpoint(tmp_path).step == 1
    assert run(CONFIG, tmp_path, pool, resume=True).step == 6


def test_damaged_and_missing_checkpoints_are_said_to_be_so(tmp_path: Path, pool: DataPool) -> None:
    with pytest.raises(ModelError, match="no checkpoint there"):
        load_checkpoint(tmp_path)
    run(CONFIG, tmp_path, pool, minutes=0.0)
    (list_checkpoints(tmp_path / "checkpoints")[0] / "optimizer.pt").write_bytes(b"garbage")
    with pytest.raises(ModelError, match=r"damaged|corrupt"):
        load_checkpoint(tmp_path)


def test_two_processes_train_one_network(tmp_path: Path, repository: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(
        "import sys, torch\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from trainer.learning.loop.config import *\n"
        "from trainer.learning.loop.training import RunOptions, train\n"
        "from trainer.tasks.episodes import EpisodeSettings\n"
        "from UniverSegSlicerLib.network.architecture import Architecture\n"
        "config = TrainingConfig('two', (Phase(3, 16, 2, 4, (1, 2), {0: 1, 2: 1}),), seed=3,\n"
        "    architecture=Architecture(4, (4, 4), resolution=16),\n"
        "    episodes=EpisodeSettings(shares={'synthetic': 1.0}),\n"
        "    record=RecordSettings(0, 0, 3, 0, 0))\n"
        "names = []\n"
        "state = train(config, RunOptions(Path(sys.argv[1]), accelerator='cpu'), lambda d: None,\n"
        "    report=lambda s, n, f: names.append(f['loss']))\n"
        "import torch.distributed as d\n"
        "print('REPORT', d.get_rank(), d.get_world_size(), len(names), state.samples, flush=True)\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(repository / "UniverSegSlicer"), str(repository)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(
        [*command, str(tmp_path / "run")], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    reports = sorted(line.split()[1:] for line in done.stdout.splitlines() if line.startswith("REPORT"))
    # Both take all steps; only the first one reports them.
    assert [report[:3] for report in reports] == [["0", "2", "3"], ["1", "2", "0"]]
    saved = load_checkpoint(tmp_path / "run")
    assert saved.step == 3
    assert saved.record["processes"] == 2
    assert len(saved.ranks) == 2
    assert not torch.equal(saved.ranks[0]["sampler"]["device"], saved.ranks[1]["sampler"]["device"])
