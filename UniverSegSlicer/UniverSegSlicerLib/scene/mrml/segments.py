"""Segments of a segmentation node as arrays on a volume's grid, and what surrounds them in the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk

from ...errors import InputError
from .grid import Extent, Part, box_slices, shifted
from .images import image_array, image_to_world
from .sampling import cropped, sampled_part
from .transforms import between_nodes, integer_offset
from .volumes import grid_size, ijk_to_ras


@dataclass(frozen=True)
class SegmentInfo:
    """What the panel shows of a segment; ``colour`` is (r, g, b) in [0, 1]."""

    segment_id: str
    name: str
    colour: tuple[float, float, float]
    visible: bool
    completed: bool


def segment_infos(segmentation: Any) -> list[SegmentInfo]:
    """All segments of a segmentation node in their order."""
    return [_info(segmentation, segment_id) for segment_id in segment_ids(segmentation)]


def segment_ids(segmentation: Any) -> list[str]:
    """The ids of all segments of a segmentation node in their order."""
    return list(segmentation.GetSegmentation().GetSegmentIDs())


def segment_name(segmentation: Any, segment_id: str) -> str:
    """The name of a segment, or its id when it is gone."""
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    return str(segment.GetName()) if segment is not None else segment_id


def read_tag(segment: Any, name: str) -> str:
    """A tag of a ``vtkSegment``, "" when it has none."""
    value = vtk.reference("")
    segment.GetTag(name, value)
    return str(value.get())


def check_segmentation(segmentation: Any) -> None:
    """Refuse, in words, a segmentation without segments or without a label map that can be edited.

    Raises:
        InputError: No node, no segment, or a segmentation that is only a closed surface.
    """
    if segmentation is None:
        raise InputError("No segmentation is selected: create one and mark the structure on a few slices.")
    name = segmentation.GetName()
    if not segmentation.IsA("vtkMRMLSegmentationNode"):
        raise InputError(f"'{name}' is a {segmentation.GetClassName()}, not a segmentation.")
    if segmentation.GetSegmentation().GetNumberOfSegments() == 0:
        raise InputError(f"The segmentation '{name}' has no segment: add one and mark it on a few slices.")
    binary = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    if segmentation.GetSegmentation().GetSourceRepresentationName() != binary:
        raise InputError(
            f"The segmentation '{name}' is a closed surface without a label map: convert its source representation "
            "to binary label map in the Segmentations module, then try again."
        )


def choose_segments(segmentation: Any, wanted: list[str] | None) -> list[str]:
    """The segments that a run may change: ``wanted``, or every visible one that is not marked as completed.

    Raises:
        InputError: An id that does not exist; a hidden or completed segment among ``wanted``; none left.
    """
    check_segmentation(segmentation)
    infos = {info.segment_id: info for info in segment_infos(segmentation)}
    if wanted is None:
        chosen = [info.segment_id for info in infos.values() if info.visible and not info.completed]
        if not chosen:
            raise InputError(
                f"Every segment of '{segmentation.GetName()}' is hidden or marked as completed: "
                "show one (eye icon) or set its status to in progress."
            )
        return chosen
    for segment_id in wanted:
        if segment_id not in infos:
            raise InputError(f"There is no segment '{segment_id}' in '{segmentation.GetName()}'.")
        info = infos[segment_id]
        if not info.visible:
            raise InputError(f"The segment '{info.name}' is hidden: show it (eye icon) or choose another one.")
        if info.completed:
            raise InputError(
                f"The segment '{info.name}' is locked as completed: set its status to in progress to have it changed."
            )
    return list(dict.fromkeys(wanted))


def read_part(segmentation: Any, segment_id: str, volume: Any) -> Part | None:
    """One segment on the grid of ``volume`` as a box of 0 and 1 (uint8), or None when it has no voxel there.

    The same lattice is copied voxel for voxel; any other (oblique, other spacing, a linear transform between the two
    nodes) is sampled as :func:`~.sampling.sampled_part` does it. What lies outside the volume is left out.

    Raises:
        InputError: The segment has no label map, or a non-linear transform lies between the nodes.
    """
    size = grid_size(volume)
    labelmap = labelmap_of(segmentation, segment_id)
    extent = labelmap.GetExtent()
    if _is_empty(extent):
        return None
    value = segmentation.GetSegmentation().GetSegment(segment_id).GetLabelValue()
    matrix = lattice_to_volume(segmentation, image_to_world(labelmap), volume)
    offset = integer_offset(matrix, size)
    # A view: the bytes of a comparison are 0 and 1 already, and a copy of them takes ten times as long.
    binary = (image_array(labelmap) == value).view(np.uint8)
    if offset is not None:
        return cropped(binary, shifted(extent, offset), size)
    return sampled_part(binary, extent, matrix, size)


def read_segment(segmentation: Any, segment_id: str, volume: Any) -> np.ndarray:
    """One segment on the whole grid of ``volume``: uint8 (K, J, I) of 0 and 1. See :func:`read_part`."""
    result = np.zeros(grid_size(volume)[::-1], np.uint8)
    part = read_part(segmentation, segment_id, volume)
    if part is not None:
        result[box_slices(part.extent)] = part.array
    return result


def read_labels(segmentation: Any, chosen: list[str], volume: Any) -> np.ndarray:
    """Several segments as one label map (K, J, I): value n + 1 for ``chosen[n]``; the later one wins an overlap.

    Unsigned 8 bit up to 255 segments, 16 bit above.
    """
    labels = np.zeros(grid_size(volume)[::-1], np.uint8 if len(chosen) < 256 else np.uint16)
    for value, segment_id in enumerate(chosen, start=1):
        part = read_part(segmentation, segment_id, volume)
        if part is not None:
            labels[box_slices(part.extent)][part.array > 0] = value
    return labels


def labelmap_of(segmentation: Any, segment_id: str) -> Any:
    """The (possibly shared) oriented image of a segment.

    Raises:
        InputError: The segment is gone or has no label map.
    """
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    if segment is None:
        raise InputError(f"The segment '{segment_id}' of '{segmentation.GetName()}' was deleted.")
    binary = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    labelmap = segment.GetRepresentation(binary)
    if labelmap is None:
        raise InputError(f"The segment '{segment.GetName()}' has no label map: paint in it or convert it first.")
    return labelmap


def has_voxels(segmentation: Any, segment_id: str) -> bool:
    """Whether a segment holds anything at all, wherever that lies (InputError where it has no label map)."""
    labelmap = labelmap_of(segmentation, segment_id)
    value = segmentation.GetSegmentation().GetSegment(segment_id).GetLabelValue()
    return not _is_empty(labelmap.GetExtent()) and bool((image_array(labelmap) == value).any())


def lattice_to_volume(segmentation: Any, lattice: np.ndarray, volume: Any) -> np.ndarray:
    """The (4, 4) matrix from the indices of a lattice in the segmentation's local RAS to the volume's voxel indices."""
    return np.linalg.inv(ijk_to_ras(volume)) @ between_nodes(segmentation, volume) @ lattice


def _is_empty(extent: Extent) -> bool:
    return extent[0] > extent[1] or extent[2] > extent[3] or extent[4] > extent[5]


def _info(segmentation: Any, segment_id: str) -> SegmentInfo:
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    display = segmentation.GetDisplayNode()
    status = slicer.vtkSlicerSegmentationsModuleLogic.GetSegmentStatus(segment)
    colour = segment.GetColor()
    return SegmentInfo(
        segment_id=segment_id,
        name=str(segment.GetName()),
        colour=(float(colour[0]), float(colour[1]), float(colour[2])),
        visible=display is None or bool(display.GetSegmentVisibility(segment_id)),
        completed=status == slicer.vtkSlicerSegmentationsModuleLogic.Completed,
    )
