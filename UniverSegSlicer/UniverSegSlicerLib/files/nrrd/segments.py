"""The fields in which Slicer keeps the segments of a ``.seg.nrrd``.

Source: https://slicer.readthedocs.io/en/latest/user_guide/modules/segmentations.html#segmentations-file-format
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import InputError
from ..label_maps import LabelMap, Segment, check_value

_FIELD = re.compile(r"Segment(\d+)_(\w+)$")
_TERMINOLOGY = "TerminologyEntry"
# Written anew, from what is written.
_OWN = ("Color", "Extent", "LabelValue", "Layer", "Name", "Tags")


def segments_of(path: Path, fields: Mapping[str, Any], layers: int) -> list[tuple[int, Segment]] | None:
    """The segments that a header tells of, each with the number of its layer; None where it tells of none.

    Args:
        path: The file, for the errors.
        fields: All fields of the header.
        layers: How many there are.

    Raises:
        InputError: A layer or a label value that cannot be.
    """
    table: dict[int, dict[str, str]] = {}
    for name, value in fields.items():
        found = _FIELD.match(str(name))
        if found is not None:
            table.setdefault(int(found[1]), {})[found[2]] = str(value)
    if not table:
        return None
    return [_segment(path, number, table[number], layers) for number in sorted(table)]


def _segment(path: Path, number: int, told: dict[str, str], layers: int) -> tuple[int, Segment]:
    # Files from before Slicer 4.11 have a layer for each segment, and say neither layer nor value.
    layer = _number(path, told.get("Layer", str(number if layers > 1 else 0)))
    if not 0 <= layer < layers:
        raise InputError(f"{path} is damaged: a segment is said to be in layer {layer} of {layers}.")
    value = check_value(_number(path, told.get("LabelValue", "1")), f"a segment of {path}")
    tags = told.get("Tags", "")
    return layer, Segment(
        value,
        told.get("Name") or told.get("ID") or f"Segment_{value}",
        _colour(told.get("Color", "")),
        _tags(tags).get(_TERMINOLOGY) or None,
        {name: text for name, text in told.items() if name not in _OWN or name == "Tags"},
    )


def fields_of(layers: Sequence[LabelMap]) -> dict[str, str]:
    """The fields that tell of the segments of these layers."""
    fields: dict[str, str] = {}
    number = 0
    i, j, k = layers[0].geometry.size
    for layer, labels in enumerate(layers):
        for segment in labels.segments:
            colour = segment.colour or _shade(number)
            told = {
                **segment.details,
                "ID": segment.details.get("ID", f"Segment_{number + 1}"),
                "Name": segment.name,
                "Color": " ".join(f"{part:.6g}" for part in colour),
                "Extent": f"0 {i - 1} 0 {j - 1} 0 {k - 1}",
                "LabelValue": str(segment.value),
                "Layer": str(layer),
                "Tags": _with_terminology(segment),
            }
            fields |= {f"Segment{number}_{name}": told[name] for name in sorted(told)}
            number += 1
    return fields | {
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }


def _tags(text: str) -> dict[str, str]:
    return {name: value for name, _, value in (tag.partition(":") for tag in text.split("|")) if name}


def _with_terminology(segment: Segment) -> str:
    tags = _tags(segment.details.get("Tags", ""))
    if segment.terminology:
        tags[_TERMINOLOGY] = segment.terminology
    return "".join(f"{name}:{value}|" for name, value in tags.items())


def _colour(text: str) -> tuple[float, float, float] | None:
    try:
        red, green, blue = (float(part) for part in text.split())
    except ValueError:
        return None
    return (red, green, blue) if all(0 <= part <= 1 for part in (red, green, blue)) else None


# Of segments without a colour: Okabe and Ito's, told apart by colour-blind eyes too.
_SHADES = ("E69F00", "56B4E9", "D55E00", "009E73", "F0E442", "CC79A7", "0072B2")


def _shade(number: int) -> tuple[float, float, float]:
    red, green, blue = (part / 255 for part in bytes.fromhex(_SHADES[number % len(_SHADES)]))
    return red, green, blue


def _number(path: Path, text: str) -> int:
    if not re.fullmatch(r"-?\d{1,9}", text.strip()):
        raise InputError(f"{path} is damaged: a segment's number is {text!r}.")
    return int(text)
