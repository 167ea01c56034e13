"""DICOM SEG in: segments as labels with their names, colours and codes. Source: PS3.3 C.8.20.

highdicom's reader refuses the SEG of other programs for what stands in their dimension index, so pydicom reads here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import InputError
from ...imaging import Geometry
from ..label_maps import LabelMap, Segment
from .frames import Frame, described_frames
from .grid import SAME_AXES, SAME_PIXEL, normal, offsets
from .numbers import length
from .opening import Instance, in_words
from .voxels import decode

#: How a label value that is not the segment's number is written, and read again.
VALUE = "Label value {value}"
# A frame may lie so far from its slice, in parts of the distance of slices.
_OFF_SLICE = 0.05
# Slices in which nothing is marked may be left out; at most so many in a row are guessed where no distance is given.
_LONGEST_GAP = 20


def read_segments(instance: Instance, onto: Geometry | None = None) -> list[LabelMap]:
    """The segments of a file; several label maps where segments overlap.

    Args:
        instance: A DICOM SEG.
        onto: A grid to give them on, where the frames lie on its slices; else they get the grid from their first to
            their last frame.

    Raises:
        InputError: Frames that are not parallel or on no common grid, or segments that the file does not list.
    """
    path = instance.path
    if "TotalPixelMatrixColumns" in instance.header:
        raise InputError(f"{path} segments a microscope's picture in tiles, which is not a volume.")
    frames = described_frames(instance)
    if any(f.position is None or f.axes is None or f.pixel is None for f in frames):
        raise InputError(f"{path} cannot be used: some of its frames have no position, orientation or pixel spacing.")
    with in_words(path):
        listed = _segments(instance)
        geometry, slices = _grid(instance, frames, onto)
        masks = _masks(instance, frames, sorted(listed))
        return _layers(path.name, geometry, listed, masks, slices)


def _masks(instance: Instance, frames: Sequence[Frame], numbers: Sequence[int]) -> list[tuple[int, int, np.ndarray]]:
    """(frame, segment number, mask (rows, columns)) of everything that is segmented."""
    stored = decode(instance, range(instance.frames))
    if instance.text("SegmentationType") == "LABELMAP":
        found = [(index, int(n), plane == n) for index, plane in enumerate(stored) for n in np.unique(plane) if n]
    else:
        fraction = instance.text("SegmentationType") == "FRACTIONAL"
        # What is at least half probable, or half filled, belongs to the segment.
        half = int(instance.header.get("MaximumFractionalValue") or 255) / 2 if fraction else 0.5
        found = []
        for index, (frame, plane) in enumerate(zip(frames, stored, strict=True)):
            number = frame.marks.get("ReferencedSegmentNumber", numbers[0] if len(numbers) == 1 else None)
            if number is None:
                raise InputError(f"{instance.path} is damaged: frame {index + 1} belongs to no segment.")
            found.append((index, int(number), plane >= half))
    unknown = sorted({number for _, number, _ in found} - set(numbers))
    if unknown:
        raise InputError(f"{instance.path} is damaged: it lists no segment {unknown[0]}, to which frames belong.")
    return found


def _layers(
    name: str,
    geometry: Geometry,
    listed: dict[int, Segment],
    masks: Sequence[tuple[int, int, np.ndarray]],
    slices: Sequence[int],
) -> list[LabelMap]:
    """Segments in as few label maps as they need, each in the first where it overlaps nothing."""
    by_segment: dict[int, list[tuple[int, np.ndarray]]] = {number: [] for number in listed}
    for index, number, mask in masks:
        by_segment[number].append((slices[index], mask))
    arrays: list[np.ndarray] = []
    members: list[list[Segment]] = []
    for number, segment in sorted(listed.items()):
        planes = by_segment[number]
        home = next((n for n, a in enumerate(arrays) if not any((a[k] != 0)[mask].any() for k, mask in planes)), None)
        if home is None:
            home = len(arrays)
            arrays.append(np.zeros(geometry.shape, np.uint16))
            members.append([])
        for k, mask in planes:
            arrays[home][k][mask] = segment.value
        members[home].append(segment)
    if not arrays:
        raise InputError(f"{name} lists no segment.")
    ordered = (tuple(sorted(each, key=lambda segment: segment.value)) for each in members)
    return [LabelMap(array, geometry, each) for array, each in zip(arrays, ordered, strict=True)]


def _segments(instance: Instance) -> dict[int, Segment]:
    """Segments by their numbers."""
    items = {int(item.SegmentNumber): item for item in instance.header.get("SegmentSequence") or [] if _listed(item)}
    own = {number: _own_value(item) for number, item in items.items()}
    values = {value for value in own.values() if value is not None}
    kept = len(values) == len(items)
    found = {}
    for number, item in items.items():
        value = own[number] if kept else number
        if value is None or not 1 <= value <= np.iinfo(np.uint16).max:
            raise InputError(f"{instance.path} has segment {number}; labels are whole numbers from 1 to 65535.")
        found[number] = Segment(value, _text(item, "SegmentLabel") or f"Segment_{number}", _colour(item), _codes(item))
    return found


def _listed(item: Any) -> bool:
    # Number 0 of a label map is its background.
    return bool(item.get("SegmentNumber"))


def _own_value(item: Any) -> int | None:
    found = re.fullmatch(VALUE.format(value=r"(\d+)"), _text(item, "SegmentDescription"))
    return int(found[1]) if found is not None else None


def _text(item: Any, keyword: str) -> str:
    value = str(item.get(keyword) or "")
    return "".join(letter for letter in value if letter.isprintable()).strip()


def _colour(item: Any) -> tuple[float, float, float] | None:
    value = item.get("RecommendedDisplayCIELabValue")
    if value is None or len(value) != 3:
        return None
    from highdicom.color import CIELabColor

    red, green, blue = CIELabColor.from_dicom_value([int(part) for part in value]).to_rgb(clip=True)
    return red / 255, green / 255, blue / 255


def _codes(item: Any) -> str | None:
    """Category and type as Slicer writes a terminology entry."""
    codes = []
    for keyword in ("SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence"):
        sequence = item.get(keyword)
        if not sequence:
            return None
        parts = (_text(sequence[0], part) for part in ("CodingSchemeDesignator", "CodeValue", "CodeMeaning"))
        codes.append("^".join(part.replace("^", " ").replace("~", " ") for part in parts))
    context = "Segmentation category and type - DICOM master list"
    return f"{context}~{codes[0]}~{codes[1]}~^^~Anatomic codes - DICOM master list~^^~^^"


def _grid(instance: Instance, frames: Sequence[Frame], onto: Geometry | None) -> tuple[Geometry, list[int]]:
    """A grid that has all frames as slices, and the slice of each frame."""
    path, first = instance.path, frames[0]
    assert first.axes is not None and first.pixel is not None and first.position is not None
    for frame in frames:
        assert frame.axes is not None and frame.pixel is not None
        same = all(abs(a - b) <= SAME_PIXEL * a for a, b in zip(first.pixel, frame.pixel, strict=True))
        if np.abs(frame.axes - first.axes).max() > SAME_AXES or not same:
            raise InputError(f"{path} cannot be used: the frames of its segments are not parallel, or differ in size.")
    positions = np.array([f.position for f in frames], float)
    if onto is not None and (slices := _on_slices(frames, positions, onto)) is not None:
        return onto, slices
    along = offsets(frames)
    lowest = int(along.argmin())
    moved = positions - positions[lowest]
    sideways = np.linalg.norm(moved - np.outer(moved @ normal(first), normal(first)), axis=1)
    if sideways.max() > 0.1 * min(first.pixel) + 1e-3 * (along.max() - along.min()):
        raise InputError(f"{path} cannot be used: the frames of its segments are shifted sideways against each other.")
    step = _step(instance, frames, np.unique(np.round(along - along[lowest], 4)))
    places = (along - along[lowest]) / step
    slices = np.rint(places).astype(int)
    x, y, z = (float(value) for value in positions[lowest])
    size = (instance.columns, instance.rows, int(slices.max()) + 1)
    matrix = np.stack([first.axes[0], first.axes[1], normal(first)], axis=1)
    return Geometry(size, (*first.pixel, step), (x, y, z), tuple(map(float, matrix.ravel()))), slices.tolist()


def _on_slices(frames: Sequence[Frame], positions: np.ndarray, onto: Geometry) -> list[int] | None:
    """The k slices of a grid on which frames lie; None where one of them lies on none."""
    first = frames[0]
    assert first.axes is not None and first.pixel is not None
    if onto.size[:2] != (first.source.columns, first.source.rows):
        return None
    if np.abs(onto.matrix[:, :2].T - first.axes).max() > SAME_AXES:
        return None
    if any(abs(a - b) > SAME_PIXEL * a for a, b in zip(onto.spacing[:2], first.pixel, strict=True)):
        return None
    places = (positions - onto.origin) @ onto.matrix / onto.spacing
    slices = np.rint(places[:, 2]).astype(int)
    far = np.abs(places - np.stack([0 * slices, 0 * slices, slices], axis=1)).max()
    return slices.tolist() if far <= _OFF_SLICE and slices.min() >= 0 and slices.max() < onto.size[2] else None


def _step(instance: Instance, frames: Sequence[Frame], along: np.ndarray) -> float:
    """The distance of slices of which all frames are some.

    Args:
        along: Different places of frames along the normal, rising, from 0.
    """
    path = instance.path
    told = frames[0].distance or length(instance.header, "SpacingBetweenSlices", path)
    if len(along) == 1:
        return told or 1.0
    least = float(np.diff(along).min())
    for step in (told, *(least / part for part in range(1, _LONGEST_GAP + 1))):
        if step and np.abs(along / step - np.rint(along / step)).max() <= _OFF_SLICE and least / step > 0.5:
            exact = float(along[-1] / np.rint(along[-1] / step))
            return step if abs(exact - step) <= 1e-6 * step else exact
    raise InputError(
        f"{path} cannot be used: the frames of its segments are not evenly spaced, nor parts of such a row."
    )
