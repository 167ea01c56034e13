"""All methods on the same queries with the same support sets."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trainer.tasks.pool import DataPool, Task
from UniverSegSlicerLib.errors import InputError

from ..evaluation.in_context import MeanOfSupport, Score, choose_tasks, score_task
from ..networks.kinds import TrainedNetwork
from .methods import Method

#: The yardstick's name in tables.
MEAN = "mean label of the support"


@dataclass(frozen=True)
class ComparisonSettings:
    """What is measured.

    Args:
        supports: Support sizes.
        draws: Support sets a query; their probabilities also make an ensemble.
        queries: At most so many queries a task (None: all images).
        tasks: At most so many tasks a data set (None: all).
        side: Side of the images.
        seed: Of tasks, queries and support sets.
    """

    supports: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    draws: int = 1
    queries: int | None = None
    tasks: int | None = None
    side: int = 128
    seed: int = 1


@dataclass(frozen=True)
class MethodScore:
    """Dice of one query, and the seconds that the answer took: drawing and encoding of the support included."""

    method: str
    dataset: str
    task: str
    subject: int
    query: int
    support: int
    draw: int
    dice: float
    seconds: float

    @property
    def alone(self) -> Score:
        """The same without its method, for means and intervals."""
        return Score(self.dataset, self.task, self.subject, self.query, self.support, 0, self.dice, self.dice)


def measure(
    methods: Sequence[Method],
    pool: DataPool,
    settings: ComparisonSettings,
    report: Callable[[str], None] = lambda _text: None,
    *,
    yardstick: bool = True,
) -> list[MethodScore]:
    """Dice of every method, and of the mean label of the support unless it is no ``yardstick`` here.

    Raises:
        InputError: The side does not fit a network, or no task is left.
    """
    for method in methods:
        multiple = method.network.architecture.size_multiple
        if settings.side % multiple:
            raise InputError(f"side is {settings.side}; {method.name} needs multiples of {multiple}.")
    tasks = chosen_tasks(pool, settings)
    asked: list[tuple[str, TrainedNetwork | MeanOfSupport]] = [(method.name, method.network) for method in methods]
    if yardstick:
        asked.append((MEAN, MeanOfSupport()))
    found: list[MethodScore] = []
    for number, task in enumerate(tasks):
        report(f"{number + 1} of {len(tasks)} tasks: {task.name}")
        for support in settings.supports:
            for name, network in asked:
                begin = time.perf_counter()
                scores = score_task(
                    network,
                    pool,
                    task,
                    support=support,
                    draws=settings.draws,
                    queries=settings.queries,
                    side=settings.side,
                    seed=settings.seed,
                )
                single = sum(score.draw >= 0 for score in scores)
                found += [_named(name, score, (time.perf_counter() - begin) / single) for score in scores]
    return found


def chosen_tasks(pool: DataPool, settings: ComparisonSettings) -> list[Task]:
    """The tasks that a comparison measures.

    Raises:
        InputError: There are none.
    """
    tasks = choose_tasks(pool.tasks, settings.tasks, settings.seed)
    if not tasks:
        raise InputError("no task of the store is of these data sets and this role.")
    return tasks


def _named(name: str, score: Score, seconds: float) -> MethodScore:
    return MethodScore(
        name, score.dataset, score.task, score.subject, score.query, score.support, score.draw, score.dice, seconds
    )
