"""What a configuration means on a store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trainer.learning.evaluation import setting
from trainer.learning.loop.config import DataSettings, Phase, TrainingConfig, ValidationSettings
from trainer.tasks.episodes import EpisodeSettings
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.network.published.model import UniverSeg

CONFIG = TrainingConfig(
    "x",
    (Phase(1, 8),),
    architecture=Architecture(4, (4, 4, 4), resolution=8),
    data=DataSettings(resolution=8, min_area=0.0),
    episodes=EpisodeSettings(shares={"across": 1.0, "volume": 1.0}),
    validation=ValidationSettings(support=3, resolution=8, queries_per_task=2),
)


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch, small_store) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(setting, "open_store", lambda _path: small_store)


def test_training_never_sees_data_of_another_role() -> None:
    pool = setting.pool_maker(CONFIG, Path("store"))(torch.device("cpu"))
    assert pool is not None
    assert {task.dataset for task in pool.tasks} | {task.dataset for task in pool.volumes} == {"flat", "stack"}


def test_excluded_datasets_are_left_out() -> None:
    config = replace(CONFIG, data=replace(CONFIG.data, exclude=("flat",)))
    pool = setting.pool_maker(config, Path("store"))(torch.device("cpu"))
    assert pool is not None
    assert not pool.tasks
    assert pool.volumes


def test_synthetic_tasks_alone_need_no_store_and_others_do() -> None:
    config = replace(CONFIG, episodes=EpisodeSettings(shares={"synthetic": 1.0}))
    assert setting.pool_maker(config, None)(torch.device("cpu")) is None
    with pytest.raises(InputError, match="draws across, volume episodes, which need a store"):
        setting.pool_maker(CONFIG, None)


def test_validation_measures_pictures_of_the_other_role() -> None:
    validate = setting.validation_of(CONFIG, Path("store"))
    assert validate is not None
    torch.manual_seed(0)
    network = UniverSeg(CONFIG.architecture).eval()
    figures = validate(network)
    assert set(figures) == {"val_dice", "val_val_set"}
    assert 0 <= figures["val_dice"] <= 1
    assert validate(network) == figures


def test_no_validation_without_data_for_it() -> None:
    config = replace(CONFIG, validation=replace(CONFIG.validation, role="heldout"))
    assert setting.validation_of(config, Path("store")) is None
    assert setting.validation_of(CONFIG, None) is None
