"""Volumes and label maps to files through SimpleITK: NIfTI, NRRD and MetaImage, each file whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..writing import replacing
from .geometry import Geometry, Volume
from .labels import as_labels
from .sitk_images import image_geometry, quiet_stderr, to_sitk

#: What can be written; each is one file, so that it appears whole or not at all.
WRITABLE = (".nii.gz", ".nii", ".nrrd", ".mha")

_NIFTI = (".nii", ".nii.gz")


def save_label_map(path: str | Path, array: np.ndarray, geometry: Geometry) -> None:
    """Write labels (K, J, I), compressed, with exactly this geometry; the file appears whole or not at all.

    The dtype becomes uint8 where the values fit, else uint16: the two that every program reads as labels.

    Raises:
        InputError: Values that are no labels, a shape that does not fit, or an ending other than ``WRITABLE``.
        OutputError: The file cannot be written.
    """
    labels = as_labels(array)
    small = not labels.size or labels.max() <= np.iinfo(np.uint8).max
    save_volume(path, labels.astype(np.uint8) if small else labels, geometry)


def save_volume(
    path: str | Path,
    array: np.ndarray,
    geometry: Geometry,
    *,
    direction: Sequence[float] | None = None,
    plane: bool = False,
) -> None:
    """Write voxels (K, J, I) of any real dtype, compressed, with exactly this geometry; whole or not at all.

    Args:
        path: Ends with one of ``WRITABLE``.
        array: The voxels.
        geometry: The grid.
        direction: Nine numbers to write instead of the grid's, from which somebody's rounding sets them apart.
        plane: Write the only slice as a 2D image.

    Raises:
        InputError: A shape that does not fit, an ending other than ``WRITABLE``, or a grid that the format would change
            (NIfTI keeps spacing and origin as float32).
        OutputError: The file cannot be written.
    """
    path = Path(path)
    ending = next((e for e in WRITABLE if path.name.lower().endswith(e)), None)
    if ending is None:
        raise InputError(f"{path}: the ending must be one of {', '.join(WRITABLE)}.")
    check_grid(path, geometry)
    voxels = np.asarray(array)
    voxels = voxels.astype(np.uint8) if voxels.dtype == bool else voxels
    voxels = voxels.astype(np.float32) if voxels.dtype == np.float16 else voxels
    image = to_sitk(Volume(voxels, geometry))
    if direction is not None:
        image.SetDirection([float(number) for number in direction])
    if plane:
        image, voxels = image[:, :, 0], voxels[0]
    with replacing(path, ending) as beside, quiet_stderr():
        sitk.WriteImage(image, str(beside), useCompression=True)
        del image  # a large volume leaves no room for it beside what is read back
        # ITK does not notice a full disk in every format; what cannot be read back was not written.
        back = _read_back(beside, voxels)
        if back is None:
            raise OSError("what was written cannot be read back; the disk may be full")
        if direction is None and not plane:
            _refuse_change(path, _change(geometry, lambda: image_geometry(back)))


def check_grid(path: str | Path, geometry: Geometry) -> None:
    """Refuse a file whose format would change a grid: NIfTI keeps spacing and origin as float32.

    Raises:
        InputError: It would, by more than a hundredth of a voxel.
    """
    if not Path(path).name.lower().endswith(_NIFTI):
        return

    def rounded(values: tuple[float, float, float]) -> tuple[float, float, float]:
        with np.errstate(over="ignore"):
            first, second, third = (float(value) for value in np.asarray(values, np.float32))
        return first, second, third

    def kept() -> Geometry:
        return Geometry(geometry.size, rounded(geometry.spacing), rounded(geometry.origin), geometry.direction)

    _refuse_change(Path(path), _change(geometry, kept))


def _same_where_finite(read: np.ndarray, written: np.ndarray) -> bool:
    # Slice by slice, without a second volume of truth values.
    if read.shape != written.shape:
        return False
    if written.dtype.kind != "f":
        return all(np.array_equal(*pair) for pair in zip(read, written, strict=True))
    # NIfTI's library reads NaN and infinity as 0.
    return all(bool(np.all((r == w) | ~np.isfinite(w))) for r, w in zip(read, written, strict=True))


def _read_back(path: Path, voxels: np.ndarray) -> sitk.Image | None:
    """The image in a file, where it can be read and holds these voxels."""
    try:
        back = sitk.ReadImage(str(path))
    except RuntimeError:
        return None
    return back if _same_where_finite(sitk.GetArrayViewFromImage(back), voxels) else None


def _change(geometry: Geometry, kept: Callable[[], Geometry]) -> str | None:
    """What is lost of a grid when only ``kept`` stays of it; None where it is the same."""
    try:
        return geometry.difference(kept())
    except InputError as error:
        return str(error).rstrip(".")


def _refuse_change(path: Path, change: str | None) -> None:
    if change:
        raise InputError(f"{path}: this format cannot hold the grid of the volume: {change}; write .nrrd or .mha.")
