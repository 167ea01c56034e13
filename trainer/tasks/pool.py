"""The images of a store in the memory of one device, and the tasks that can be drawn from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from UniverSegSlicerLib.errors import InputError

if TYPE_CHECKING:
    import pandas

    from trainer.megamedical.store import Store


@dataclass(frozen=True)
class Task:
    """One binary segmentation task across subjects: (data set, group, modality, axis, slicing, label).

    ``images`` and ``masks`` are rows of the pool, entry by entry; ``subjects`` are integer codes of the same length.
    """

    dataset: str
    group: str
    modality: str
    axis: str
    slicing: str
    label: int
    label_name: str
    images: np.ndarray
    masks: np.ndarray
    subjects: np.ndarray

    @property
    def name(self) -> str:
        """Readable and unique in a store."""
        return f"{self.dataset}/{self.group}/{self.modality}/{self.axis}/{self.slicing}/{self.label}:{self.label_name}"


@dataclass(frozen=True)
class VolumeTask:
    """One label of one volume along one axis: all its slices in order.

    ``images`` are rows of the pool, ``masks`` rows of the pool or -1 where the label is absent, ``positions`` slice
    indices; ``slice_distance`` is the usual distance between stored slices in pixels of the pool's squares.
    """

    dataset: str
    subject: str
    modality: str
    axis: str
    label: int
    label_name: str
    images: np.ndarray
    masks: np.ndarray
    positions: np.ndarray
    slice_distance: float = 1.0

    @property
    def name(self) -> str:
        """Readable and unique in a store."""
        return f"{self.dataset}/{self.subject}/{self.modality}/{self.axis}/volume/{self.label}:{self.label_name}"

    @property
    def present(self) -> np.ndarray:
        """Indices into ``images`` at which the label occurs."""
        return np.flatnonzero(self.masks >= 0)


class DataPool:
    """Images ``(n, R, R)`` uint8 and bit-packed masks ``(m, R*R/8)`` uint8 on a device, with the tasks over them.

    Nothing is read from disk after the construction, so a training step needs no worker processes; on a GPU the
    whole store lives in device memory.
    """

    def __init__(
        self,
        images: np.ndarray,
        packed_masks: np.ndarray,
        tasks: Iterable[Task],
        volumes: Iterable[VolumeTask] = (),
        device: torch.device | str = "cpu",
        labels: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    ) -> None:
        self.resolution = int(images.shape[-1])
        if packed_masks.shape[-1] * 8 != self.resolution**2:
            raise InputError(
                f"packed_masks has rows of {packed_masks.shape[-1]} bytes; images of {self.resolution} pixels a side "
                f"need {self.resolution**2 // 8}."
            )
        self.device = torch.device(device)
        self._images = torch.from_numpy(np.ascontiguousarray(images)).to(self.device)
        self._masks = torch.from_numpy(np.ascontiguousarray(packed_masks)).to(self.device)
        # np.packbits puts the first pixel into the highest bit.
        self._bits = torch.arange(7, -1, -1, device=self.device, dtype=torch.uint8)
        self.tasks = list(tasks)
        self.volumes = list(volumes)
        self._labels_of = _labels_by_image(*labels) if labels is not None else {}

    def label_maps(self, rows: np.ndarray, most: int, rng: np.random.Generator) -> Tensor:
        """Label values of images, int64 ``(n, R, R)``, 0 where there is none.

        Args:
            rows: Rows of the pool, ``(n,)``.
            most: At most so many labels are drawn, the same for all images.
            rng: Draws them.
        """
        known = [self._labels_of.get(int(row), {}) for row in rows]
        values = np.array(sorted(set().union(*known)), dtype=np.int64)
        if len(values) > most:
            values = np.sort(rng.choice(values, most, replace=False))
        masks = self.read_masks(np.array([[one.get(int(value), -1) for value in values] for one in known]))
        if not len(values):
            return torch.zeros(len(rows), self.resolution, self.resolution, dtype=torch.int64, device=self.device)
        numbered = masks.long() * torch.from_numpy(values).to(self.device)[:, None, None]
        return numbered.amax(dim=1)

    def read_images(self, rows: np.ndarray) -> Tensor:
        """Images as float32 ``(*rows.shape, R, R)`` in [0, 1]."""
        index = torch.tensor(np.asarray(rows, dtype=np.int64), device=self.device)
        return self._images[index].float().div_(255.0)

    def read_masks(self, rows: np.ndarray) -> Tensor:
        """Masks as float32 0 or 1 ``(*rows.shape, R, R)``; row -1 is an empty mask."""
        rows = np.asarray(rows, dtype=np.int64)
        index = torch.from_numpy(np.maximum(rows, 0)).to(self.device)
        bytes_ = self._masks[index]
        bits = (bytes_.unsqueeze(-1) >> self._bits) & 1
        masks = bits.reshape(*rows.shape, self.resolution, self.resolution).float()
        empty = torch.from_numpy(rows < 0).to(self.device)
        masks[empty] = 0.0
        return masks

    @property
    def bytes(self) -> int:
        """Memory that images and masks take, in bytes."""
        return self._images.numel() + self._masks.numel()


def _labels_by_image(images: np.ndarray, labels: np.ndarray, masks: np.ndarray) -> dict[int, dict[int, int]]:
    """Row of the mask of every label value of every image."""
    found: dict[int, dict[int, int]] = {}
    for image, label, mask in zip(images.tolist(), labels.tolist(), masks.tolist(), strict=True):
        found.setdefault(image, {})[label] = mask
    return found


def build_pool(
    store: Store,
    *,
    role: str | None,
    splits: Collection[str] = ("train", "val", "test"),
    resolution: int = 128,
    datasets: Collection[str] | None = None,
    min_area: float = 0.0,
    min_volume_slices: int = 3,
    device: torch.device | str = "cpu",
) -> DataPool:
    """Load one role of a store into memory and list its tasks.

    Args:
        store: The standardised store.
        role: Value of the column ``role`` to keep; None keeps all, for data sets that are named.
        splits: Values of the column ``split`` to keep.
        resolution: Side of the images in pixels; one that the store has.
        datasets: Only these data sets (None: all).
        min_area: Smallest share of pixels that a mask must cover to be used, in [0, 1).
        min_volume_slices: A volume task needs the label on at least so many slices.
        device: Where the arrays live.

    Raises:
        InputError: Nothing of the store passes the filters.
    """
    images = store.images
    keep = images["split"].isin(list(splits))
    if role is not None:
        keep &= images["role"] == role
    if datasets is not None:
        keep &= images["dataset"].isin(list(datasets))
    images = images[keep].reset_index(drop=True)
    if images.empty:
        raise InputError(
            f"The store has no image with role {role!r} and a split among {sorted(splits)}"
            + (f" in the data sets {sorted(datasets)}" if datasets is not None else "")
            + f"; it has {len(store.images)} images with the roles {sorted(store.images['role'].unique())}."
        )
    masks = store.masks[store.masks["image"].isin(images["image"])].reset_index(drop=True)
    loaded = store.load(resolution, images["image"].to_numpy())
    large = (masks["area"] > min_area).to_numpy()
    if not large.any():
        raise InputError(f"No mask of role {role!r} covers more than {min_area} of its image; lower min_area.")
    masks, packed = masks[large].reset_index(drop=True), loaded.masks[large]
    tables = _joined(images, masks)
    tasks = _across_tasks(tables)
    volumes = _volume_tasks(images, tables, min_volume_slices, resolution)
    if not tasks and not volumes:
        raise InputError(
            f"The store's {len(masks)} masks of role {role!r} form no task: a task needs the same label on at least "
            f"two images, or a volume with the label on {min_volume_slices} slices."
        )
    labels = tuple(tables[name].to_numpy(np.int64) for name in ("image_row", "label", "mask_row"))
    return DataPool(loaded.images, packed, tasks, volumes, device, labels)


def _joined(images: pandas.DataFrame, masks: pandas.DataFrame) -> pandas.DataFrame:
    """Masks with the columns of their images; ``image_row`` and ``mask_row`` are rows of the pool."""
    table = masks.assign(mask_row=np.arange(len(masks)))
    described = images.assign(image_row=np.arange(len(images)))
    return table.merge(described, on="image", suffixes=("", "_of_image"))


def volume_datasets(images: pandas.DataFrame) -> set[str]:
    """Data sets that come from volumes: those with slices that are neither a middle one nor a label's largest."""
    return set(images.loc[images["slicing"] == "all", "dataset"])


