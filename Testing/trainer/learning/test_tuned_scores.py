"""The rows of a tuned network in an evaluation: the same queries with both, and what they are the means of."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch

from trainer.learning.evaluation.summary import Evaluation, write_evaluation
from trainer.learning.evaluation.tuned_scores import TunedScore, score_tuned, tuned_summary
from trainer.tasks.pool import DataPool
from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.network.inference import InContextModel
from UniverSegSlicerLib.network.published.model import UniverSeg


def _model() -> InContextModel:
    torch.manual_seed(0)
    network = UniverSeg(Architecture(4, (4, 4), resolution=32)).eval()
    return InContextModel(network, name="small", device=torch.device("cpu"), precision="fp32")


def _score(dataset: str, task: str, untuned: float, tuned: float) -> TunedScore:
    return TunedScore(dataset, task, 0, 4, untuned, tuned, untuned, tuned, tuned != untuned, 0.5, 0.6, 10, 2.0)


def test_queries_are_no_examples_and_of_other_subjects(pool: DataPool) -> None:
    task = pool.tasks[0]
    scores = score_tuned(_model(), pool, task, support=4, seconds=60, queries=2, side=32)
    assert len(scores) == 2 and {score.support for score in scores} == {4}
    assert len({score.query for score in scores}) == 2
    assert all(0 <= score.untuned <= 1 and 0 <= score.tuned <= 1 and score.seconds > 0 for score in scores)
    assert all(score.kept or score.tuned == score.untuned for score in scores)
    assert all(score.kept or score.tuned_closer == score.untuned_closer for score in scores)
    again = score_tuned(_model(), pool, task, support=4, seconds=60, queries=2, side=32)
    assert [{**asdict(score), "seconds": 0} for score in again] == [{**asdict(score), "seconds": 0} for score in scores]


def test_two_examples_are_too_few(pool: DataPool) -> None:
    assert score_tuned(_model(), pool, pool.tasks[0], support=2, seconds=60, queries=2, side=32) == []


def test_every_data_set_counts_once_and_harm_is_counted(tmp_path) -> None:
    scores = [_score("a", "1", 0.5, 0.7), _score("a", "2", 0.5, 0.47), _score("b", "1", 0.4, 0.4)]
    means = tuned_summary(scores)
    assert means["untuned"] == pytest.approx(0.45) and means["tuned"] == pytest.approx((0.585 + 0.4) / 2)
    assert means["kept"] == pytest.approx(0.5) and means["hurt"] == pytest.approx(0.25)
    write_evaluation(Evaluation(tuned=scores), tmp_path, "small", 32)
    assert "| 4 | 0.450 | 0.492 | 0.450 | 0.492 | 50 % | 25 % | 2.0 |" in (tmp_path / "summary.md").read_text()
    assert len((tmp_path / "tuned.csv").read_text().splitlines()) == 4
