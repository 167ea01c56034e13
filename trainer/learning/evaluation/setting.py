"""What a configuration means on a given store: the training pool and the validation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from trainer.tasks.pool import DataPool, build_pool, volume_datasets
from UniverSegSlicerLib.errors import InputError

from ..loop.config import TrainingConfig
from ..networks.kinds import TrainedNetwork
from .in_context import choose_tasks, mean_over_datasets, score_task

if TYPE_CHECKING:
    from trainer.megamedical.store import Store


def open_store(path: Path | None) -> Store | None:
    """The store in a folder; None for no folder."""
    if path is None:
        return None
    from trainer.megamedical.store import Store

    return Store.open(path)


def pool_maker(config: TrainingConfig, store: Path | None) -> Callable[[torch.device], DataPool | None]:
    """Loads the training data onto a device; None when the configuration asks for synthetic tasks only.

    Raises:
        InputError: The configuration needs real images and no store is given.
    """
    real = [kind for kind, share in config.episodes.shares.items() if kind != "synthetic" and share > 0]
    if not real:
        return lambda _device: None
    if store is None:
        raise InputError(f"The configuration draws {', '.join(real)} episodes, which need a store: name its folder.")

    def make(device: torch.device) -> DataPool:
        opened = open_store(store)
        assert opened is not None
        datasets = config.data.datasets
        if config.data.exclude:
            present = opened.images.loc[opened.images["role"] == config.data.role, "dataset"].unique()
            datasets = tuple(sorted(set(datasets or present) - set(config.data.exclude)))
        return build_pool(
            opened,
            role=config.data.role,
            splits=config.data.splits,
            resolution=config.data.resolution,
            datasets=datasets,
            min_area=config.data.min_area,
            device=device,
        )

    return make


def validation_of(config: TrainingConfig, store: Path | None) -> Callable[[TrainedNetwork], dict[str, float]] | None:
    """The validation inside a run, or None when the store has no data of its role.

    The data are loaded on first use and stay on the CPU of that process.
    """
    if store is None or not config.record.validate_every:
        return None
    settings = config.validation
    opened = open_store(store)
    assert opened is not None
    there = set(opened.images.loc[opened.images["role"] == settings.role, "dataset"])
    names = tuple(sorted(there - volume_datasets(opened.images)))
    if not names:
        return None
    pools: dict[torch.device, DataPool] = {}

    def validate(network: TrainedNetwork) -> dict[str, float]:
        device = next(network.parameters()).device
        if device not in pools:
            pools[device] = build_pool(
                opened, role=settings.role, resolution=config.data.resolution, datasets=names, device=device
            )
        pool = pools[device]
        scores = []
        for task in choose_tasks(pool.tasks, settings.tasks_per_dataset, settings.seed):
            scores += score_task(
                network,
                pool,
                task,
                support=settings.support,
                queries=settings.queries_per_task,
                side=settings.resolution,
                seed=settings.seed,
            )
        means = mean_over_datasets(scores)
        return {"val_dice": means.pop("mean"), **{f"val_{name}": value for name, value in means.items()}}

    return validate
