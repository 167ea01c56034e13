"""Reader ``json``: pictures whose masks stand in a json file: keyed by picture, COCO, or one labelme file each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.errors import GeometryError, InputError

from ..declaration import LabelRule
from ..index import Case, Found
from ..sample import MaskPart, Sample
from . import masks
from .formats.coco import decode_rle, fill_polygons
from .image import load_picture, sample_of
from .pictures import to_grey


def read(case: Case) -> Iterator[Sample]:
    """Yield the picture of a case with every label that its json names (rows, cols).

    Raises:
        InputError: The json is damaged or has no entry for this picture, or a mask has another size.
    """
    group = case.group
    for channel, files in case.images.items():
        modality = group.modality_of(channel)
        if modality is None:
            continue
        path = case.path(files[0])
        raw = load_picture(path, group.image_options)
        grey = to_grey(raw.array, group.image_options, str(path))
        parts, notes = masks.of_files(case, partial(_parts, case, files[0], grey.shape))
        spacing = tuple(group.image_options.get("spacing", raw.spacing or (np.nan, np.nan)))
        yield sample_of(case, channel, modality, grey, spacing, masks.collect(group.label, parts, grey.shape), notes)


def _parts(
    case: Case, image: Found, shape: tuple[int, ...], label: Found, turn: int
) -> tuple[list[MaskPart], list[str]]:
    rule = case.group.label
    path = case.path(label)
    data = _load(path, path.stat().st_mtime_ns if path.is_file() else 0)
    for key in filter(None, str(rule.options.get("root_key", "")).split("/")):
        data = data[key] if isinstance(data, dict) and key in data else _missing(path, f"entry {key!r}")
    kind = rule.options.get("json_kind", "keyed")
    if kind == "keyed":
        entries = _keyed(rule, data, image, path)
    else:
        entries = _coco(data, image, path) if kind == "coco" else _labelme(data, path)
    names = [name.casefold() for name in rule.names]
    ignored = {name.casefold() for name in rule.ignore}
    parts: list[MaskPart] = []
    unknown: set[str] = set()
    for key, entry in entries:
        if key.casefold() in names:
            mask = _mask(entry, shape, f"{label.path}, {image.path}, {key}")
            if mask.any():
                parts.append(MaskPart(mask.astype(np.uint8), {1: turn * len(names) + names.index(key.casefold())}))
        elif key.casefold() not in ignored:
            unknown.add(key)
    notes = [f"{label.path}: the declaration does not name the label {key!r}" for key in sorted(unknown)]
    return parts, notes


@lru_cache(maxsize=4)
def _load(path: Path, _changed: int) -> Any:
    if not path.is_file():
        raise InputError(f"The file {path} is missing.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The file {path} cannot be read ({error}).") from error


def _missing(path: Path, what: str) -> Any:
    raise InputError(f"{path} has no {what}.")


def _keyed(rule: LabelRule, data: Any, image: Found, path: Path) -> list[tuple[str, Any]]:
    try:
        key = rule.options.get("json_key", "{subject}").format(**image.captures)
    except KeyError as error:
        raise InputError(f"{path}: json_key wants the named group {error}, which the image pattern lacks.") from error
    if isinstance(data, dict) and key not in data and rule.absent == "empty":
        return []
    if not isinstance(data, dict) or key not in data:
        return list(_missing(path, f"entry {key!r} for the image {image.path}"))
    return [(str(label), entry) for label, entry in data[key].items()]


def _coco(data: Any, image: Found, path: Path) -> list[tuple[str, Any]]:
    try:
        name = Path(image.path).name.casefold()
        ids = {item["id"] for item in data["images"] if Path(item["file_name"]).name.casefold() == name}
        if not ids:
            return list(_missing(path, f"image {Path(image.path).name}"))
        categories = {item["id"]: item["name"] for item in data["categories"]}
        annotations = [item for item in data["annotations"] if item["image_id"] in ids]
        return [(str(categories[item["category_id"]]), item["segmentation"]) for item in annotations]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is not as COCO writes it ({error!r}).") from error


def _labelme(data: Any, path: Path) -> list[tuple[str, Any]]:
    try:
        return [(str(shape["label"]), [shape["points"]]) for shape in data["shapes"]]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} has no shapes with label and points ({error!r}).") from error


def _mask(entry: Any, shape: tuple[int, ...], where: str) -> NDArray[np.bool_]:
    size = (int(shape[0]), int(shape[1]))
    try:
        if isinstance(entry, dict):
            if tuple(int(v) for v in entry["size"]) != size:
                raise GeometryError(f"{where}: the mask has the size {tuple(entry['size'])}, its image has {size}.")
            return decode_rle(entry["counts"], size)
        return fill_polygons(entry, size) if entry else np.zeros(size, bool)
    except (InputError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, GeometryError):
            raise
        raise InputError(f"{where}: {error}") from error
