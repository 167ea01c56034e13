"""Marked slices that are no examples because the user switched them off."""

from __future__ import annotations

from typing import Any

from ...imaging import AXES

#: Attribute of a segmentation node: the slices that are switched off, as "k:12,30".
UNUSED_ATTRIBUTE = "UniverSeg.Unused"


def set_used(segmentation: Any, axis: str, index: int, used: bool) -> None:
    """Switch a marked slice on or off as an example; it is the user's either way and is never overwritten."""
    numbers = unused_slices(segmentation, axis)
    numbers = numbers - {index} if used else numbers | {index}
    others = {name: unused_slices(segmentation, name) for name in AXES if name != axis}
    entries = {**others, axis: numbers}
    text = ";".join(
        f"{name}:{','.join(map(str, sorted(values)))}" for name, values in sorted(entries.items()) if values
    )
    segmentation.SetAttribute(UNUSED_ATTRIBUTE, text or None)


def unused_slices(segmentation: Any, axis: str) -> set[int]:
    """The slices along ``axis`` that are switched off."""
    for entry in (segmentation.GetAttribute(UNUSED_ATTRIBUTE) or "").split(";"):
        name, _, numbers = entry.partition(":")
        if name == axis:
            return {int(number) for number in numbers.split(",") if number.isdigit()}
    return set()


def any_switched_off(segmentation: Any) -> bool:
    """Whether any slice is switched off."""
    return bool(segmentation.GetAttribute(UNUSED_ATTRIBUTE))


def forget_switched_off(segmentation: Any) -> None:
    """Every slice counts again."""
    segmentation.SetAttribute(UNUSED_ATTRIBUTE, None)
