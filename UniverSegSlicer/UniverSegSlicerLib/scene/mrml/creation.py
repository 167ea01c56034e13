"""Segmentation nodes made for a volume, and their place in the scene."""

from __future__ import annotations

from typing import Any

import slicer

#: Name of the segment that a new segmentation starts with.
DEFAULT_SEGMENT = "Segment_1"


def new_segmentation(scene: Any, volume: Any, name: str) -> Any:
    """An empty segmentation node with the volume's grid, transform and place in the subject hierarchy."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    place_beside(scene, node, volume)
    return node


def copied(scene: Any, segmentation: Any, volume: Any) -> Any:
    """A hidden copy of a segmentation under the same transform, to try things on; remove it afterwards."""
    node = slicer.vtkMRMLSegmentationNode()
    node.SetName(f"{segmentation.GetName()} (copy)")
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    node = scene.AddNode(node)
    node.GetSegmentation().DeepCopy(segmentation.GetSegmentation())
    node.SetAndObserveTransformNodeID(segmentation.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return node


def place_beside(scene: Any, node: Any, volume: Any) -> None:
    """Put a node under the subject hierarchy item (study, patient) that the volume is under."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    if hierarchy is None:
        return
    volume_item = hierarchy.GetItemByDataNode(volume)
    if not volume_item:
        return
    parent = hierarchy.GetItemParent(volume_item)
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.SetItemParent(item, parent)
    else:
        hierarchy.CreateItem(parent, node)


def drop_untouched_segments(segmentation: Any, default_name: str = DEFAULT_SEGMENT) -> None:
    """Remove segments that were made on demand and never used: empty, and still with the default name.

    A support set that is loaded then brings segments with names of its own.
    """
    held = segmentation.GetSegmentation()
    bounds = [0.0] * 6
    for segment_id in list(held.GetSegmentIDs()):
        segment = held.GetSegment(segment_id)
        segment.GetBounds(bounds)
        if segment.GetName() == default_name and bounds[0] > bounds[1]:
            held.RemoveSegment(segment_id)


def segmentation_made_for(volume: Any) -> Any | None:
    """A segmentation of the scene whose grid is that of the volume, or None; previews do not count."""
    scene = volume.GetScene()
    for position in range(scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")):
        node = scene.GetNthNodeByClass(position, "vtkMRMLSegmentationNode")
        role = node.GetReferenceImageGeometryReferenceRole()
        if node.GetNodeReference(role) is volume and not node.GetHideFromEditors() and node.GetSaveWithScene():
            return node
    return None
