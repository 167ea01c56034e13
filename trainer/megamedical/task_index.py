"""Tasks of a store: every (data set, group, modality, axis, slicing, label) with its counts, areas and subjects."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from UniverSegSlicerLib.errors import InputError

from .modality import family
from .store import Store

if TYPE_CHECKING:
    import pandas as pd

#: What makes a task.
TASK_KEYS = ("dataset", "group", "modality", "axis", "slicing", "label")

SLICINGS = ("mid", "max", "all")


@dataclass(frozen=True)
class TaskFilter:
    """Which tasks are wanted; None takes all. ``modalities`` are families or parts of names, without regard to case."""

    ranks: Collection[str] | None = None
    roles: Collection[str] | None = None
    modalities: Collection[str] | None = None
    datasets: Collection[str] | None = None
    slicings: Collection[str] | None = None
    min_area: float = 0.0
    max_area: float = 1.0
    min_subjects: int = 1
    min_images: int = 1

    def __post_init__(self) -> None:
        unknown = set(self.slicings or ()) - set(SLICINGS)
        if unknown:
            raise InputError(f"slicings: {', '.join(sorted(unknown))} is unknown; choose from {', '.join(SLICINGS)}.")
        if not 0 <= self.min_area <= self.max_area <= 1:
            raise InputError(f"areas are fractions, min below max; got {self.min_area} and {self.max_area}.")


def task_masks(store: Store) -> pd.DataFrame:
    """Every mask with the tasks it belongs to: one row per mask and slicing.

    A mask of a volume counts for "mid" on the middle slice, for "max" where the slice is the largest of its label, and
    always for "all"; a mask of a 2D picture counts for "mid" alone. Columns: those of ``store.masks``, the picture's,
    and ``slicing``.
    """
    import pandas as pd

    columns = [
        "dataset", "group", "modality", "axis", "subject", "split", "role", "rank", "licence", "slicing", "slice_index",
    ]  # fmt: skip
    joined = store.masks.join(store.images.set_index("image")[columns], on="image")
    middle = joined["slicing"] == "mid"
    of_volume = ~(middle & (joined["slice_index"] == 0))  # the first slice is the middle one of a picture alone
    parts = [joined[middle], joined[joined["largest"] & of_volume], joined[of_volume]]
    return pd.concat([part.assign(slicing=name) for name, part in zip(SLICINGS, parts, strict=True)], ignore_index=True)


def list_tasks(store: Store, wanted: TaskFilter | None = None) -> pd.DataFrame:
    """The tasks of a store.

    Returns:
        One row per task, sorted by :data:`TASK_KEYS`: these, ``label_name``, ``role``, ``rank``, ``licence``,
        ``family`` (of the modality), ``images``, ``subjects``, the subjects of each split (``train``, ``val``,
        ``test``), and ``area``, the median share of the square.
    """
    rows = task_masks(store)
    groups = rows.groupby(list(TASK_KEYS), sort=True, observed=True)
    tasks = groups.agg(
        label_name=("label_name", "first"),
        role=("role", "first"),
        rank=("rank", "first"),
        licence=("licence", "first"),
        images=("image", "nunique"),
        subjects=("subject", "nunique"),
        area=("area", "median"),
    )
    splits = rows.groupby([*TASK_KEYS, "split"], observed=True)["subject"].nunique().unstack("split", fill_value=0)
    for split in ("train", "val", "test"):
        tasks[split] = splits.get(split, 0)
    tasks = tasks.reset_index()
    tasks["family"] = tasks["modality"].map(family)
    return _filtered(tasks, wanted or TaskFilter())


def rows_of_task(store: Store, task: Any) -> pd.DataFrame:
    """The masks of one task (a row of :func:`list_tasks`): ``image`` and ``mask`` numbers, ``subject``, ``split``."""
    rows = task_masks(store)
    for key in TASK_KEYS:
        rows = rows[rows[key] == task[key]]
    return rows[["image", "mask", "subject", "split", "area"]].reset_index(drop=True)


def _filtered(tasks: pd.DataFrame, wanted: TaskFilter) -> pd.DataFrame:
    keep = tasks["area"].between(wanted.min_area, wanted.max_area)
    keep &= (tasks["subjects"] >= wanted.min_subjects) & (tasks["images"] >= wanted.min_images)
    for column, values in (("rank", wanted.ranks), ("role", wanted.roles), ("slicing", wanted.slicings)):
        if values is not None:
            keep &= tasks[column].isin(list(values))
    if wanted.datasets is not None:
        keep &= tasks["dataset"].str.casefold().isin([name.casefold() for name in wanted.datasets])
    if wanted.modalities is not None:
        names = [name.casefold() for name in wanted.modalities]
        keep &= tasks.apply(
            lambda task: any(n == task["family"].casefold() or n in task["modality"].casefold() for n in names), axis=1
        )
    return tasks[keep].reset_index(drop=True)
