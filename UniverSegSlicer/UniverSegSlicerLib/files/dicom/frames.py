"""The frames of a file: where each lies, how its stored values become its values, and what tells it from the others.

A classic file is one frame; the frames of an enhanced object are described one by one (PS3.3 C.7.6.16), those of a dose
or of a nuclear scan by their distances.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import InputError
from .numbers import directions, length, lengths, number, numbers
from .opening import Instance, in_words

#: What can tell frames at the same place apart, with the words for it: elements of classic headers and of the
#: functional groups, in the order in which they are tried.
MARKS = {
    "ReferencedSegmentNumber": "segment",
    "StackID": "stack",
    "TemporalPositionIdentifier": "time point",
    "TemporalPositionIndex": "time point",
    "EchoNumbers": "echo",
    "EchoTime": "echo time",
    "EffectiveEchoTime": "echo time",
    "InversionTime": "inversion time",
    "TriggerTime": "trigger time",
    "NominalCardiacTriggerDelayTime": "trigger time",
    "NominalPercentageOfCardiacPhase": "cardiac phase",
    "DiffusionBValue": "b-value",
    "FlipAngle": "flip angle",
    "ComplexImageComponent": "component",
    "ImageType": "image type",
    "FrameType": "image type",
    "FrameReferenceTime": "time",
    "FrameReferenceDateTime": "time",
    "FrameAcquisitionNumber": "acquisition",
    "AcquisitionNumber": "acquisition",
    "ConvolutionKernel": "kernel",
    "KVP": "tube voltage",
    "AcquisitionDateTime": "time",
    "FrameAcquisitionDateTime": "time",
    "AcquisitionTime": "time",
    "ContentTime": "time",
}
_PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
_GROUPS = (
    "FrameContentSequence", "MREchoSequence", "MRTimingAndRelatedParametersSequence", "MRDiffusionSequence",
    "MRModifierSequence", "MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence",
    "CardiacSynchronizationSequence", "CTReconstructionSequence", "CTXRayDetailsSequence",
    "SegmentIdentificationSequence",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame.

    Attributes:
        source: Its file.
        index: Its place in the file, from 0.
        position: Centre of its first voxel, LPS mm, (3,); None where the file does not say.
        axes: Unit vectors along its rows (I) and columns (J), LPS, (2, 3); None where the file does not say.
        pixel: Distance of voxels along I and J in mm; None where the file does not say.
        distance: Distance to the next frame in mm, as far as the header says; of no use where positions do.
        slope: Of the stored values, None where the header has none.
        intercept: To be added after the slope.
        marks: What may tell it from others at its place, by the keys of :data:`MARKS` or names of dimensions.
    """

    source: Instance
    index: int
    position: np.ndarray | None
    axes: np.ndarray | None
    pixel: tuple[float, float] | None
    distance: float | None
    slope: float | None
    intercept: float | None
    marks: Mapping[str, Any] = field(default_factory=dict)


def frames_of(instance: Instance) -> list[Frame]:
    """The frames of a file, in its order.

    Raises:
        InputError: No image, colours, a mosaic, or numbers that cannot be (named with their element).
    """
    with in_words(instance.path):
        reason = instance.refuse()
        if reason is not None:
            raise reason
        if "PerFrameFunctionalGroupsSequence" in instance.header or "SharedFunctionalGroupsSequence" in instance.header:
            return list(_enhanced(instance))
        return list(_classic(instance))


def described_frames(instance: Instance) -> list[Frame]:
    """The frames of a segmentation, as its functional groups describe them.

    Raises:
        InputError: It describes none, or with numbers that cannot be.
    """
    with in_words(instance.path):
        return list(_enhanced(instance))


