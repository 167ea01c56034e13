"""Comparing networks: the baselines are trained by the loop, measured on the same queries, and put in one table."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
import yaml

from trainer.cli.app import run
from trainer.learning.comparison.bound import BoundScore, bound_of, read_bound
from trainer.learning.comparison.curves import (
    measure_checkpoints,
    measure_ensembles,
    plot_by_training_sets,
    write_curves,
    write_ensembles,
)
from trainer.learning.comparison.measure import MEAN, ComparisonSettings, measure
from trainer.learning.comparison.methods import open_methods
from trainer.learning.comparison.report import draw_comparison, write_comparison
from trainer.learning.loop import RunOptions, averaged_network, load_config, train
from trainer.tasks.pool import DataPool
from UniverSegSlicerLib.errors import InputError

CONFIGS = Path(__file__).parents[3] / "trainer" / "configs" / "compared"


def trained(family: str, folder: Path, pool: DataPool, steps: int = 2, datasets: list[str] | None = None) -> Path:
    values = yaml.safe_load((CONFIGS / f"{family}.yaml").read_text(encoding="utf-8"))
    values["architecture"] |= {"width": 16, "resolution": 32}
    values["phases"] = [
        {"steps": steps, "resolution": 32, "queries": 1, "pairs": 4, "tasks": [2, 2], "support": {2: 1}}
    ]
    values["episodes"]["shares"] = {"across": 1.0}
    values["data"] |= {"resolution": 32, "datasets": datasets}
    values["encoder"] = {"weights": "random"}
    path = folder / f"{family}.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    options = RunOptions(folder / family, "cpu", 1, 1)
    train(load_config(path), options, lambda _device: pool)
    return folder / family


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, pool: DataPool) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {family: trained(family, folder, pool) for family in ("panet", "senet")}


@pytest.mark.parametrize("name", ["panet", "alpnet", "senet", "published", "attentive"])
def test_the_configurations_that_are_compared_can_be_read(name: str) -> None:
    config = load_config(CONFIGS / f"{name}.yaml")
    assert config.name == name
    assert all(0 not in phase.support for phase in config.phases)


def test_a_table_of_all_methods_on_the_same_queries(tmp_path: Path, pool: DataPool, runs: dict[str, Path]) -> None:
    methods = open_methods([f"{name}={path}" for name, path in runs.items()], torch.device("cpu"))
    assert [method.queries for method in methods] == [4, 4]
    settings = ComparisonSettings(supports=(1, 4), draws=2, queries=2, tasks=1, side=32)
    scores = measure(methods, pool, settings)
    asked = {name: {(s.task, s.query, s.support) for s in scores if s.method == name} for name in (*runs, MEAN)}
    assert asked["panet"] == asked["senet"] == asked[MEAN]
    bound = [BoundScore("set0", "disc", 0, 0, 0.9, 6, 80, 1.5, 1000)]
    write_comparison(scores, methods, bound, tmp_path)
    draw_comparison(methods, pool, settings, tmp_path, 4)
    text = (tmp_path / "compare.md").read_text(encoding="utf-8")
    for words in ("| panet |", "| senet, ensemble |", "U-Net per task", "0.900", "N = 4", MEAN):
        assert words in text
    with (tmp_path / "scores.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(scores) == 3 * 2 * 2 * 2 * 3
    assert (tmp_path / "dice_by_support.png").stat().st_size > 1000
    assert (tmp_path / "cases.png").stat().st_size > 1000


def test_curves_ensembles_and_numbers_of_training_sets(tmp_path: Path, pool: DataPool, runs: dict[str, Path]) -> None:
    fewer = trained("panet", tmp_path, pool, steps=3, datasets=["set1"])
    methods = open_methods([f"all={runs['panet']}", f"half={fewer}", f"senet={runs['senet']}"], torch.device("cpu"))
    assert [(method.design, method.datasets) for method in methods] == [
        ("panet", None), ("panet", ("set1",)), ("senet", None),
    ]  # fmt: skip
    settings = ComparisonSettings(supports=(2,), queries=1, tasks=1, side=32)
    points = measure_checkpoints(methods, pool, settings, 2)
    assert [(point.method, point.step, point.queries) for point in points] == [
        ("all", 2, 4), ("half", 3, 6), ("senet", 2, 4),
    ]  # fmt: skip
    scores = measure(methods, pool, settings)
    singles = [s.dice for s in scores if s.method == "senet"]
    assert points[2].dice == pytest.approx(sum(singles) / len(singles))
    together = measure_ensembles(methods[:1], pool, settings, 2, (1, 3))
    assert {one.size for one in together} == {1, 3} and len(together) == 2 * len(singles)
    assert [one.dice for one in together if one.size == 1] == [s.dice for s in scores if s.method == "all"]
    write_curves(points, tmp_path)
    write_ensembles(together, tmp_path)
    assert plot_by_training_sets(scores, methods, 2, 2, tmp_path / "dice_by_training_sets.png")
    assert not plot_by_training_sets(scores, methods[1:], 2, 2, tmp_path / "none.png")
    for name in ("dice_by_training", "dice_by_ensemble", "dice_by_training_sets"):
        assert (tmp_path / f"{name}.png").stat().st_size > 1000
    assert not (tmp_path / "none.png").exists()


def test_a_baseline_goes_on_from_its_checkpoint_and_refuses_to_be_bundled(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert type(averaged_network(runs["senet"])).__name__ == "SENet"
    weights = tmp_path / "default.safetensors"
    assert run(["bundle", str(runs["senet"]), "-o", str(weights), "--catalogue", str(tmp_path / "none.json")]) == 2
    assert "baseline" in capsys.readouterr().err
    assert not weights.exists()


def test_no_examples_at_all_are_wrong_input_for_a_baseline(tmp_path: Path) -> None:
    values = yaml.safe_load((CONFIGS / "panet.yaml").read_text(encoding="utf-8"))
    values["phases"][0]["support"] = {0: 1, 4: 1}
    path = tmp_path / "panet.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(InputError, match="support size 0"):
        load_config(path)


def test_a_network_of_its_own_learns_its_task(tmp_path: Path, pool: DataPool) -> None:
    pytest.importorskip("monai", reason="the extra 'baselines' is not installed")
    settings = ComparisonSettings(queries=2, tasks=1, side=32)
    kept: list[int] = []
    scores = bound_of(pool, settings, steps=40, batch=4, keep=lambda found: kept.append(len(found)))
    assert {score.trained_on for score in scores} == {6}
    assert sum(score.dice for score in scores) / len(scores) > 0.7
    assert {score.dataset for score in scores} == {"set0", "set1"}
    assert kept == [2, 4]
    # Stopped after the first task, it goes on with the second and comes to the same.
    again = bound_of(pool, settings, steps=40, batch=4, done=scores[:2], keep=lambda found: kept.append(len(found)))
    assert [one.dice for one in again] == [one.dice for one in scores] and again[:2] == scores[:2]
    assert kept == [2, 4, 4]
    with pytest.raises(InputError, match="160 images a task, asked for are 80"):
        bound_of(pool, settings, steps=20, batch=4, done=scores)


@pytest.mark.parametrize(
    ("networks", "words"),
    [(["panet"], "NAME=PATH"), (["a={run}", "a={run}"], "twice"), (["a=nowhere"], "no checkpoint")],
)
def test_wrong_names_of_networks_are_said(networks: list[str], words: str, runs: dict[str, Path]) -> None:
    with pytest.raises(Exception, match=words):
        open_methods([text.format(run=runs["panet"]) for text in networks], torch.device("cpu"))


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bound.csv"
    path.write_text("dataset,dice\nx,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="command bound"):
        read_bound(path)
