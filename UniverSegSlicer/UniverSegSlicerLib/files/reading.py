"""Volumes and label maps from files: each kind by its own reader, which is chosen by what is in the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..errors import DependencyError, InputError
from ..imaging import Geometry, Volume, as_labels
from .components import choose_component
from .dicom import is_dicom, read_dicom, read_dicom_labels
from .grids import straight_grid
from .label_maps import LabelMap, distinct_values, one_map
from .metaimage import is_meta_name, read_meta
from .nifti import is_nifti, read_nifti
from .nrrd import is_nrrd, read_nrrd, read_nrrd_layers
from .others import ENDINGS, read_apart
from .pictures import READABLE, read_planes
from .streams import is_packed

_Read = TypeVar("_Read")


def read_volume(path: str | Path, *, series: str | None = None, component: int | None = None) -> Volume:
    """Read a scalar volume: NIfTI-1 and -2, Analyze, NRRD, MetaImage, a picture, a DICOM file, or a folder of DICOM.

    A plane becomes a volume of one slice. Spacing, origin and direction are kept, and so is what the file says of them
    besides, for the files that are written on the same grid. NaN and infinite voxels are kept.

    Args:
        path: The file or folder.
        series: UID, number or description of the DICOM series to read, where a folder holds several.
        component: Time point or component to read, counted from 0, where the file holds several.

    Raises:
        InputError: Missing or unreadable path, not an image, empty or truncated file, several volumes and none chosen,
            spacing that is not positive, a sheared grid, no finite value.

    Example:
        >>> read_volume("brain.nii.gz").array.shape  # doctest: +SKIP
        (189, 233, 197)
    """
    volume = _sentence(Path(path), lambda file: _read(file, series, component))
    if volume.array.dtype.kind == "f" and not any(np.isfinite(plane).any() for plane in volume.array):
        raise InputError(f"{path} holds no finite value (nothing but NaN or infinity).")
    return volume


def read_label_map(
    path: str | Path, *, series: str | None = None, component: int | None = None, onto: Geometry | None = None
) -> LabelMap:
    """Read a label map: like :func:`read_volume`, and its values must be whole numbers from 0 to 65535 (uint16).

    Args:
        path, series, component: As there; of a folder with a DICOM SEG and images, the SEG is read.
        onto: The grid of the volume that it belongs to: a DICOM SEG whose frames lie on slices of it is given on it.

    Raises:
        InputError: As for a volume; other values; segments that overlap, which :func:`read_layers` reads.
    """
    layers = read_layers(path, series=series, component=component, onto=onto)
    whole = one_map(layers)
    if whole is None:
        names = ", ".join(segment.name for layer in layers for segment in layer.segments)
        raise InputError(
            f"{path} has segments that overlap, in {len(layers)} layers ({names}), and a label map has one label per "
            "voxel: export the segments as a label map, or save those that overlap apart."
        )
    return whole


def read_layers(
    path: str | Path, *, series: str | None = None, component: int | None = None, onto: Geometry | None = None
) -> list[LabelMap]:
    """Read label maps that may overlap: the layers of a ``.seg.nrrd`` or DICOM SEG, each with values of its own.

    Any other label map is one layer.

    Args:
        path, series, component, onto: As for :func:`read_label_map`.

    Raises:
        InputError: As :func:`read_label_map`.
    """

    def read(file: Path) -> list[LabelMap]:
        if component is None and file.is_file() and is_nrrd(file):
            layers = read_nrrd_layers(file)
            if layers is not None:
                return distinct_values(layers)
        if file.is_dir() or is_dicom(file):
            return read_dicom_labels(file, series=series, component=component, onto=onto)
        volume = _read(file, series, component)
        if isinstance(volume, LabelMap):
            return [volume]
        try:
            return [LabelMap(as_labels(volume.array), volume.geometry)]
        except InputError as error:
            raise InputError(f"{path} is not a label map: {error}") from error

    return _sentence(Path(path), read)


def _sentence(path: Path, read: Callable[[Path], _Read]) -> _Read:
    """What a reader gives; whatever goes wrong in it is one sentence that names the file."""
    try:
        if not path.exists():
            raise InputError(f"{path} does not exist.")
        if path.is_file() and path.stat().st_size == 0:
            raise InputError(f"{path} is empty.")
        return read(path)
    except InputError as error:
        if str(path) in str(error) or path.stem in str(error):
            raise
        raise type(error)(f"{path} cannot be used: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or 'it is damaged'}.") from error
    except ImportError as error:
        raise DependencyError(
            f"{path} needs the package {error.name} to be read: pip install 'universegslicer[cli]'."
        ) from error
    except MemoryError as error:
        raise InputError(f"{path} is larger than the memory of this computer, or its header is damaged.") from error


def _read(path: Path, series: str | None, component: int | None) -> Volume:
    if path.is_dir() or is_dicom(path):
        return read_dicom(path, series=series, component=component)
    if series is not None:
        raise InputError(f"--series {series}: {path} is not DICOM, and has no series.")
    if is_nrrd(path):
        return read_nrrd(path, component)
    if is_meta_name(path):
        return read_meta(path, component)
    if path.name.lower().endswith(ENDINGS):
        return read_apart(path, component)
    if path.suffix.lower() in READABLE and path.suffix.lower() != ".npy":
        return _picture(path, component)
    if is_nifti(path):
        return read_nifti(path, component)
    if path.name.lower().endswith((".mgz", ".mgh", ".mgh.gz")):
        raise InputError(f"{path} is a volume of FreeSurfer, which is not read: convert it by mri_convert to NIfTI.")
    if is_packed(path):
        raise InputError(f"{path} is compressed, and not a NIfTI file; unpack it first.")
    raise InputError(
        f"{path} is not an image in a format that can be read (NIfTI, Analyze, NRRD, MetaImage, DICOM, PNG, TIFF)."
    )


def _picture(path: Path, component: int | None) -> Volume:
    """A picture, or a TIFF of several planes, as a volume of 1 mm voxels."""
    planes = read_planes(path)
    channels = planes.shape[-1]
    number = choose_component(path, [(channels, "components (a colour)")], component)
    array = np.ascontiguousarray(planes[..., number])
    size = array.shape[::-1] if len(array) > 1 else array.shape[:0:-1]
    return Volume(array, straight_grid(size, np.eye(4)))
