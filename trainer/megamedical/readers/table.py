"""Reader ``table``: one array file with many samples (npy, npz, hdf5, mat), or a video with a mask per frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.errors import GeometryError, InputError, UniverSegError

from ..index import Case
from ..sample import MaskPart, Sample
from . import masks
from .formats.arrays import VIDEO_SUFFIXES, suffix_of
from .formats.loading import load_array
from .formats.optional import need
from .formats.spreadsheet import column, read_rows
from .image import sample_of
from .pictures import split_channels, to_grey


def split(case: Case, rows: int) -> list[Case]:
    """Split a table into ranges of at most ``rows`` samples; a table that cannot be opened stays one case."""
    path = case.path(next(iter(case.images.values()))[0])
    if case.rows is not None or suffix_of(path) in VIDEO_SUFFIXES:
        return [case]
    try:
        with ExitStack() as stack:
            count = _Rows.open(path, case.group.image_options, stack).count
    except UniverSegError:
        return [case]  # reading it reports the fault
    return [replace(case, rows=(start, min(start + rows, count))) for start in range(0, count, rows)] or [case]


def read(case: Case) -> Iterator[Sample]:
    """Yield the samples of the case's rows, (rows, cols) each, one per channel with a modality.

    Raises:
        InputError: The numbers of images and labels differ, or a table of subjects or frames does not fit.
    """
    group = case.group
    if not case.labels:
        raise InputError(f"{case.name}: no label file.")
    with ExitStack() as stack:
        for channel, files in case.images.items():
            path = case.path(files[0])
            images = _Rows.open(path, group.image_options, stack)
            labels = [
                (found, turn, _Rows.open(case.path(found), group.label.options, stack))
                for found in case.labels
                if (turn := masks.rater_turn(group.label, found.captures.get("rater"), found.path)) is not None
            ]
            first = _first_frame(case, path, group.image_options)
            count = labels[0][2].count if first is not None else images.count
            for found, _, table in labels:
                if table.count != count or (first is not None and first + count > images.count):
                    raise InputError(
                        f"{found.path}: {table.count} masks for {images.count} images"
                        + (f" from frame {first + 1} on." if first is not None else ".")
                    )
            subjects = _subjects(case, path, group.image_options, images.count)
            start, stop = case.rows or (0, count)
            for row in range(start, stop):
                picture = images.row(row + (first or 0))
                for name, array in split_channels(picture, group.image_options, str(path)).items():
                    modality = group.modality_of(name or channel)
                    if modality is None:
                        continue
                    grey = to_grey(array, group.image_options, f"{path} row {row}")
                    parts, notes = _parts(case, labels, row, grey.shape, stretch=first is not None)
                    one = replace(case, name=f"{case.name}/{row:05d}", subject=subjects(row))
                    yield sample_of(
                        one, channel or name, modality, grey,
                        tuple(group.image_options.get("spacing", (np.nan, np.nan))),
                        masks.collect(group.label, parts, grey.shape), notes,
                    )  # fmt: skip


@dataclass(frozen=True)
class _Rows:
    """Samples of an array file by number; HDF5 and npy are read row by row."""

    source: Any
    axis: int
    transpose: tuple[int, ...] | None

    @classmethod
    def open(cls, path: Path, options: Mapping[str, Any], stack: ExitStack) -> _Rows:
        axis = int(options.get("row_axis", 0))
        source: Any
        if suffix_of(path) in (".h5", ".hdf5"):
            source = _open_hdf5(path, options.get("key"), stack)
        else:
            source = load_array(path, options).array
        if source.ndim == 2:
            source = np.asarray(source)[None] if axis == 0 else np.expand_dims(np.asarray(source), axis)
        if source.ndim < 3 or axis >= source.ndim:
            raise InputError(f"{path}: expected an array of samples, got the shape {source.shape}.")
        transpose = options.get("transpose")
        return cls(source, axis, tuple(transpose) if transpose else None)

    @property
    def count(self) -> int:
        return int(self.source.shape[self.axis])

    def row(self, index: int) -> NDArray[Any]:
        array = np.asarray(self.source[(slice(None),) * self.axis + (index,)])
        return np.transpose(array, self.transpose) if self.transpose else array


def _open_hdf5(path: Path, key: str | None, stack: ExitStack) -> Any:
    if not path.is_file():
        raise InputError(f"The file {path} is missing.")
    h5py = need("h5py", "HDF5 files")
    try:
        file = stack.enter_context(h5py.File(path, "r"))
    except OSError as error:
        raise InputError(f"The file {path} cannot be read ({error}).") from error
    names = [name for name in file if isinstance(file[name], h5py.Dataset)]
    if key is None and len(names) == 1:
        key = names[0]
    if key is None or key not in file:
        raise InputError(f"{path} has no array {key!r}; it has {', '.join(sorted(names)) or 'none'}.")
    return file[key]


def _parts(
    case: Case, labels: Sequence[tuple[Any, int, _Rows]], row: int, shape: tuple[int, ...], *, stretch: bool
) -> tuple[list[MaskPart], list[str]]:
    rule = case.group.label
    parts: list[MaskPart] = []
    notes: list[str] = []
    for found, turn, table in labels:
        array = table.row(row)
        where = f"{found.path} row {row}"
        if stretch and array.shape[:2] != shape:
            array = _stretched(array, shape)
        first = rule.encoding == "channels" and rule.options.get("channel_axis") == "first"
        if (array.shape[1:3] if first else array.shape[:2]) != shape:
            raise GeometryError(f"{where}: the label has the shape {array.shape}, its image has {shape}.")
        new, said = masks.encode(rule, array, where, turn, 2, found.captures.get("class", ""))
        parts.extend(new)
        notes.extend(said)
    return parts, notes


def _stretched(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The mask of a video, made on a frame squeezed to another size, on the frame itself (nearest pixel)."""
    rows = ((np.arange(shape[0]) + 0.5) * array.shape[0] / shape[0]).astype(int)
    cols = ((np.arange(shape[1]) + 0.5) * array.shape[1] / shape[1]).astype(int)
    return array[rows][:, cols]


