"""A made-up scan for trying things out: no download, no patient, always the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from .creation import new_segmentation
from .editing import Change, SegmentWriter
from .grid import whole_extent
from .transforms import to_vtk

SAMPLE_NAME = "UniverSegPhantom"
#: Name and colour (r, g, b in [0, 1]) of the structures; label value is the position from 1.
STRUCTURES = {"Organ": (0.87, 0.51, 0.40), "Vessel": (0.85, 0.25, 0.31), "Bone": (0.95, 0.84, 0.57)}
_SPACING = (1.5, 1.5, 3.0)


def phantom(shape: tuple[int, int, int] = (60, 128, 128), seed: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """An abdomen of sorts: a body with an organ that changes from slice to slice, a winding vessel and a spine.

    Args:
        shape: (K, J, I) of the volume.
        seed: Of the noise.

    Returns:
        The volume, int16 (K, J, I) in Hounsfield-like units, and its label map, uint8 (K, J, I), see ``STRUCTURES``.
    """
    slices, rows, cols = shape
    # Coordinates in [-1, 1]: z up, y to the back, x to the left.
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in (slices, rows, cols)), indexing="ij")
    body = (x / 0.85) ** 2 + ((y - 0.02) / 0.65) ** 2 < 1
    swelling = 0.36 * np.sqrt(np.clip(1 - (z / 0.75) ** 2, 0, None))
    angle = np.arctan2(y + 0.1, x + 0.3)
    edge = swelling * (1 + 0.25 * np.sin(2 * angle + 3 * z) + 0.1 * np.cos(5 * angle))
    organ = np.hypot(x + 0.3, (y + 0.1) * 1.15) < edge
    vessel = np.hypot(x - 0.28 - 0.15 * np.sin(3 * z), y - 0.05 - 0.1 * np.cos(2.5 * z)) < 0.09 + 0.02 * z
    bone = (np.hypot(x / 1.3, y - 0.42) < 0.13) | ((np.abs(x) < 0.03) & (np.abs(y - 0.55) < 0.09))
    labels = np.zeros(shape, np.uint8)
    image = np.where(body, 40.0, -1000.0).astype(np.float32)
    for value, (mask, grey) in enumerate(((organ, 110.0), (vessel, 190.0), (bone, 420.0)), start=1):
        inside = mask & body
        labels[inside] = value
        image[inside] = grey
    rng = np.random.default_rng(seed)
    image += rng.normal(0, 18, shape).astype(np.float32) + 25 * np.sin(2 * x + y)
    return image.astype(np.int16), labels


def add_sample(scene: Any, marked: tuple[int, ...] = ()) -> tuple[Any, Any | None]:
    """Add the phantom to the scene; with ``marked``, also a segmentation with these axial slices marked.

    Returns:
        The volume node and the segmentation node (None without marks).
    """
    array, labels = phantom()
    image = vtk.vtkImageData()
    image.SetDimensions(array.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(array.reshape(-1), deep=True))
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", SAMPLE_NAME)
    # Rows to the back, columns to the left, slices up: as a CT is stored, centred on the world's origin.
    directions = np.diag([-_SPACING[0], -_SPACING[1], _SPACING[2], 1.0])
    directions[:3, 3] = -directions[:3, :3] @ ((np.array(array.shape[::-1]) - 1) / 2)
    volume.SetIJKToRASMatrix(to_vtk(directions))
    volume.SetAndObserveImageData(image)
    volume.CreateDefaultDisplayNodes()
    if not marked:
        return volume, None
    segmentation = new_segmentation(scene, volume, f"{SAMPLE_NAME} marks")
    changes = []
    extent = whole_extent((array.shape[2], array.shape[1], array.shape[0]))
    for value, (name, colour) in enumerate(STRUCTURES.items(), start=1):
        segment = slicer.vtkSegment()
        segment.SetName(name)
        segment.SetColor(colour)
        segmentation.GetSegmentation().AddSegment(segment, name)
        chosen = np.zeros(array.shape, np.uint8)
        chosen[list(marked)] = labels[list(marked)] == value
        changes.append(Change(name, chosen, extent))
    writer = SegmentWriter(scene, save_state=lambda: None)
    writer.apply(changes, segmentation, volume)
    writer.release()
    return volume, segmentation
