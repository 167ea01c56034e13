"""How fast random samples come out of a store, beside the same samples in other formats, in one run."""

from __future__ import annotations

import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.errors import DependencyError, InputError

from .reader import Store

#: Seconds of reading per figure; enough that starting costs vanish.
_SECONDS = 2.0


@dataclass(frozen=True)
class Figure:
    """Samples per second, one by one and in batches of 64, and the size on disk in MB.

    ``*_cpu`` count seconds of the processor, of all threads: nearer to what an idle machine gives, where the clock says
    more about what else this one does.
    """

    name: str
    one_by_one: float
    batches: float
    one_by_one_cpu: float
    batches_cpu: float
    megabytes: float


class Alternative(ABC):
    """A format: pictures uint8 (n, R, R) and packed masks uint8 (n, R*R/8), sample i is picture i with mask i."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def write(self, images: NDArray[np.uint8], masks: NDArray[np.uint8]) -> None:
        """Write all samples into the folder."""

    @abstractmethod
    def read(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Read samples by number."""


class MemoryMaps(Alternative):
    """Plain .npy files, mapped."""

    name = "npy memory maps"

    def write(self, images: NDArray[np.uint8], masks: NDArray[np.uint8]) -> None:
        np.save(self.folder / "images.npy", images)
        np.save(self.folder / "masks.npy", masks)
        self._images = np.asarray(np.load(self.folder / "images.npy", mmap_mode="r"))
        self._masks = np.asarray(np.load(self.folder / "masks.npy", mmap_mode="r"))

    def read(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return self._images[rows], self._masks[rows]


class ZarrShards(Alternative):
    """Zarr 3: one chunk per sample, 1024 chunks per shard, no compression."""

    name = "Zarr 3, sharded"

    def write(self, images: NDArray[np.uint8], masks: NDArray[np.uint8]) -> None:
        zarr = _need("zarr")
        self._arrays = []
        for name, data in (("images", images), ("masks", masks)):
            # A shard holds whole chunks only; the last one may stick out of the array.
            shard = (1024, *data.shape[1:])
            array = zarr.create_array(
                store=str(self.folder / f"{name}.zarr"), shape=data.shape, dtype=data.dtype,
                chunks=(1, *data.shape[1:]), shards=shard, compressors=None,
            )  # fmt: skip
            array[:] = data
            self._arrays.append(array)

    def read(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        images, masks = self._arrays
        return images.oindex[rows], masks.oindex[rows]


class Lmdb(Alternative):
    """LMDB: one key per sample, picture and mask in one value."""

    name = "LMDB"

    def write(self, images: NDArray[np.uint8], masks: NDArray[np.uint8]) -> None:
        lmdb = _need("lmdb")
        self._shape = images.shape[1:]
        self._split = int(np.prod(self._shape))
        size = 4 * (images.nbytes + masks.nbytes) + (1 << 24)
        self._file = lmdb.open(str(self.folder), map_size=size, readahead=False, lock=False)
        with self._file.begin(write=True) as transaction:
            for row, (image, mask) in enumerate(zip(images, masks, strict=True)):
                transaction.put(row.to_bytes(4, "big"), image.tobytes() + mask.tobytes(), append=True)
        self._transaction = self._file.begin(buffers=True)

    def read(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        get = self._transaction.get
        values = np.stack([np.frombuffer(get(int(row).to_bytes(4, "big")), np.uint8) for row in rows])
        return values[:, : self._split].reshape(-1, *self._shape), values[:, self._split :]


class Arrow(Alternative):
    """Arrow IPC file, mapped: fixed-size binary columns."""

    name = "Arrow IPC, mapped"

    def write(self, images: NDArray[np.uint8], masks: NDArray[np.uint8]) -> None:
        import pyarrow as pa

        self._shape = images.shape[1:]
        columns = []
        for data in (images, masks):
            width = int(np.prod(data.shape[1:]))
            buffer = pa.py_buffer(np.ascontiguousarray(data))
            columns.append(pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(data), [None, buffer]))
        table = pa.table(columns, names=["image", "mask"])
        path = self.folder / "samples.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        self._table = pa.ipc.open_file(pa.memory_map(str(path))).read_all().combine_chunks()

    def read(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        taken = self._table.take(rows).combine_chunks()
        result = []
        for name in ("image", "mask"):
            column = taken.column(name).chunk(0)
            width = column.type.byte_width
            flat = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * width :]
            result.append(flat[: len(rows) * width].reshape(len(rows), width))
        return result[0].reshape(-1, *self._shape), result[1]


class Parquet(Alternative):
    """Parquet with zstd, row groups of 64: what a table format costs per random sample."""

    name = "Parquet, zstd"

    def write(self, images: NDArray[np.uint8], masks: NDArray[np.uint8]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._shape = images.shape[1:]
        table = pa.table({"image": [i.tobytes() for i in images], "mask": [m.tobytes() for m in masks]})
        pq.write_table(
            table, self.folder / "samples.parquet", row_group_size=64, compression="zstd", use_dictionary=False
        )
        self._file = pq.ParquetFile(self.folder / "samples.parquet")

    def read(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        images, masks = [], []
        for row in rows.tolist():
            group = self._file.read_row_group(row // 64)
            images.append(np.frombuffer(group["image"][row % 64].as_py(), np.uint8).reshape(self._shape))
            masks.append(np.frombuffer(group["mask"][row % 64].as_py(), np.uint8))
        return np.stack(images), np.stack(masks)


ALTERNATIVES: tuple[type[Alternative], ...] = (MemoryMaps, ZarrShards, Lmdb, Arrow, Parquet)


def measure_store(store: Store, resolution: int, seed: int = 0, seconds: float = _SECONDS) -> Figure:
    """Random samples through :class:`Store` itself: many shards, masks unpacked to 0 and 1."""
    rng = np.random.default_rng(seed)
    masks = len(store.masks)
    pictures = store.masks["image"].to_numpy()
    if masks == 0:
        raise InputError(f"The store {store.path} has no mask.")

    def read(rows: NDArray[np.int64]) -> None:
        store.read_images(pictures[rows], resolution)
        store.read_masks(rows, resolution)

    for start in range(0, masks, 4096):  # warm: every page was touched once
        read(np.arange(start, min(start + 4096, masks)))
    size = _megabytes(store.path.glob(f"*/res{resolution}_*.npy"))
    return _figure("this store", read, masks, rng, seconds, size)


def measure_alternatives(
    store: Store, resolution: int, samples: int = 8192, seed: int = 0, seconds: float = _SECONDS
) -> list[Figure]:
    """The same real samples in every format, in a folder that is deleted afterwards.

    Raises:
        DependencyError: zarr or lmdb is not installed (``pip install 'universegslicer[bench]'``).
    """
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(store.masks), min(samples, len(store.masks)), replace=False))
    images = store.read_images(store.masks["image"].to_numpy()[chosen], resolution)
    masks = np.packbits(store.read_masks(chosen, resolution).reshape(len(chosen), -1), axis=1)
    figures = []
    for kind in ALTERNATIVES:
        folder = Path(tempfile.mkdtemp(prefix="universeg-bench-"))
        try:
            alternative = kind(folder)
            alternative.write(images, masks)
            probe = rng.integers(0, len(chosen), 16)
            back = alternative.read(probe)
            if not (np.array_equal(back[0], images[probe]) and np.array_equal(back[1], masks[probe])):
                raise InputError(f"{kind.name} gives other samples than were written.")
            size = _megabytes(path for path in folder.rglob("*") if path.is_file())
            figures.append(_figure(kind.name, alternative.read, len(chosen), rng, seconds, size))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return figures


def _figure(name: str, read: Any, count: int, rng: np.random.Generator, seconds: float, megabytes: float) -> Figure:
    one, one_cpu = _speed(read, count, 1, rng, seconds)
    batches, batches_cpu = _speed(read, count, 64, rng, seconds)
    return Figure(name, one, batches, one_cpu, batches_cpu, megabytes)


def _speed(read: Any, count: int, batch: int, rng: np.random.Generator, seconds: float) -> tuple[float, float]:
    rows = rng.integers(0, count, (4096, batch))
    read(rows[0])
    done = 0
    start, processor = time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - start) < seconds:
        read(rows[done % len(rows)])
        done += 1
    return done * batch / elapsed, done * batch / max(time.process_time() - processor, 1e-9)


def _megabytes(paths: Iterable[Path]) -> float:
    # Blocks, not length: a sparse LMDB file is shorter than it looks.
    return sum(getattr(p.stat(), "st_blocks", p.stat().st_size / 512) * 512 for p in paths) / 1e6


def _need(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise DependencyError(
            f"The comparison needs the package {module} ({error}); pip install 'universegslicer[bench]'"
        ) from error
