"""Results that the user has not accepted yet: a segmentation to look at, and how sure the network is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from .creation import new_segmentation, place_beside
from .grid import Part
from .images import oriented_image
from .transforms import to_vtk
from .volumes import ijk_to_ras

#: Attribute that marks our preview nodes, so that leftovers are found and removed.
PREVIEW_ATTRIBUTE = "UniverSeg.Preview"
#: From here on confidence is not shown.
_SURE_PERCENT = 95


def show_preview(scene: Any, segmentation: Any, volume: Any, parts: Mapping[str, Part | None]) -> Any:
    """A segmentation node with the segments of a result, in the names and colours of their originals.

    It lies on the volume's grid under the volume's transform, is left out of saved scenes, and touches nothing else.

    Args:
        scene: The scene.
        segmentation: The segmentation node that the result is for.
        volume: The volume node of the run.
        parts: Segment id to the result on the volume's grid.
    """
    node = new_segmentation(scene, volume, f"{segmentation.GetName()} (preview)")
    node.SetAttribute(PREVIEW_ATTRIBUTE, segmentation.GetID())
    node.SetSaveWithScene(False)
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetOpacity2DFill(0.35)
    was_modifying = node.StartModify()
    try:
        for segment_id, part in parts.items():
            original = segmentation.GetSegmentation().GetSegment(segment_id)
            if original is None:
                continue
            segment = slicer.vtkSegment()
            segment.SetName(original.GetName())
            segment.SetColor(original.GetColor())
            node.GetSegmentation().AddSegment(segment, segment_id)
            set_preview(node, volume, segment_id, part)
    finally:
        node.EndModify(was_modifying)
    return node


def set_preview(preview: Any, volume: Any, segment_id: str, part: Part | None) -> None:
    """Replace one segment of a preview node by a result on the volume's grid."""
    if part is None:
        slicer.vtkSlicerSegmentationsModuleLogic.ClearSegment(preview, segment_id)
        return
    image = oriented_image((part.array != 0).view(np.uint8), part.extent, ijk_to_ras(volume))
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetBinaryLabelmapToSegment(image, preview, segment_id, logic.MODE_REPLACE)


def show_surfaces(preview: Any, surfaces: Mapping[str, Any]) -> None:
    """Give the segments of a preview their surfaces (``vtkPolyData`` in its local RAS) for the 3D views."""
    name = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    was_modifying = preview.StartModify()
    try:
        for segment_id, surface in surfaces.items():
            segment = preview.GetSegmentation().GetSegment(segment_id)
            if segment is not None:
                segment.AddRepresentation(name, surface)
        display = preview.GetDisplayNode()
        display.SetPreferredDisplayRepresentationName3D(name)
        display.SetVisibility3D(True)
    finally:
        preview.EndModify(was_modifying)


def hide_surfaces(preview: Any) -> None:
    """Take the surfaces of a preview away."""
    name = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    preview.GetSegmentation().RemoveRepresentation(name)


def remove_previews(scene: Any) -> None:
    """Remove every preview node from the scene, also those that an earlier session left."""
    for class_name in ("vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeNode"):
        for position in reversed(range(scene.GetNumberOfNodesByClass(class_name))):
            node = scene.GetNthNodeByClass(position, class_name)
            if node.GetAttribute(PREVIEW_ATTRIBUTE):
                remove_node(scene, node)


def remove_node(scene: Any, node: Any) -> None:
    """Remove a displayable node with what was made for it."""
    for position in reversed(range(node.GetNumberOfDisplayNodes())):
        display = node.GetNthDisplayNode(position)
        if display is not None:
            scene.RemoveNode(display)
    scene.RemoveNode(node)


def show_confidence(scene: Any, volume: Any, percent: np.ndarray) -> Any:
    """A scalar volume node of confidence on the volume's grid.

    Args:
        scene: The scene.
        volume: The volume node of the run.
        percent: uint8 (K, J, I), 0 (a guess) to 100 (sure).
    """
    image = vtk.vtkImageData()
    image.SetDimensions(percent.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(percent, np.uint8).reshape(-1), deep=True))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"{volume.GetName()} confidence (%)")
    node.SetAttribute(PREVIEW_ATTRIBUTE, volume.GetID())
    node.SetSaveWithScene(False)
    node.SetIJKToRASMatrix(to_vtk(ijk_to_ras(volume)))
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    node.SetAndObserveImageData(image)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0, 100)
    # What is sure stays clear: the scan is looked at through it.
    display.SetThreshold(0, _SURE_PERCENT - 1)
    display.ApplyThresholdOn()
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeFileViridis.txt")
    place_beside(scene, node, volume)
    return node
