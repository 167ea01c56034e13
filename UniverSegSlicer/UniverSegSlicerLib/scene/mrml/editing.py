"""Write a result into segments as the Segment Editor would: undo, masks, intensity range and overwrite rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from ...imaging import AXES
from .grid import (
    Extent,
    Part,
    bounding_extent,
    box_slices,
    covered,
    cut_to,
    on_box,
    shifted,
    together,
)
from .images import image_array, image_to_world, oriented_image
from .sampling import FINER, aligned_axes, resample
from .segments import check_segmentation, labelmap_of, lattice_to_volume, read_part
from .transforms import integer_offset
from .volumes import grid_size

#: Name and singleton tag of the node that holds our writing rules; nobody else edits through it.
WRITER_TAG = "UniverSegWriter"


@dataclass(frozen=True)
class Change:
    """What one segment shall become: 0/1 ``wanted`` within ``box`` of the volume's grid; nothing outside the box.

    Attributes:
        segment_id: The segment.
        wanted: (K, J, I) of the box, non-zero where the segment shall be.
        box: Extent on the volume's grid that ``wanted`` covers.
        editable: (K, J, I) of the box, False where the segment stays as it is (the user's slices), or None.
        axis: Where the segmentation is finer than the volume along this axis ("i", "j", "k"), the fine slices between
            those that the user painted are filled as well, so that no slits are left; "" for none.
    """

    segment_id: str
    wanted: np.ndarray
    box: Extent
    editable: np.ndarray | None = None
    axis: str = ""


class SegmentWriter:
    """Writes into segments through ``vtkSlicerSegmentEditorLogic``; one per scene.

    Args:
        scene: The MRML scene.
        save_state: Called once before every change so that one undo takes it back. In the panel that is the embedded
            Segment Editor widget's ``saveStateForUndo``; without one the writer keeps its own history
            (:meth:`undo`, :meth:`redo`).
    """

    def __init__(self, scene: Any, save_state: Callable[[], None] | None = None) -> None:
        self._scene = scene
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._logic.SetMRMLScene(scene)
        self.save_state = save_state

    def apply(
        self,
        changes: list[Change],
        segmentation: Any,
        volume: Any,
        rules: Any | None = None,
        *,
        undoable: bool = True,
    ) -> int:
        """Make the segments what ``changes`` say, as one step of undo; returns the number of voxels written.

        Only voxels that differ are written, so what is already right, other slices and other segments stay bit for
        bit. Masks, the editable intensity range and the overwrite mode are those of ``rules``; without ``rules`` every
        voxel may be written and other segments are never overwritten.

        Args:
            changes: One per segment.
            segmentation: The segmentation node.
            volume: The volume node on whose grid the changes are; also the source of the editable intensity range.
            rules: The ``vtkMRMLSegmentEditorNode`` that the user works with, or None.
            undoable: Whether this is a step that the user may take back.

        Raises:
            InputError: A segment is gone, or a non-linear transform lies between the nodes.
        """
        check_segmentation(segmentation)
        steps = [step for change in changes for step in _steps(change, segmentation, volume)]
        if not steps:
            return 0
        # Removals first: the segments of one run do not overlap, so no addition can then hit a voxel that another
        # segment of the run is about to give up.
        steps.sort(key=lambda step: step.adds)
        if undoable:
            self.begin_step(segmentation, volume, rules)
        else:
            self._connect(segmentation, volume, rules)
        was_modifying = segmentation.StartModify()
        try:
            for step in steps:
                self._write(step, segmentation, volume)
        finally:
            segmentation.EndModify(was_modifying)
        return sum(step.voxels for step in steps)

    def begin_step(self, segmentation: Any, volume: Any, rules: Any | None = None) -> None:
        """Keep the segmentation as it is now, tags of its segments included, for one undo."""
        self._connect(segmentation, volume, rules)
        if self.save_state is not None:
            self.save_state()
        else:
            self._logic.SaveStateForUndo()

    def undo(self) -> bool:
        """Take the last change back (own history only); False when there is nothing to take back."""
        if not self._logic.CanUndo():
            return False
        self._logic.Undo()
        return True

    def redo(self) -> bool:
        """Do the undone change again (own history only); False when there is nothing to redo."""
        if not self._logic.CanRedo():
            return False
        self._logic.Redo()
        return True

    def release(self) -> None:
        """Let go of the scene's nodes: before the scene closes, and at the end."""
        self._logic.SetSegmentEditorNode(None)
        node = self._scene.GetSingletonNode(WRITER_TAG, "vtkMRMLSegmentEditorNode")
        if node is not None:
            self._scene.RemoveNode(node)

    def _connect(self, segmentation: Any, volume: Any, rules: Any | None) -> None:
        node = self._scene.GetSingletonNode(WRITER_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetName(WRITER_TAG)
            node.SetSingletonTag(WRITER_TAG)
            node.SetHideFromEditors(True)
            node.SetSaveWithScene(False)
            node = self._scene.AddNode(node)
        if segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole()) is None:
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        node.SetAndObserveSegmentationNode(segmentation)
        node.SetAndObserveSourceVolumeNode(volume)
        if rules is None:
            node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
            node.SetSourceVolumeIntensityMask(False)
            node.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
        else:
            node.SetMaskMode(rules.GetMaskMode())
            node.SetMaskSegmentID(rules.GetMaskSegmentID())
            node.SetSourceVolumeIntensityMask(rules.GetSourceVolumeIntensityMask())
            node.SetSourceVolumeIntensityMaskRange(rules.GetSourceVolumeIntensityMaskRange())
            node.SetOverwriteMode(rules.GetOverwriteMode())
        self._logic.SetSegmentEditorNode(node)

    def _write(self, step: _Step, segmentation: Any, volume: Any) -> None:
        image = _modifier(step, segmentation, volume)
        if image is None:
            return
        # The mask "outside all other segments" is made for the selected segment.
        self._logic.SetCurrentSegmentID(step.segment_id)
        node = self._logic.GetSegmentEditorNode()
        mode = self._logic.ModificationModeAdd if step.adds else self._logic.ModificationModeRemove
        mask_mode = node.GetMaskMode()
        if not step.adds and mask_mode == slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment:
            # Erasing inside one segment is special in Slicer: it erases beyond that segment too and gives it what was
            # erased. A result may do neither, so its mask is applied here.
            self._logic.UpdateMaskLabelmap()
            slicer.vtkOrientedImageDataResample.ApplyImageMask(image, self._logic.GetMaskLabelmap(), 0, True)
            node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
        self._logic.ModifySegmentByLabelmap(segmentation, step.segment_id, image, mode, image.GetExtent(), True, False)
        node.SetMaskMode(mask_mode)


def restricts(rules: Any | None) -> bool:
    """Whether a ``vtkMRMLSegmentEditorNode`` keeps a result from some voxels."""
    if rules is None:
        return False
    return rules.GetMaskMode() != slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere or bool(
        rules.GetSourceVolumeIntensityMask()
    )


def stamp_of(rules: Any | None) -> tuple[Any, ...]:
    """Changes when the voxels that a ``vtkMRMLSegmentEditorNode`` keeps a result from change."""
    if not restricts(rules):
        return ()
    assert rules is not None
    bounds = rules.GetSourceVolumeIntensityMaskRange() if rules.GetSourceVolumeIntensityMask() else None
    return rules.GetMaskMode(), rules.GetMaskSegmentID(), bounds


@dataclass(frozen=True)
class _Step:
    segment_id: str
    mask: np.ndarray
    box: Extent
    adds: bool
    voxels: int
    kept: np.ndarray
    kept_box: Extent
    axis: str


def _steps(change: Change, segmentation: Any, volume: Any) -> list[_Step]:
    present = on_box(read_part(segmentation, change.segment_id, volume), change.box).view(bool)
    wanted = change.wanted != 0
    differs = present != wanted
    if change.editable is not None:
        differs &= change.editable
    result = []
    for mask, adds in ((differs & wanted, True), (differs & present, False)):
        tight = bounding_extent(mask)
        if tight is None:
            continue
        box = shifted(tight, (change.box[0], change.box[2], change.box[4]))
        cropped = mask[box_slices(tight)]
        count = int(np.count_nonzero(cropped))
        result.append(_Step(change.segment_id, cropped, box, adds, count, present & wanted, change.box, change.axis))
    return result


def _modifier(step: _Step, segmentation: Any, volume: Any) -> Any | None:
    """The mask on the lattice that the segmentation is edited in, cropped to its own box; None if nothing is left."""
    text = slicer.vtkSlicerSegmentEditorLogic.GetReferenceImageGeometryStringFromSegmentation(
        segmentation.GetSegmentation()
    )
    lattice = slicer.vtkOrientedImageData()
    slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, lattice, False)
    lattice_matrix = image_to_world(lattice)
    to_volume = lattice_to_volume(segmentation, lattice_matrix, volume)
    to_lattice = np.linalg.inv(to_volume)
    offset = integer_offset(to_lattice, grid_size(volume))
    mask = step.mask.astype(np.uint8)
    if offset is not None:
        return oriented_image(mask, shifted(step.box, offset), lattice_matrix)
    # Another lattice (other spacing, or the nodes are under different transforms): nearest voxel, in the part of the
    # lattice that the box covers.
    source = oriented_image(mask, step.box, np.eye(4))
    sampled = resample(source, covered(step.box, to_lattice), to_volume)
    part = cut_to(image_array(sampled), sampled.GetExtent())
    if step.adds and step.axis:
        part = together(part, _between_painted(step, segmentation, to_volume))
    return None if part is None else oriented_image(part.array, part.extent, lattice_matrix)


def _between_painted(step: _Step, segmentation: Any, to_volume: np.ndarray) -> Part | None:
    """Fine slices without a voxel within slices of the volume that stay as they are, in the shape of these."""
    extent = covered(step.kept_box, np.linalg.inv(to_volume))
    along = aligned_axes(to_volume, extent)
    number = AXES.index(step.axis)
    if along is None or abs(to_volume[number, along[number]]) >= FINER:
        return None
    there = labelmap_of(segmentation, step.segment_id)
    value = segmentation.GetSegmentation().GetSegment(step.segment_id).GetLabelValue()
    painted = Part(there.GetExtent(), (image_array(there) == value).view(np.uint8))
    kept = resample(oriented_image(step.kept.astype(np.uint8), step.kept_box, np.eye(4)), extent, to_volume)
    fill = image_array(kept).copy()
    stack = np.moveaxis(fill, 2 - along[number], 0)
    stack[np.moveaxis(on_box(painted, extent), 2 - along[number], 0).any(axis=(1, 2))] = 0
    return cut_to(fill, extent)
