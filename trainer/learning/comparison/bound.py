"""What a network reaches that is trained for the one task: the bound of the paper's table."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from trainer.baselines.unet import new_unet
from trainer.tasks.augmentation import AugmentationTable, Operations, augment_intensity, sampling_grid, warp
from trainer.tasks.pool import DataPool, Task
from UniverSegSlicerLib.errors import InputError

from ..evaluation.in_context import at_resolution, number_of, query_order, read_at
from ..loop.losses import hard_dice, segmentation_loss
from .measure import ComparisonSettings, chosen_tasks

# What our own networks see of images of one task, without the changes that make another task of it.
_TABLE = AugmentationTable(
    task=Operations(),
    in_task=Operations(
        affine_p=0.5, rotation=(-20.0, 20.0), translation=(0.0, 0.05), scale=(0.9, 1.12), brightness_contrast_p=0.2,
        elastic_p=0.3, elastic_alpha=(1.0, 2.5), elastic_sigma=(7.0, 8.0), blur_p=0.1, noise_p=0.25, gamma_p=0.2,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class BoundScore:
    """Dice of one query by the network of its own task.

    Attributes:
        trained_on: Images of the task that it was trained on, of other subjects than all queries.
        images_seen: Images that training drew from them.
        seconds: Of the training.
        parameters: Of the network.
    """

    dataset: str
    task: str
    subject: int
    query: int
    dice: float
    trained_on: int
    images_seen: int
    seconds: float
    parameters: int


def bound_of(
    pool: DataPool,
    settings: ComparisonSettings,
    *,
    steps: int = 200,
    batch: int = 8,
    done: Sequence[BoundScore] = (),
    keep: Callable[[Sequence[BoundScore]], None] = lambda _scores: None,
    report: Callable[[str], None] = lambda _text: None,
) -> list[BoundScore]:
    """Train a U-Net for each task on the images of all subjects but the queries', and score it on these queries.

    The queries are those that :func:`.measure.measure` asks for with the same settings. A task whose images are all of
    the queries' subjects is left out.

    Args:
        steps: Updates of each network.
        batch: Images of an update.
        done: Scores of an earlier run with the same settings; their tasks are not trained again.
        keep: Told all scores so far after each task.

    Raises:
        InputError: The scores of the earlier run are of other settings.
    """
    tasks = chosen_tasks(pool, settings)
    found = list(done)
    if any(score.images_seen != steps * batch for score in found):
        raise InputError(
            f"what is there was trained on {found[0].images_seen} images a task, asked for are {steps * batch}: take "
            "another folder, or the same --steps and --batch."
        )
    there = {score.task for score in found}
    for number, task in enumerate(tasks):
        if task.name in there:
            continue
        report(f"{number + 1} of {len(tasks)} tasks: {task.name}")
        found += _bound_of_task(pool, task, settings, steps, batch)
        keep(found)
    return found


def _bound_of_task(
    pool: DataPool, task: Task, settings: ComparisonSettings, steps: int, batch: int
) -> list[BoundScore]:
    order = query_order(task, np.random.default_rng([settings.seed, number_of(task.name)]))
    queries = order if settings.queries is None else order[: settings.queries]
    others = np.flatnonzero(~np.isin(task.subjects, task.subjects[queries]))
    if len(others) == 0:
        # One subject alone, as for the support sets: other images of it.
        others = np.setdiff1d(np.arange(len(task.images)), queries)
    if len(others) == 0:
        return []
    begin = time.perf_counter()
    torch.manual_seed(settings.seed)
    network = new_unet().to(pool.device)
    _fit(network, pool, task, others, settings, steps, batch)
    seconds = time.perf_counter() - begin
    network.eval()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    scores = []
    with torch.no_grad():
        for query in queries:
            image, _ = read_at(pool, task, np.array([query]), settings.side)
            logits = at_resolution(network(image), pool.resolution)
            truth = pool.read_masks(task.masks[[query]])[:, None] > 0.5
            dice = float(hard_dice(logits > 0, truth)[0])
            scores.append(
                BoundScore(
                    task.dataset, task.name, int(task.subjects[query]), int(query), dice, len(others), steps * batch,
                    seconds, parameters,
                )
            )  # fmt: skip
    return scores


def _fit(
    network: nn.Module,
    pool: DataPool,
    task: Task,
    entries: np.ndarray,
    settings: ComparisonSettings,
    steps: int,
    batch: int,
) -> None:
    rng = np.random.default_rng([settings.seed, number_of(task.name), 1])
    generator = torch.Generator(device=pool.device).manual_seed(settings.seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    images, labels = read_at(pool, task, entries, settings.side)
    for _ in range(steps):
        picked = torch.from_numpy(rng.integers(len(entries), size=batch)).to(images.device)
        seen, wanted = _augmented(images[picked], labels[picked], generator)
        losses = segmentation_loss(
            network(seen), wanted, dice=0.5, log_dice=0.5, cross_entropy=0.25, focal_gamma=0.0, empty_area=0.005
        )
        optimizer.zero_grad(set_to_none=True)
        losses.mean().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        schedule.step()


def _augmented(images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images and labels ``(n, 1, H, W)``, each in its own way."""
    base = torch.eye(2, 3, device=images.device).expand(1, len(images), 2, 3)
    grid = sampling_grid(_TABLE, base, images.shape[-1], generator)
    warped = warp(torch.cat([images, labels], dim=1), grid)
    return augment_intensity(warped[None, :, :1], _TABLE, generator)[0], warped[:, 1:]


def read_bound(path: Path) -> list[BoundScore]:
    """The rows of a ``bound.csv``.

    Raises:
        InputError: It is missing or not such a table.
    """
    kinds = {"str": str, "int": int, "float": float}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                BoundScore(**{item.name: kinds[str(item.type)](row[item.name]) for item in fields(BoundScore)})
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: no table that the command bound wrote ({error}).") from error
