"""The support-set file: a NumPy ``.npz`` archive with a JSON header, no pickle, nothing but arrays inside.

Members: ``metadata`` (UTF-8 JSON as bytes), and for example number n ``image_n`` (float32) and ``labels_n`` (uint16).
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
from ...writing import replacing
from .example import SupportExample

FORMAT = "UniverSegSlicer support set"
VERSION = 1

# What an archive may unpack to: thousands of slices, yet no zip bomb.
_LARGEST_FILE = 8 << 30
_LARGEST_METADATA = 64 << 20
_FIELDS = ("spacing", "source", "axis", "index", "used", "complete")


#: Examples, names of their label values, and where they come from, in words.
Contents = tuple[tuple[SupportExample, ...], dict[int, str], str]


def write_examples(
    path: str | Path, examples: Sequence[SupportExample], label_names: Mapping[int, str], provenance: str
) -> None:
    """Write a support set; the file appears whole or not at all (OutputError)."""
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "label_names": {str(value): name for value, name in label_names.items()},
        "provenance": provenance,
        "examples": [{name: getattr(example, name) for name in _FIELDS} for example in examples],
    }
    arrays = {"metadata": np.frombuffer(json.dumps(metadata).encode(), np.uint8)}
    for n, example in enumerate(examples):
        arrays[f"image_{n}"] = example.image
        arrays[f"labels_{n}"] = example.labels
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
    if metadata["version"] != VERSION:
        raise InputError(f"its version is {metadata['version']}, this program reads version {VERSION}; update it.")
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
    return tuple(examples), names, str(metadata["provenance"])
