"""The demo's input: a real MR volume with maps of its tissues, which travel inside the PyPI package nilearn.

The volume is the ICBM-152 nonlinear symmetric average T1 (Fonov et al., NeuroImage 54, 2011) on a grid of 1 mm, brain
only. Nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import DependencyError
from ..files import read_volume
from ..imaging import Volume, slice_stack

NAMES = {1: "grey matter", 2: "white matter", 3: "lateral ventricles"}
GREY, WHITE, VENTRICLES = NAMES

#: A tissue fills a voxel when its map, 0 to 255, is above half.
_HALF = 127
#: No voxel of the ventricles lies closer to the surface of the brain (mm); the fluid of the sulci does.
_DEPTH_MM = 10.0


@dataclass(frozen=True)
class DemoData:
    """The volume and what is known about it.

    Attributes:
        volume: T1-weighted, uint8.
        truth: (K, J, I) uint8 label map with the values of ``NAMES``.
    """

    volume: Volume
    truth: np.ndarray


def load_demo_data() -> DemoData:
    """Read the volume and derive its label map.

    Raises:
        DependencyError: nilearn is not installed, or is a version without these files.
    """
    folder = _folder()
    t1, grey, white = (
        read_volume(folder / f"mni_icbm152_{n}_tal_nlin_sym_09a_converted.nii.gz") for n in ("t1", "gm", "wm")
    )
    truth = np.zeros(t1.array.shape, np.uint8)
    truth[grey.array > _HALF] = GREY
    truth[white.array > _HALF] = WHITE
    truth[find_ventricles(t1, grey.array, white.array)] = VENTRICLES
    return DemoData(t1, truth)


def find_ventricles(brain: Volume, grey: np.ndarray, white: np.ndarray) -> np.ndarray:
    """The lateral ventricles: the largest connected region of neither tissue that stays away from the brain's surface.

    Args:
        brain: The image, 0 outside the brain.
        grey: (K, J, I) share of grey matter, 0 to 255.
        white: The same of white matter.

    Returns:
        (K, J, I) boolean.
    """
    inside = sitk.GetImageFromArray((brain.array > 0).astype(np.uint8))
    inside.SetSpacing(brain.geometry.spacing)
    depth_mm = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(inside, insideIsPositive=True, squaredDistance=False, useImageSpacing=True)
    )
    fluid = (brain.array > 0) & (255 - grey.astype(np.int16) - white > _HALF)
    regions = sitk.RelabelComponent(sitk.ConnectedComponent(sitk.GetImageFromArray(fluid.astype(np.uint8))))
    labels = sitk.GetArrayFromImage(regions)
    shallow = set(np.unique(labels[depth_mm < _DEPTH_MM]))
    # Regions are numbered from the largest to the smallest.
    deep = next((n for n in range(1, labels.max() + 1) if n not in shallow), None)
    return np.zeros(labels.shape, bool) if deep is None else labels == deep


def spread_marks(truth: np.ndarray, axis: str, count: int) -> list[int]:
    """Indices of ``count`` slices to mark: in the middles of equal parts of the range that has labels (K, J, I)."""
    used = np.flatnonzero(slice_stack(truth, axis).any(axis=(1, 2)))
    first, length = int(used[0]), int(used[-1]) - int(used[0]) + 1
    return [first + int((number + 0.5) * length / count) for number in range(count)]


def _folder() -> Path:
    # Found without importing nilearn, which would import scikit-learn and take seconds.
    package = importlib.util.find_spec("nilearn")
    if package is None or not package.submodule_search_locations:
        raise DependencyError("The demo's volume is in the package nilearn: pip install 'universegslicer[demo]'.")
    folder = Path(package.submodule_search_locations[0]) / "datasets" / "data"
    if not (folder / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz").is_file():
        raise DependencyError(
            "This version of nilearn is without the ICBM-152 volume; version 0.11 or later is needed."
        )
    return folder