def _classic(instance: Instance) -> Iterator[Frame]:
    path, header = instance.path, instance.header
    holder = header
    if "ImagePositionPatient" not in header and header.get("DetectorInformationSequence"):
        holder = header.DetectorInformationSequence[0]  # nuclear scans: PS3.3 C.8.4.11
    position, axes = (
        numbers(holder, "ImagePositionPatient", 3, path),
        directions(holder, "ImageOrientationPatient", path),
    )
    pixel = next(
        (
            (found[1], found[0])
            for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
            if (found := lengths(header, keyword, path)) is not None
        ),
        None,
    )
    # Negative where the frames of a nuclear scan run against their normal.
    between = number(header, "SpacingBetweenSlices", path) if instance.frames > 1 else None
    distance = length(header, "SpacingBetweenSlices", path) or length(header, "SliceThickness", path)
    slope, intercept = number(header, "RescaleSlope", path), number(header, "RescaleIntercept", path)
    dose = number(header, "DoseGridScaling", path)
    marks = {keyword: _plain(header.get(keyword)) for keyword in MARKS if header.get(keyword) not in (None, "")}
    offsets = _offsets(instance, between)
    for index in range(instance.frames):
        place = None if position is None else np.array(position)
        if instance.frames > 1:
            # Without offsets nothing says where the frames lie; the position is that of the first.
            place = None if place is None or axes is None or offsets is None else place + _normal(axes) * offsets[index]
        yield Frame(instance, index, place, axes, pixel, distance, dose or slope, intercept, marks)


def _offsets(instance: Instance, between: float | None) -> list[float] | None:
    """How far the frames of a classic file lie from the first along the normal, in mm; None where it does not say."""
    if instance.frames == 1:
        return [0.0]
    vector = numbers(instance.header, "GridFrameOffsetVector", None, instance.path)
    if vector is not None:  # doses: PS3.3 C.8.8.3.2
        if len(vector) < instance.frames:
            raise InputError(f"{instance.path} is damaged: it has {instance.frames} frames and {len(vector)} offsets.")
        # Of its two forms one starts at 0, the other holds coordinates of the patient.
        return [offset - vector[0] for offset in vector]
    return None if not between else [between * index for index in range(instance.frames)]


def _normal(axes: np.ndarray) -> np.ndarray:
    return np.cross(axes[0], axes[1])


def _enhanced(instance: Instance) -> Iterator[Frame]:
    path, header = instance.path, instance.header
    shared = _first(header, "SharedFunctionalGroupsSequence")
    items = list(header.get("PerFrameFunctionalGroupsSequence") or [])
    if len(items) != instance.frames:
        if items or instance.frames > 1:
            raise InputError(f"{path} is damaged: it has {instance.frames} frames and describes {len(items)} of them.")
        items = [None]
    dimensions = [_name(item) for item in header.get("DimensionIndexSequence") or []]

    for index, item in enumerate(items):

        def group(keyword: str, item: Any = item) -> Any:
            return _first(item, keyword) or _first(shared, keyword)

        measures = group("PixelMeasuresSequence")
        position = numbers(group("PlanePositionSequence"), "ImagePositionPatient", 3, path)
        pixel = lengths(measures, "PixelSpacing", path)
        value = group("PixelValueTransformationSequence") or header
        slope, intercept = number(value, "RescaleSlope", path), number(value, "RescaleIntercept", path)
        if slope is None and instance.kind == _PARAMETRIC_MAP:
            world = group("RealWorldValueMappingSequence")
            slope = number(world, "RealWorldValueSlope", path)
            intercept = number(world, "RealWorldValueIntercept", path)
        yield Frame(
            instance,
            index,
            None if position is None else np.array(position),
            directions(group("PlaneOrientationSequence"), "ImageOrientationPatient", path),
            None if pixel is None else (pixel[1], pixel[0]),
            length(measures, "SpacingBetweenSlices", path) or length(measures, "SliceThickness", path),
            slope,
            intercept,
            _marks([group(keyword) for keyword in _GROUPS], dimensions),
        )


def _marks(groups: list[Any], dimensions: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for group in groups:
        for keyword in MARKS if group is not None else ():
            value = group.get(keyword)
            if value not in (None, "") and keyword not in found:
                found[keyword] = _plain(value)
        values = None if group is None else group.get("DimensionIndexValues")
        if values not in (None, ""):
            listed = [values] if isinstance(values, int) else list(values)
            for place, value in enumerate(listed):
                found[dimensions[place] if place < len(dimensions) else f"dimension {place + 1}"] = int(value)
    return found


def _name(dimension: Any) -> str:
    from pydicom.datadict import dictionary_description

    label = str(dimension.get("DimensionDescriptionLabel") or "")
    try:
        return label or dictionary_description(dimension.DimensionIndexPointer)
    except (AttributeError, KeyError):
        return "dimension"


def _first(dataset: Any, keyword: str) -> Any:
    sequence = None if dataset is None else dataset.get(keyword)
    return sequence[0] if sequence else None


def _plain(value: Any) -> Any:
    if isinstance(value, str | int | float):
        return value
    try:
        return tuple(str(part) for part in value)
    except TypeError:
        return str(value)
