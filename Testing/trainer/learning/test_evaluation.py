"""Evaluation, bundling and the model card."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from trainer.learning.evaluation.bootstrap import mean_with_interval
from trainer.learning.evaluation.case_pictures import pick_cases
from trainer.learning.evaluation.click_scores import ClickScore, click_curve
from trainer.learning.evaluation.closer_scores import score_closer
from trainer.learning.evaluation.in_context import (
    MeanOfSupport,
    Score,
    choose_tasks,
    mean_over_datasets,
    query_order,
    score_task,
    support_entries,
)
from trainer.learning.evaluation.summary import Evaluation, write_evaluation
from trainer.learning.evaluation.volume_scores import METHODS, VolumeScore, mean_volume_dice, place_marks, score_volume
from trainer.learning.report import markdown_table
from trainer.learning.step_bench import direct_logits, time_steps
from trainer.tasks.pool import DataPool
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.network.inference import InContextModel
from UniverSegSlicerLib.network.published.model import UniverSeg


class Threshold(torch.nn.Module):
    """A network that answers with the bright pixels, plus one pixel for every click."""

    def __init__(self, query_channels: int = 4) -> None:
        super().__init__()
        self.architecture = Architecture(query_channels, (4, 4, 4), resolution=32)
        self.register_parameter("nothing", torch.nn.Parameter(torch.zeros(1)))
        self.sizes: list[int] = []

    def forward(self, query: torch.Tensor, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        self.sizes.append(images.shape[1])
        assert query.shape[1] == self.architecture.query_channels
        return (query[:, :1] > 0.45).float() * 2 - 1


def score(dataset: str, task: str, subject: int, dice: float, support: int = 4, draw: int = 0) -> Score:
    return Score(dataset, task, subject, subject, support, draw, dice, dice)


def test_means_count_every_dataset_once() -> None:
    scores = [score("many", f"t{i}", 0, 1.0) for i in range(9)] + [score("one", "t", 0, 0.0)]
    assert mean_over_datasets(scores) == {"mean": 0.5, "many": 1.0, "one": 0.0}
    assert mean_over_datasets([*scores, score("one", "t", 0, 1.0, draw=-1)])["one"] == 0.0  # no ensembles among singles


def test_interval_covers_the_mean_and_shrinks_with_subjects() -> None:
    rng = np.random.default_rng(0)
    few = [score("a", "t", i, float(v)) for i, v in enumerate(rng.uniform(0, 1, 5))]
    many = [score("a", "t", i, float(v)) for i, v in enumerate(rng.uniform(0, 1, 200))]
    wide, narrow = mean_with_interval(few), mean_with_interval(many)
    assert wide.low < wide.mean < wide.high
    assert narrow.high - narrow.low < 0.5 * (wide.high - wide.low)
    assert narrow.mean == pytest.approx(np.mean([s.dice for s in many]))
    # The standard error of 200 uniform values is 0.0204; the interval spans about four of it.
    assert narrow.high - narrow.low == pytest.approx(4 * 0.0204, rel=0.2)


def test_draws_of_one_subject_are_not_more_subjects() -> None:
    scores = [score("a", "t", subject, float(subject), draw=draw) for subject in (0, 1) for draw in range(50)]
    interval = mean_with_interval(scores)
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_support_is_of_other_subjects_and_repeats_when_it_must(pool: DataPool) -> None:
    task = pool.tasks[0]
    rng = np.random.default_rng(0)
    assert set(support_entries(task, 3, 7, rng)) == set(range(8)) - {3}
    large = support_entries(task, 3, 64, rng)
    assert len(large) == 64
    assert 3 not in large
    assert len(support_entries(task, 3, 0, rng)) == 0


def test_queries_cover_all_subjects_before_any_repeats(pool: DataPool) -> None:
    order = query_order(pool.tasks[0], np.random.default_rng(0))
    assert sorted(order) == list(range(8))


def test_a_perfect_answer_scores_one_at_every_size(pool: DataPool) -> None:
    network = Threshold()
    for support in (0, 1, 5):
        scores = score_task(network, pool, pool.tasks[0], support=support, draws=2, queries=3, side=32)  # type: ignore[arg-type]
        assert len(scores) == 3 * (2 + 1)
        assert min(s.dice for s in scores) > 0.95
    assert set(network.sizes) == {0, 1, 5}


def test_the_yardstick_answers_where_most_examples_are_labelled() -> None:
    labels = torch.tensor([[1.0, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]]).reshape(1, 3, 1, 1, 4)
    logits = MeanOfSupport()(torch.zeros(1, 1, 1, 4), torch.zeros_like(labels), labels)
    assert logits.shape == (1, 1, 1, 4)
    assert torch.sigmoid(logits).flatten().tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0], abs=1e-3)


def test_the_same_seed_scores_the_same_pairs(pool: DataPool) -> None:
    torch.manual_seed(0)
    network = UniverSeg(Architecture(1, (4, 4, 4), resolution=32)).eval()
    first, again = (score_task(network, pool, pool.tasks[1], support=2, side=16, seed=3) for _ in range(2))
    assert first == again
    assert score_task(network, pool, pool.tasks[1], support=2, side=16, seed=4) != first


def test_tasks_are_limited_per_dataset(pool: DataPool) -> None:
    assert len(choose_tasks(pool.tasks * 3, 1, 0)) == 2
    assert len(choose_tasks(pool.tasks, None, 0)) == 2


def test_click_curves_start_where_they_can(pool: DataPool) -> None:
    network = Threshold()
    without = click_curve(network, pool, pool.tasks[0], support=0, clicks=2, queries=3, side=32)  # type: ignore[arg-type]
    assert sorted({s.clicks for s in without}) == [1, 2]
    with_support = click_curve(network, pool, pool.tasks[0], support=2, clicks=2, queries=3, side=32)  # type: ignore[arg-type]
    assert sorted({s.clicks for s in with_support}) == [0, 1, 2]
    with pytest.raises(InputError, match="reads 1 query planes"):
        click_curve(Threshold(1), pool, pool.tasks[0], support=0, clicks=1, queries=1, side=32)  # type: ignore[arg-type]


def test_marks_are_where_a_user_would_put_them() -> None:
    masks = np.zeros((20, 4, 4), dtype=bool)
    masks[3:14, 1, 1] = True
    assert place_marks(masks, 1).tolist() == [8]
    assert place_marks(masks, 3).tolist() == [5, 8, 11]
    assert place_marks(masks, 50).tolist() == list(range(3, 14))


def test_volumes_are_scored_beside_both_baselines(pool: DataPool) -> None:
    torch.manual_seed(0)
    model = InContextModel(
        UniverSeg(Architecture(4, (4, 4, 4), resolution=32)), name="seeded", device=torch.device("cpu")
    )
    scores = score_volume(model, pool, pool.volumes[0], marks=(1, 3, 50))
    # Fifty marks leave no slice to be scored.
    assert {(s.method, s.marks) for s in scores} == {
        (method, marks)
        for method in ("network", "between the marks", "shape interpolation", "nearest copy")
        for marks in (1, 3)
    }
    means = mean_volume_dice(scores)
    # The disc moves evenly: between three marks its interpolation is nearly exact, and better than the nearest copy.
    assert means["shape interpolation", 3] > 0.9
    assert means["shape interpolation", 3] > means["nearest copy", 3]
    assert means["nearest copy", 3] > means["nearest copy", 1]
    # Without the ends it stops at the outermost marks; one mark has nothing between.
    assert means["between the marks", 3] < means["shape interpolation", 3]
    assert means["between the marks", 1] == 0


def test_tables_and_plots_are_written(tmp_path: Path) -> None:
    result = Evaluation(
        [
            score("a", "t", s, 0.5 + 0.01 * s, support, draw)
            for s in range(4)
            for support in (1, 16)
            for draw in (-1, 0, 1)
        ],
        closer=[score("a", "t", s, 0.7, support, 0) for s in range(4) for support in (1, 16)],
        clicks=[ClickScore("a", "t", 0, 0, clicks, 0.3 * clicks) for clicks in (1, 2)],
        volumes=[VolumeScore("v", "t", 3, method, 0.7) for method in METHODS],
    )
    write_evaluation(result, tmp_path, "some model", 32)
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 24
    assert float(rows[0]["dice"]) == 0.5
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "| single | 0.515" in summary
    assert "| single, after a closer look | 0.700" in summary
    assert "| 0 | 0.300 | 0.600 |" in summary
    assert "| network | 0.700 |" in summary
    for name in ("dice_by_support.png", "dice_by_clicks.png", "dice_by_marks.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_a_closer_look_scores_the_same_queries_with_the_same_examples(pool: DataPool, monkeypatch) -> None:
    torch.manual_seed(0)
    network = UniverSeg(Architecture(4, (4, 4), resolution=32)).eval()
    model = InContextModel(network, name="small", device=torch.device("cpu"), precision="fp32")
    asked = {"support": 3, "draws": 2, "queries": 3, "side": 32}
    single = [one for one in score_task(network, pool, pool.tasks[0], **asked) if one.draw >= 0]

    def places(scores: list[Score]) -> list[tuple[int, int, int, int]]:
        return [(one.subject, one.query, one.support, one.draw) for one in scores]

    assert places(score_closer(model, pool, pool.tasks[0], **asked)) == places(single)
    monkeypatch.setattr("UniverSegSlicerLib.segmentation.looking.SHARES", ())  # nothing is small enough
    whole = score_closer(model, pool, pool.tasks[0], **asked)
    assert [one.dice for one in whole] == pytest.approx([one.dice for one in single], abs=1e-6)


def test_cases_are_best_median_and_worst() -> None:
    scores = [score("a", "t", i, 0.1 * i, support=16) for i in range(5)]
    best, median, worst = pick_cases(scores, 16)[0]
    assert (best.dice, median.dice, worst.dice) == pytest.approx((0.4, 0.2, 0.0))
    assert pick_cases(scores, 8) == []


def test_markdown_table() -> None:
    assert markdown_table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |\n"


def test_direct_and_exact_steps_agree() -> None:
    times = time_steps(
        Architecture(4, (4, 6), normalization="group", resolution=16), queries=2, support=3, side=16, repeats=1
    )
    assert times.largest_difference < 1e-4
    assert times.speedup > 0
    network = UniverSeg(Architecture(1, (4, 6), cross_activation=True, resolution=16))
    query, images = torch.rand(1, 1, 1, 16, 16), torch.rand(1, 2, 1, 16, 16)
    assert torch.allclose(
        direct_logits(network, query, images, images)[0], network(query[0], images, images), atol=1e-5
    )


def test_json_of_a_catalogue_is_changed_only_where_it_must(tmp_path: Path) -> None:
    from trainer.learning.release.bundled_model import enter_in_catalogue

    catalogue = tmp_path / "models.json"
    other = {"name": "other", "sha256": None, "architecture": {"encoder": [64, 64]}}
    before = {"version": 1, "models": [{"name": "default", "title": "T", "sha256": None}, other]}
    catalogue.write_text(json.dumps(before), encoding="utf-8")
    facts = {"sha256": "ab" * 32, "bytes": 5, "architecture": {"encoder": [4, 4, 4]}}
    enter_in_catalogue(catalogue, "default", facts)
    text = catalogue.read_text(encoding="utf-8")
    assert '"encoder": [4, 4, 4]' in text
    after = json.loads(text)
    assert after["models"][1] == other
    assert after["models"][0] == {"name": "default", "title": "T", **facts}
    with pytest.raises(InputError, match="has no model 'absent'"):
        enter_in_catalogue(catalogue, "absent", facts)