def _first_frame(case: Case, path: Path, options: Mapping[str, Any]) -> int | None:
    """The 0-based video frame of the first mask; None where images and masks have the same rows."""
    option = options.get("frames")
    if option is None:
        return 0 if suffix_of(path) in VIDEO_SUFFIXES else None
    table = case.root / option["file"]
    if not table.is_file():  # beside the videos as well as beside the archive
        table = path.parent / option["file"]
    if not table.is_file():
        table = path.parent.parent / option["file"]
    rows = read_rows(table)
    _, names = column(rows, option["name"], table)
    _, starts = column(rows, option["start"], table)
    stem = path.stem.strip().casefold()
    for name, start in zip(names, starts, strict=True):
        if Path(name.strip()).stem.strip().casefold() == stem or name.strip().casefold() == stem:
            try:
                return int(float(start)) - 1
            except ValueError:
                raise InputError(f"{table}: the first frame of {path.stem} is {start!r}, not a number.") from None
    raise InputError(f"{table} has no row for {path.stem}.")


def _subjects(case: Case, path: Path, options: Mapping[str, Any], count: int) -> Any:
    """Row to subject: from a table, from arrays of the same file, the video, or the row itself."""
    if "subjects" in options:
        return _subjects_from_table(case, options["subjects"], count)
    if "subject_keys" in options:
        columns = [
            np.asarray(load_array(path, {"key": key}).array).reshape(count, -1)[:, 0] for key in options["subject_keys"]
        ]
        return lambda row: "_".join(_text(values[row]) for values in columns)
    if "frames" in options or suffix_of(path) in VIDEO_SUFFIXES:
        return lambda _: case.subject
    return lambda row: f"{case.subject}_{row:05d}"


def _subjects_from_table(case: Case, option: Mapping[str, str], count: int) -> Any:
    table = case.root / option["file"]
    rows = read_rows(table)
    values = [row[0] for row in rows] if table.suffix.lower() == ".npy" else column(rows, option["column"], table)[1]
    if "row" in option:
        numbers = [int(float(text)) for text in column(rows, option["row"], table)[1] if text]
        by_row = dict(zip(numbers, values, strict=False))
        return lambda row: by_row.get(row) or f"{case.subject}_{row:05d}"
    if len(values) < count:
        raise InputError(f"{table}: {len(values)} subjects for {count} samples.")
    return lambda row: values[row] or f"{case.subject}_{row:05d}"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
