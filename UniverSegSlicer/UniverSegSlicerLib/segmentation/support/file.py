"""The support-set file: a NumPy ``.npz`` archive with a JSON header, no pickle, nothing but arrays inside.

Members: ``metadata`` (UTF-8 JSON as bytes), and for example number n ``image_n`` (float32) and ``labels_n`` (uint16).
Version 2 may also hold scans with their whole label maps, and only sets that do so are written as version 2: for scan
number n ``scan_n`` (uint16, K, J, I) and ``scan_labels_n`` (uint16), and their grid in the metadata.
"""

from __future__ import annotations

import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...imaging import Geometry, Volume
from ...writing import replacing
from .example import SupportExample
from .scan import LabelledScan

FORMAT = "UniverSegSlicer support set"
#: Of files with slices alone, and of those that hold scans as well; a program reads the versions that it knows.
VERSION, VERSION_WITH_SCANS = 1, 2

# What an archive may unpack to: thousands of slices, yet no zip bomb.
_LARGEST_FILE = 8 << 30
_LARGEST_METADATA = 64 << 20
_FIELDS = ("spacing", "source", "axis", "index", "used", "complete")


#: Examples, names of their label values, where they come from, in words, and whole scans.
Contents = tuple[tuple[SupportExample, ...], dict[int, str], str, tuple[LabelledScan, ...]]


def write_examples(
    path: str | Path,
    examples: Sequence[SupportExample],
    label_names: Mapping[int, str],
    provenance: str,
    scans: Sequence[LabelledScan] = (),
) -> None:
    """Write a support set; the file appears whole or not at all (OutputError)."""
    metadata: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION_WITH_SCANS if scans else VERSION,
        "label_names": {str(value): name for value, name in label_names.items()},
        "provenance": provenance,
        "examples": [{name: getattr(example, name) for name in _FIELDS} for example in examples],
    }
    if scans:
        metadata["scans"] = [
            {
                "spacing": scan.image.geometry.spacing,
                "origin": scan.image.geometry.origin,
                "direction": scan.image.geometry.direction,
                "source": scan.source,
                "used": scan.used,
            }
            for scan in scans
        ]
    arrays = {"metadata": np.frombuffer(json.dumps(metadata).encode(), np.uint8)}
    for n, example in enumerate(examples):
        arrays[f"image_{n}"] = example.image
        arrays[f"labels_{n}"] = example.labels
    for n, scan in enumerate(scans):
        arrays[f"scan_{n}"] = scan.image.array
        arrays[f"scan_labels_{n}"] = scan.labels
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_examples(path: str | Path) -> Contents:
    """Read a support set; every flaw of the file is an InputError that names the file."""
    path = Path(path)
    try:
        _check_sizes(path)
        with np.load(path, allow_pickle=False) as archive:
            return _decode(archive)
    except InputError as error:
        raise InputError(f"{path} is not a usable support set: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        tokenize.TokenError,  # what NumPy's reader of headers raises
        SyntaxError,
        RecursionError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
        MemoryError,
    ) as error:
        raise InputError(
            f"{path} is not a usable support set: it is damaged ({type(error).__name__}: {error})."
        ) from error


def _check_sizes(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
    if "metadata.npy" not in sizes:
        raise InputError("it has no metadata; support sets are written by 'universeg-slicer support create'.")
    if sum(sizes.values()) > _LARGEST_FILE or sizes["metadata.npy"] > _LARGEST_METADATA:
        raise InputError(f"it would unpack to {sum(sizes.values())} bytes, which is too large.")


def _decode(archive: Any) -> Contents:
    metadata = json.loads(archive["metadata"].astype(np.uint8, casting="no").tobytes())
    if metadata["format"] != FORMAT:
        raise InputError(f"its format is {metadata['format']!r}.")
    if metadata["version"] not in (VERSION, VERSION_WITH_SCANS):
        raise InputError(
            f"its version is {metadata['version']}, this program reads versions {VERSION} and {VERSION_WITH_SCANS}; "
            "update it."
        )
    examples = []
    for n, fields in enumerate(metadata["examples"]):
        image, labels = archive[f"image_{n}"], archive[f"labels_{n}"]
        kinds = [getattr(member, "dtype", "no array") for member in (image, labels)]
        if kinds != [np.float32, np.uint16]:
            raise InputError(f"example {n} holds {kinds[0]} and {kinds[1]}, not float32 and uint16.")
        row_mm, col_mm = fields["spacing"]
        index = fields["index"]
        examples.append(
            SupportExample(
                image,
                labels,
                (float(row_mm), float(col_mm)),
                str(fields["source"]),
                fields["axis"],
                None if index is None else int(index),
                bool(fields["used"]),
                bool(fields["complete"]),
            )
        )
    names = {int(value): str(name) for value, name in metadata["label_names"].items()}
    described = metadata.get("scans", []) if metadata["version"] == VERSION_WITH_SCANS else []
    scans = tuple(_scan(archive, n, fields) for n, fields in enumerate(described))
    return tuple(examples), names, str(metadata["provenance"]), scans


def _scan(archive: Any, n: int, fields: Any) -> LabelledScan:
    image, labels = archive[f"scan_{n}"], archive[f"scan_labels_{n}"]
    kinds = [getattr(member, "dtype", "no array") for member in (image, labels)]
    if kinds != [np.uint16, np.uint16]:
        raise InputError(f"scan {n} holds {kinds[0]} and {kinds[1]}, not uint16 and uint16.")
    if image.ndim != 3:
        raise InputError(f"scan {n} has {image.ndim} dimensions, three (K, J, I) are needed.")
    spacing, origin, direction = (tuple(float(v) for v in fields[name]) for name in ("spacing", "origin", "direction"))
    grid = Geometry(image.shape[::-1], spacing, origin, direction)  # type: ignore[arg-type]
    return LabelledScan(Volume(image, grid), labels, str(fields["source"]), bool(fields["used"]))
