"""Random access to the pictures and masks of a store."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from UniverSegSlicerLib.errors import InputError

from .checksum import sha256
from .shard import read_shard_facts


@dataclass(frozen=True)
class LoadedPixels:
    """A store in memory at one resolution: ``images`` uint8 (n, R, R), ``masks`` uint8 (m, R*R/8) packed bits."""

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    resolution: int


class Store:
    """A store opened for reading.

    Attributes:
        images: One row per picture. ``image`` is its number in this store; ``dataset``, ``subject``, ``name``,
            ``group``, ``modality``; ``axis`` (0, 1, 2) and ``slice_index`` on the standardised grid; ``slicing``:
            "mid" (middle slice, and every 2D picture), "max" (largest slice of a label that is not the middle one)
            or "all" (any other slice that shows a label); ``split``: seeded "train", "val", "test" by subject;
            ``official_split``; ``role``: "train", "val", "heldout"; ``rank``, ``licence``; ``rows`` and
            ``cols`` of the slice before the resize, ``spacing_row`` and ``spacing_col`` of its pixels in mm (NaN
            unknown) and ``spacing``, their mean; ``SliceFrame.fit((rows, cols), ...)`` is the way to its square.
        masks: One row per picture and label that it shows: ``mask``, ``image``, ``label`` (number in the data set),
            ``label_name``, ``area`` (fraction of the square), ``largest`` (this slice is the label's largest).
        shards: The content of each shard.json by data set.
    """

    def __init__(self, path: Path, datasets: Sequence[str]) -> None:
        import pandas as pd

        self.path = path
        self.shards = {name: read_shard_facts(path / name) for name in datasets}
        self._image_starts = np.cumsum([0, *(facts["images"] for facts in self.shards.values())])
        self._mask_starts = np.cumsum([0, *(facts["masks"] for facts in self.shards.values())])
        image_tables, mask_tables = [], []
        for name, image_start, mask_start in zip(self.shards, self._image_starts, self._mask_starts, strict=False):
            facts = self.shards[name]
            images = pd.read_parquet(path / name / "images.parquet")
            images["image"] += image_start
            masks = pd.read_parquet(path / name / "masks.parquet")
            masks["image"] += image_start
            masks["mask"] += mask_start
            for column in ("role", "rank", "licence"):
                images[column] = facts[column]
            images.insert(1, "dataset", name)
            image_tables.append(images)
            mask_tables.append(masks)
        self.images = pd.concat(image_tables, ignore_index=True)
        self.masks = pd.concat(mask_tables, ignore_index=True)
        self.images["spacing"] = (self.images["spacing_row"] + self.images["spacing_col"]) / 2
        self._maps: dict[tuple[int, str], list[NDArray[np.uint8] | None]] = {}

    @classmethod
    def open(cls, path: str | Path, datasets: Sequence[str] | None = None) -> Store:
        """Open a store, whole or only some data sets.

        Raises:
            InputError: ``path`` is no store, a data set is not in it, or a shard is damaged.
        """
        path = Path(path)
        there = sorted(p.parent.name for p in path.glob("*/shard.json") if not p.parent.name.startswith("."))
        if not there:
            raise InputError(f"There is no store in {path}; make one with: universeg-trainer standardize")
        wanted = there if datasets is None else list(datasets)
        missing = sorted(set(wanted) - set(there))
        if missing:
            raise InputError(f"The store {path} has no data set {', '.join(missing)}; it has {', '.join(there)}.")
        return cls(path, wanted)

    def __len__(self) -> int:
        return int(self._image_starts[-1])

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Resolutions that every data set has."""
        common = set.intersection(*(set(facts["resolutions"]) for facts in self.shards.values()))
        return tuple(sorted(common))

    def read_images(self, rows: ArrayLike, resolution: int) -> NDArray[np.uint8]:
        """Pictures by number: uint8 (n, resolution, resolution), 0 darkest, 255 brightest.

        Raises:
            InputError: A number or the resolution is not in the store.
        """
        return self._read(rows, resolution, "images", self._image_starts, (resolution, resolution))

    def read_masks(self, rows: ArrayLike, resolution: int) -> NDArray[np.uint8]:
        """Masks by number: uint8 0 or 1 (n, resolution, resolution)."""
        packed = self._read(rows, resolution, "masks", self._mask_starts, (resolution * resolution // 8,))
        return np.unpackbits(packed, axis=1).reshape(-1, resolution, resolution)

    def load(self, resolution: int, images: ArrayLike | None = None) -> LoadedPixels:
        """Everything at one resolution in memory; with ``images`` only these pictures and their masks, in that order.

        Masks of chosen pictures come in the order of ``self.masks[self.masks.image.isin(images)]``.
        """
        if images is None:
            image_rows = np.arange(self._image_starts[-1])
            mask_rows = np.arange(self._mask_starts[-1])
        else:
            image_rows = np.asarray(images)
            mask_rows = self.masks["mask"].to_numpy()[self.masks["image"].isin(image_rows).to_numpy()]
        return LoadedPixels(
            self.read_images(image_rows, resolution),
            self._read(mask_rows, resolution, "masks", self._mask_starts, (resolution * resolution // 8,)),
            resolution,
        )

    def verify(self) -> list[str]:
        """Compare every file with its checksum; the names of those that differ or are missing."""
        wrong = []
        for name, facts in self.shards.items():
            for file, digest in facts["checksums"].items():
                path = self.path / name / file
                if not path.is_file() or sha256(path) != digest:
                    wrong.append(f"{name}/{file}")
        return wrong

    def _read(
        self, rows: ArrayLike, resolution: int, kind: str, starts: NDArray[np.int64], shape: tuple[int, ...]
    ) -> NDArray[np.uint8]:
        wanted = np.atleast_1d(np.asarray(rows, np.int64)).tolist()
        bounds = starts.tolist()
        if wanted and not (min(wanted) >= 0 and max(wanted) < bounds[-1]):
            raise InputError(
                f"The store {self.path} has {kind} 0 to {bounds[-1] - 1}, asked for {min(wanted)} to {max(wanted)}."
            )
        result = np.empty((len(wanted), *shape), np.uint8)
        maps = self._maps.setdefault((resolution, kind), [None] * len(self.shards))
        # A plain loop: sorting the rows by shard for array indexing costs more than these copies of some kilobytes.
        for place, row in enumerate(wanted):
            shard = bisect_right(bounds, row) - 1
            source = maps[shard]
            if source is None:
                source = maps[shard] = self._map(shard, resolution, kind)
            result[place] = source[row - bounds[shard]]
        return result

    def _map(self, shard: int, resolution: int, kind: str) -> NDArray[np.uint8]:
        dataset, facts = list(self.shards.items())[shard]
        path = self.path / dataset / f"res{resolution}_{kind}.npy"
        if not path.is_file():
            raise InputError(f"{dataset} has the resolutions {facts['resolutions']}, asked for {resolution}.")
        # The plain array on the map: np.memmap's own indexing costs several times more per sample.
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))

    def __getstate__(self) -> dict[str, Any]:
        # Workers of a data loader map the files themselves.
        return {**self.__dict__, "_maps": {}}
