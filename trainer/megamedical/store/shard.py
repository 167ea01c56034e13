"""Write one data set into a store: all files in a hidden folder, then one rename."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.folders import replace_folder
from UniverSegSlicerLib.errors import InputError, OutputError
from UniverSegSlicerLib.writing import write_whole

from .checksum import sha256

if TYPE_CHECKING:
    import pyarrow as pa

#: Raised when the layout changes so that older readers would fail.
FORMAT = 1

IMAGE_COLUMNS = (
    "image", "subject", "name", "group", "modality", "axis", "slicing", "slice_index", "split", "official_split",
    "rows", "cols", "spacing_row", "spacing_col",
)  # fmt: skip
MASK_COLUMNS = ("mask", "image", "label", "label_name", "area", "largest")


class Part(Protocol):
    """A piece of a shard; ``masks`` rows count the images of this piece from 0."""

    images: list[dict[str, Any]]
    masks: list[dict[str, Any]]
    pixels: dict[int, NDArray[np.uint8]]
    bits: dict[int, NDArray[np.uint8]]


def write_shard(
    store: Path,
    dataset: str,
    parts: Callable[[], Iterable[Part]],
    resolutions: Sequence[int],
    splits: Mapping[str, str],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Write a shard and put it in its place; an older shard of the data set is replaced at the end.

    Args:
        store: Folder of the store.
        dataset: Id of the data set.
        parts: Gives the pieces in order; called once for the tables and once for the arrays, so that only one piece
            is in memory at a time.
        resolutions: Sides of the squares.
        splits: Subject to ``train``, ``val`` or ``test``.
        facts: What else goes into ``shard.json``.

    Returns:
        The content of ``shard.json``.

    Raises:
        OutputError: The disk is full or not writable; the old shard is untouched.
    """
    folder = store / ".parts" / dataset
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        images, masks, subjects = _write_tables(folder, parts(), splits)
        _write_arrays(folder, parts(), resolutions, images, masks)
        shard = {
            "format": FORMAT,
            "dataset": dataset,
            "resolutions": list(resolutions),
            "images": images,
            "masks": masks,
            "subjects": subjects,
            **facts,
            "checksums": {path.name: sha256(path) for path in sorted(folder.iterdir())},
        }
        write_whole(folder / "shard.json", (json.dumps(shard, indent=1, ensure_ascii=False) + "\n").encode())
        replace_folder(folder, store / dataset)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise OutputError(
            f"The data set {dataset} cannot be written into {store}: {error.strerror or error}."
        ) from error
    write_whole(store / "store.json", (json.dumps({"format": FORMAT}) + "\n").encode())
    return shard


def read_shard_facts(folder: Path) -> dict[str, Any]:
    """The content of ``shard.json``.

    Raises:
        InputError: It is missing, damaged, or of a newer layout.
    """
    path = folder / "shard.json"
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}).") from error
    if facts.get("format") != FORMAT:
        raise InputError(f"{path} has the layout {facts.get('format')}, this version reads {FORMAT}.")
    return facts


def _write_tables(folder: Path, parts: Iterable[Part], splits: Mapping[str, str]) -> tuple[int, int, int]:
    """Write both tables; returns the numbers of images, masks and subjects."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    images, masks = [_table([], IMAGE_COLUMNS)], [_table([], MASK_COLUMNS)]
    image_count = mask_count = 0
    subjects: set[str] = set()
    for part in parts:
        rows = [
            {**row, "image": image_count + index, "split": splits[row["subject"]]}
            for index, row in enumerate(part.images)
        ]
        images.append(_table(rows, IMAGE_COLUMNS))
        subjects.update(row["subject"] for row in rows)
        rows = [
            {**row, "image": image_count + row["image"], "mask": mask_count + index}
            for index, row in enumerate(part.masks)
        ]
        masks.append(_table(rows, MASK_COLUMNS))
        image_count += len(part.images)
        mask_count += len(part.masks)
    for name, tables in (("images", images), ("masks", masks)):
        pq.write_table(pa.concat_tables(tables).combine_chunks(), folder / f"{name}.parquet", compression="zstd")
    return image_count, mask_count, len(subjects)


def _table(rows: list[dict[str, Any]], columns: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    types = {
        "image": pa.int64(), "mask": pa.int64(), "axis": pa.int8(), "slice_index": pa.int32(),
        "rows": pa.int32(), "cols": pa.int32(), "label": pa.int32(), "area": pa.float32(), "largest": pa.bool_(),
        "spacing_row": pa.float32(), "spacing_col": pa.float32(),
    }  # fmt: skip
    arrays = [pa.array([row[name] for row in rows], types.get(name, pa.string())) for name in columns]
    return pa.table(arrays, names=list(columns))


def _write_arrays(folder: Path, parts: Iterable[Part], resolutions: Sequence[int], images: int, masks: int) -> None:
    # Written as plain files, not through a memory map: on a full disk a map kills the process instead of raising.
    with ExitStack() as stack:
        targets = {}
        for r in resolutions:
            targets[r] = (
                _new_array(stack, folder / f"res{r}_images.npy", (images, r, r)),
                _new_array(stack, folder / f"res{r}_masks.npy", (masks, r * r // 8)),
            )
        for part in parts:
            for r, (pixels, bits) in targets.items():
                pixels.write(np.ascontiguousarray(part.pixels[r]).data)
                bits.write(np.ascontiguousarray(part.bits[r]).data)


def _new_array(stack: ExitStack, path: Path, shape: tuple[int, ...]) -> IO[bytes]:
    stream = stack.enter_context(path.open("wb"))
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream
