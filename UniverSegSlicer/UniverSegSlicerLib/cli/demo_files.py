"""The demo's further files: what the commands of the README read, so that each can be pasted and run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..files import write_label_map, write_volume
from ..files.pictures import write_picture
from ..imaging import Volume, from_sitk, to_sitk
from .demo_data import WHITE, DemoData

#: How the next volume differs: turned and stretched about its middle, other voxels, other contrast.
_TURN_DEG = (5.0, -3.0, 6.0)
_STRETCH = (1.06, 1.04, 1.10)
_VOXEL = 1.25
_GAMMA = 0.8
#: Axial slices as pictures: these shares of the way from the lowest to the highest one with white matter.
_EXAMPLES = np.linspace(0.2, 0.8, 9)
_NEW = (0.35, 0.5, 0.65)


def write_inputs(folder: Path, data: DemoData, marks: np.ndarray) -> None:
    """Fill ``folder`` with brain.nii.gz, marks.nii.gz, next.nii.gz and the folders pictures and new.

    Args:
        folder: An empty folder.
        data: The demo's volume and label map.
        marks: (K, J, I) label map of the marked slices.
    """
    geometry = data.volume.geometry
    write_volume(folder / "brain.nii.gz", data.volume.array, geometry)
    write_label_map(folder / "marks.nii.gz", marks, geometry)
    following = next_volume(data.volume)
    write_volume(folder / "next.nii.gz", following.array, following.geometry)
    for name in ("pictures/images", "pictures/labels", "new"):
        (folder / name).mkdir(parents=True)
    white = data.truth == WHITE
    for number, k in enumerate(_along(white, _EXAMPLES), start=1):
        write_picture(folder / "pictures" / "images" / f"{number}.png", data.volume.array[k])
        write_picture(folder / "pictures" / "labels" / f"{number}.png", np.where(white[k], 255, 0).astype(np.uint8))
    for number, k in enumerate(_along(following.array > 0, np.array(_NEW)), start=1):
        write_picture(folder / "new" / f"{number}.png", following.array[k])


def next_volume(volume: Volume) -> Volume:
    """A stand-in for the next patient: the same brain (uint8), turned, stretched, with other voxels and contrast."""
    image = to_sitk(volume)
    centre = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    turn = sitk.Euler3DTransform(centre, *np.deg2rad(_TURN_DEG))
    stretch = sitk.ScaleTransform(3, _STRETCH)
    stretch.SetCenter(centre)
    grid = sitk.ResampleImageFilter()
    grid.SetReferenceImage(image)
    grid.SetOutputSpacing([_VOXEL * mm for mm in image.GetSpacing()])
    grid.SetSize([max(1, round(n / _VOXEL)) for n in image.GetSize()])
    grid.SetTransform(sitk.CompositeTransform([turn, stretch]))
    moved = from_sitk(grid.Execute(image))
    bright = 255 * (moved.array / 255.0) ** _GAMMA
    return Volume(np.round(bright).astype(np.uint8), moved.geometry)


def _along(mask: np.ndarray, shares: np.ndarray) -> list[int]:
    """Indices of axial slices of a mask (K, J, I), at shares of the way from its first to its last filled one."""
    used = np.flatnonzero(mask.any(axis=(1, 2)))
    return [round(float(used[0] + share * (used[-1] - used[0]))) for share in shares]
