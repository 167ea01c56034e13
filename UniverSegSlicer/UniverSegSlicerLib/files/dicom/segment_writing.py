"""DICOM SEG out, through highdicom: segments that refer to the series that they belong to. Source: PS3.3 A.51."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...errors import DependencyError, InputError, OutputError
from ...imaging import Geometry
from ...writing import replacing
from ..label_maps import LabelMap, Segment
from .frames import Frame
from .grid import DicomGrid
from .opening import Instance, is_dicom, library
from .segments import VALUE

_ENDINGS = (".dcm",)
_PRODUCT = "UniverSegSlicer"
# Where nothing is known about a structure, Slicer says the same.
_TISSUE = ("SCT", "85756007", "Tissue")
_LONGEST_TEXT = 64
_TRIAL = 16
_INSTEAD = "write .nii.gz or .seg.nrrd instead"
# Elements that every series has to have, if only without a value.
_OFTEN_MISSING = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip


def is_dicom_name(path: Path) -> bool:
    """Whether a file of this name is to be a DICOM SEG."""
    return path.name.lower().endswith(_ENDINGS)


def check_segments_output(path: Path, geometry: Geometry) -> None:
    """Refuse a DICOM SEG that could not be written for a grid.

    Raises:
        InputError: The grid was not read from a DICOM series, or from one that a SEG cannot refer to; or the file is
            there and is DICOM of another kind.
    """
    if path.is_file() and is_dicom(path) and not Instance(path).is_segmentation:
        raise InputError(f"{path} is a DICOM file and no segmentation, and would be overwritten; choose another name.")
    frames = _source(path, geometry)
    # Whether highdicom takes the series is found out on some slices; on all of them it takes seconds.
    some = frames[:: len(frames) // _TRIAL + 1]
    trial = np.ones((len(some), *geometry.shape[1:]), np.uint16)
    size = (*geometry.size[:2], len(some))
    _made(path, some, [LabelMap(trial, replace(geometry, size=size), (Segment(1, "trial"),))])


def write_dicom_segments(path: Path, layers: Sequence[LabelMap]) -> None:
    """Write label maps as one DICOM SEG (binary), whole or not at all.

    Args:
        path: Ends with ``.dcm``.
        layers: On the grid of a volume that was read from DICOM; segments of different layers may overlap. Each needs a
            segment for every value that occurs.

    Raises:
        InputError: See :func:`check_segments_output`; no segment.
        OutputError: The file cannot be written.
    """
    frames = _source(path, layers[0].geometry)
    if not any(layer.segments for layer in layers):
        raise InputError(f"{path}: there is no segment to write, and a DICOM SEG has at least one.")
    try:
        made = _made(path, frames, layers)
    except InputError as error:  # it was checked before the work; what is new is a failure to write
        raise OutputError(str(error)) from error
    with replacing(path, _ENDINGS[0]) as beside, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.save_as(beside, enforce_file_format=True)


def _made(path: Path, frames: Sequence[Frame], layers: Sequence[LabelMap]) -> Any:
    """The data set of a SEG.

    Raises:
        InputError: The series lacks something.
    """
    library()
    try:
        import highdicom
    except ImportError as error:
        raise DependencyError(
            "DICOM SEG is written by the package highdicom: pip install 'universegslicer[cli]'."
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _segmentation(highdicom, frames, layers)
        except MemoryError:
            raise
        except Exception as error:  # highdicom raises every type for a series that lacks something
            raise InputError(
                f"{path}: the series {frames[0].source.title!r} lacks what a DICOM SEG needs, or contradicts itself; "
                f"{_INSTEAD}."
            ) from error


def _source(path: Path, geometry: Geometry) -> tuple[Frame, ...]:
    """The frames of the series that a grid was read from."""
    stored = geometry.stored
    if not (isinstance(stored, DicomGrid) and stored.straight == geometry):
        raise InputError(
            f"{path}: a DICOM SEG refers to the DICOM series that it belongs to, and the volume was not read from one; "
            f"{_INSTEAD}."
        )
    frames = stored.frames
    files = {id(frame.source) for frame in frames}
    name = frames[0].source.title
    if any(frame.position is None or frame.axes is None or frame.pixel is None for frame in frames):
        raise InputError(f"{path}: the image {name!r} has no place in the patient, which a SEG needs; {_INSTEAD}.")
    if not frames[0].source.text("FrameOfReferenceUID"):
        raise InputError(f"{path}: the series {name!r} has no Frame of Reference, which a SEG needs; {_INSTEAD}.")
    several = any(frame.source.frames > 1 for frame in frames)
    if several and (len(files) > 1 or "SharedFunctionalGroupsSequence" not in frames[0].source.header):
        raise InputError(
            f"{path}: a DICOM SEG refers to single slices or to one enhanced object, and the series {name!r} has "
            f"several files of frames, or frames of the old kind; {_INSTEAD}."
        )
    return frames


def _segmentation(highdicom: Any, frames: Sequence[Frame], layers: Sequence[LabelMap]) -> Any:
    segments = sorted((s for layer in layers for s in layer.segments), key=lambda segment: segment.value)
    numbers = {segment.value: number for number, segment in enumerate(segments, 1)}
    renumbered = any(value != number for value, number in numbers.items())
    descriptions = [_description(highdicom, number, segment) for number, segment in enumerate(segments, 1)]
    for description, segment in zip(descriptions, segments, strict=True):
        if renumbered:  # numbers of segments are 1, 2, 3, ... by the standard
            description.SegmentDescription = VALUE.format(value=segment.value)
    pixels = _pixels(layers, numbers)
    source = frames[0].source
    several = source.frames > 1
    geometry = layers[0].geometry
    images = [source.header] if several else [frame.source.header for frame in frames]
    positions = None
    if several:
        place = highdicom.CoordinateSystemNames.PATIENT
        positions = [highdicom.PlanePositionSequence(place, [float(x) for x in f.position]) for f in frames]  # type: ignore[union-attr]
    for image in images:
        for keyword in _OFTEN_MISSING:
            if keyword not in image:
                setattr(image, keyword, None)
    number = source.number if source.number.isdigit() else "0"
    made = highdicom.seg.Segmentation(
        source_images=images,
        pixel_array=pixels,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=descriptions,
        series_instance_uid=highdicom.UID(),
        series_number=int(number) + 1000,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=_PRODUCT,
        manufacturer_model_name=_PRODUCT,
        software_versions=__version__,
        device_serial_number=_PRODUCT,
        content_description=f"Segmentation by {_PRODUCT}",
        content_label="SEGMENTATION",
        pixel_measures=highdicom.PixelMeasuresSequence(
            pixel_spacing=[geometry.spacing[1], geometry.spacing[0]],
            slice_thickness=geometry.spacing[2],
            # By this readers know how many slices without segments lie between those with them.
            spacing_between_slices=geometry.spacing[2],
        ),
        plane_positions=positions,
        omit_empty_frames=bool(pixels.any()),
        series_description=_short(f"{source.title} segmentation"),
    )
    made.SpecificCharacterSet = "ISO_IR 192"
    return made


def _pixels(layers: Sequence[LabelMap], numbers: dict[int, int]) -> np.ndarray:
    """Segment numbers (K, J, I) where nothing can overlap, else masks (K, J, I, segments)."""
    table = np.zeros(np.iinfo(np.uint16).max + 1, np.uint16)
    for value, number in numbers.items():
        table[value] = number
    if len(layers) == 1:
        numbered = table[layers[0].array]
        return numbered.astype(np.uint8) if len(numbers) <= np.iinfo(np.uint8).max else numbered
    masks = np.zeros((*layers[0].array.shape, len(numbers)), bool)
    for layer in layers:
        for segment in layer.segments:
            masks[..., numbers[segment.value] - 1] |= layer.array == segment.value
    return masks


def _description(highdicom: Any, number: int, segment: Segment) -> Any:
    category, kind = _codes(segment)
    colour = None
    if segment.colour is not None:
        red, green, blue = (round(255 * min(1.0, max(0.0, part))) for part in segment.colour)
        colour = highdicom.color.CIELabColor.from_rgb(red, green, blue)
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=_short(segment.name) or f"Segment_{segment.value}",
        segmented_property_category=highdicom.sr.CodedConcept(category[1], category[0], category[2]),
        segmented_property_type=highdicom.sr.CodedConcept(kind[1], kind[0], kind[2]),
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=_PRODUCT,
            version=__version__,
            family=library().sr.codedict.codes.DCM.ArtificialIntelligence,
        ),
        display_color=colour,
    )


def _codes(segment: Segment) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Category and type, each (scheme, value, meaning), from a terminology entry as Slicer writes it."""
    parts = [tuple(code.split("^")) for code in (segment.terminology or "").split("~")[1:3]]
    category, kind = (
        code if len(code) == 3 and all(code) and max(map(len, code)) <= _LONGEST_TEXT else _TISSUE
        for code in (*parts, _TISSUE, _TISSUE)[:2]
    )
    return category, kind


def _short(text: str) -> str:
    """Text that a long string (LO) of DICOM can hold."""
    printable = "".join(letter for letter in text if letter.isprintable() and letter != "\\")
    return printable.strip()[:_LONGEST_TEXT].strip()