def _across_tasks(tables: pandas.DataFrame) -> list[Task]:
    """Tasks over 2D pictures, over middle slices, and over each label's largest slices; two images at least."""
    tasks = []
    of_volumes = tables["dataset"].isin(volume_datasets(tables))
    middle = tables[tables["slicing"] == "mid"].assign(view="mid")
    largest = tables[of_volumes & tables["largest"]].assign(view="max")
    keys = ["view", "dataset", "group", "modality", "axis", "label"]
    for view in (middle, largest):
        for key, rows in view.groupby(keys, sort=True, dropna=False):
            if len(rows) < 2:
                continue
            names = rows["subject"].astype(str)
            codes = {subject: code for code, subject in enumerate(sorted(names.unique()))}
            slicing, dataset, group, modality, axis, label = key
            tasks.append(
                Task(
                    str(dataset),
                    str(group),
                    str(modality),
                    str(axis),
                    str(slicing),
                    int(label),
                    str(rows["label_name"].iloc[0]),
                    images=rows["image_row"].to_numpy(np.int64),
                    masks=rows["mask_row"].to_numpy(np.int64),
                    subjects=names.map(codes).to_numpy(np.int64),
                )
            )
    return tasks


def _volume_tasks(
    images: pandas.DataFrame, tables: pandas.DataFrame, min_slices: int, resolution: int
) -> list[VolumeTask]:
    """One task per (volume, axis, label) over all slices of a volume that are stored."""
    volumes = []
    keys = ["dataset", "group", "modality", "subject", "name", "axis"]
    of_volumes = volume_datasets(images)
    slices = images.assign(image_row=np.arange(len(images)))
    slices = slices[slices["dataset"].isin(of_volumes)]
    shown = tables[tables["dataset"].isin(of_volumes)]
    masks_of = dict(iter(shown.groupby(keys, dropna=False)))
    for key, unsorted in slices.groupby(keys, sort=True, dropna=False):
        if key not in masks_of:
            continue
        stack = unsorted.sort_values("slice_index")
        # Standardised volumes have cubic voxels; the longer side of a slice fills the square.
        longest = max(int(stack["rows"].iloc[0]), int(stack["cols"].iloc[0]))
        step = float(np.median(np.diff(stack["slice_index"]))) if len(stack) > 1 else 1.0
        place = {row: i for i, row in enumerate(stack["image_row"])}
        for label, rows in masks_of[key].groupby("label", sort=True):
            if len(rows) < min_slices:
                continue
            mask_rows = np.full(len(stack), -1, dtype=np.int64)
            mask_rows[[place[row] for row in rows["image_row"]]] = rows["mask_row"].to_numpy()
            dataset, _, modality, subject, name, axis = (str(part) for part in key)
            volumes.append(
                VolumeTask(
                    dataset,
                    f"{subject}:{name}",
                    modality,
                    axis,
                    int(label),
                    str(rows["label_name"].iloc[0]),
                    stack["image_row"].to_numpy(np.int64),
                    mask_rows,
                    stack["slice_index"].to_numpy(np.int64),
                    step * resolution / longest,
                )
            )
    return volumes
