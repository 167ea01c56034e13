"""Slicer's scene to NIfTI and back into Slicer's scene: every axis order and flip, straight and oblique."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.mrml

SHAPE = (4, 6, 9)
SPACING = (0.6, 1.1, 3.0)
#: The 48 ways to store a volume along the axes of the body: order of the axes, then their signs.
ORIENTATIONS = list(product(permutations(range(3)), product((1, -1), repeat=3)))


@pytest.fixture(scope="module")
def world() -> Iterator[Any]:
    pytest.importorskip("slicer")
    from Testing.scene.conftest import World

    made = World()
    yield made
    made.scene.Clear(1)


def matrix(order: tuple[int, ...], signs: tuple[int, ...], degrees: float) -> np.ndarray:
    """IJK to RAS (4, 4): axes in this order with these signs, all turned about an odd axis."""
    axes = np.zeros((3, 3))
    axes[list(order), range(3)] = signs
    axis = np.array([0.3, 0.5, 0.81]) / np.linalg.norm([0.3, 0.5, 0.81])
    angle = np.deg2rad(degrees)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turned = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    result = np.eye(4)
    result[:3, :3] = turned @ axes @ np.diag(SPACING)
    result[:3, 3] = (-12.5, 30.25, -7.0)
    return result


def masks() -> dict[str, np.ndarray]:
    """Two structures without any symmetry, which a swapped axis or a flip would give away."""
    labels = np.random.default_rng(5).integers(0, 3, SHAPE)
    labels[0, 0, :4], labels[-1, -1, -1] = 1, 2
    return {"Liver": (labels == 1).astype(np.uint8), "Spleen": (labels == 2).astype(np.uint8)}


def load_label_map(world: Any, path: Path) -> Any:
    """The node that Slicer's own reader makes of a file."""
    import slicer

    node = world.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    storage.SetCenterImage(False)
    assert storage.ReadData(node)
    return node


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_all_48_orientations_come_back_label_for_label(world: Any, tmp_path: Path, degrees: float) -> None:
    from UniverSegSlicerLib.files import read_label_map
    from UniverSegSlicerLib.scene.mrml.export import export_nifti
    from UniverSegSlicerLib.scene.mrml.segments import read_segment
    from UniverSegSlicerLib.scene.mrml.volumes import array_of, geometry_of, ijk_to_ras

    expected = masks()["Liver"] + 2 * masks()["Spleen"]
    assert len(set(ORIENTATIONS)) == 48
    for number, (order, signs) in enumerate(ORIENTATIONS):
        volume = world.volume(np.zeros(SHAPE, np.int16), matrix(order, signs, degrees))
        segmentation = world.segmentation(volume, masks(), f"case{number}")
        report = export_nifti(volume, segmentation, tmp_path)
        node = load_label_map(world, report.label_map)
        if np.linalg.det(ijk_to_ras(volume)[:3, :3]) > 0:
            # Slicer's reader turns the third axis round where the axes are left-handed, and keeps the voxels in place.
            np.testing.assert_array_equal(array_of(node), expected)
            np.testing.assert_allclose(ijk_to_ras(node), ijk_to_ras(volume), atol=1e-4, err_msg=f"{order}{signs}")
        file = read_label_map(report.label_map)
        np.testing.assert_array_equal(file.array, expected)
        assert geometry_of(volume).difference(file.geometry) is None
        # Back as segments of the first volume, through Slicer's own resampling of what was loaded.
        again = world.segmentation(node, {"Liver": array_of(node) == 1, "Spleen": array_of(node) == 2}, "again")
        for name, mask in masks().items():
            np.testing.assert_array_equal(read_segment(again, name, volume), mask, err_msg=f"{order}{signs} {name}")
        for made in (volume, segmentation, node, again):
            world.scene.RemoveNode(made)
