"""Volumes and label maps from files and to files: NIfTI, NRRD, MetaImage and DICOM series, through SimpleITK."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..writing import replacing
from .dicom import is_dicom, read_series
from .dicom_elements import check_elements
from .geometry import Geometry, Volume
from .headers import check_header
from .nifti import check_nifti, is_nifti
from .promises import check_promise

#: What can be written; each is one file, so that it appears whole or not at all.
WRITABLE = (".nii.gz", ".nii", ".nrrd", ".mha")

_LARGEST_LABEL = np.iinfo(np.uint16).max
_STDERR = 2
_stderr_lock = threading.Lock()


def read_volume(path: str | Path) -> Volume:
    """Read a scalar volume: a NIfTI, NRRD, MHA or MHD file, a DICOM file, or a folder with one DICOM series.

    A 2D image becomes a volume of one slice. Spacing, origin and direction are kept exactly. Single NaN and infinite
    voxels are kept, but in NIfTI, whose library reads them as 0.

    Raises:
        InputError: Missing or unreadable path, not an image, empty or truncated file, more than three dimensions,
            several components per voxel, spacing that is not positive, no finite value.

    Example:
        >>> read_volume("brain.nii.gz").array.shape  # doctest: +SKIP
        (189, 233, 197)
    """
    volume = _read(Path(path))
    if volume.array.dtype.kind == "f" and not np.isfinite(volume.array).any():
        raise InputError(f"{path} holds no finite value (nothing but NaN or infinity).")
    return volume


def read_label_map(path: str | Path) -> Volume:
    """Read a label map: like :func:`read_volume`, and its values must be whole numbers from 0 to 65535 (uint16)."""
    volume = _read(Path(path))
    try:
        return Volume(as_labels(volume.array), volume.geometry)
    except InputError as error:
        raise InputError(f"{path} is not a label map: {error}") from error


def as_labels(array: np.ndarray) -> np.ndarray:
    """Convert an array of whole numbers from 0 to 65535, of any real dtype, to uint16.

    Raises:
        InputError: A value that is not such a number.
    """
    values = np.asarray(array)
    if values.dtype.kind not in "biuf":
        raise InputError(f"it holds {values.dtype} values; labels are whole numbers from 0 to {_LARGEST_LABEL}.")
    if values.dtype in (np.bool_, np.uint8, np.uint16) or not values.size:
        return values.astype(np.uint16, copy=False)
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= _LARGEST_LABEL):  # also where one of them is NaN
        wrong = high if low >= 0 else low
        raise InputError(f"it holds the value {wrong}; labels are whole numbers from 0 to {_LARGEST_LABEL}.")
    labels = values.astype(np.uint16)
    if values.dtype.kind == "f" and not np.array_equal(labels, values):
        wrong = values[labels != values].flat[0]
        raise InputError(f"it holds the value {wrong}; labels are whole numbers from 0 to {_LARGEST_LABEL}.")
    return labels


def write_label_map(path: str | Path, array: np.ndarray, geometry: Geometry) -> None:
    """Write labels (K, J, I), compressed, with exactly this geometry; the file appears whole or not at all.

    The dtype becomes uint8 where the values fit, else uint16: the two that every program reads as labels.

    Raises:
        InputError: Values that are no labels, a shape that does not fit, or an ending other than ``WRITABLE``.
        OutputError: The file cannot be written.
    """
    labels = as_labels(array)
    small = not labels.size or labels.max() <= np.iinfo(np.uint8).max
    write_volume(path, labels.astype(np.uint8) if small else labels, geometry)


def write_volume(path: str | Path, array: np.ndarray, geometry: Geometry) -> None:
    """Write voxels (K, J, I) of any real dtype, compressed, with exactly this geometry; whole or not at all.

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
    with replacing(path, ending) as beside, _quiet_stderr():
        sitk.WriteImage(image, str(beside), useCompression=True)
        del image  # a large volume leaves no room for it beside what is read back
        # ITK does not notice a full disk in every format; what cannot be read back was not written.
        back = _read_back(beside, voxels)
        if back is None:
            raise OSError("what was written cannot be read back; the disk may be full")
        _refuse_change(path, _change(geometry, lambda: _geometry(back)))


def check_grid(path: str | Path, geometry: Geometry) -> None:
    """Refuse a file whose format would change a grid: NIfTI keeps spacing and origin as float32.

    Raises:
        InputError: It would, by more than a hundredth of a voxel.
    """
    if not is_nifti(Path(path)):
        return

    def rounded(values: tuple[float, float, float]) -> tuple[float, float, float]:
        with np.errstate(over="ignore"):
            first, second, third = (float(value) for value in np.asarray(values, np.float32))
        return first, second, third

    def kept() -> Geometry:
        return Geometry(geometry.size, rounded(geometry.spacing), rounded(geometry.origin), geometry.direction)

    _refuse_change(Path(path), _change(geometry, kept))


def to_sitk(volume: Volume) -> sitk.Image:
    """The SimpleITK image of a volume, with a copy of its voxels."""
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.geometry.spacing)
    image.SetOrigin(volume.geometry.origin)
    image.SetDirection(volume.geometry.direction)
    return image


def from_sitk(image: sitk.Image) -> Volume:
    """The volume of a SimpleITK image, with a copy of its voxels; a 2D image becomes one slice.

    Raises:
        InputError: More than three dimensions, or several components per voxel.
    """
    dimension, components = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
    if dimension == 4 and image.GetSize()[3] == 1:
        image, dimension = image[..., 0], 3
    if dimension not in (2, 3):
        raise InputError(f"it has {dimension} dimensions {image.GetSize()}; a volume has three: give one time point.")
    if components != 1 or "complex" in image.GetPixelIDTypeAsString():
        what = f"{components} components (a colour or vector image)" if components != 1 else "a complex number"
        raise InputError(f"it has {what} per voxel; a volume has one real number.")
    array = sitk.GetArrayFromImage(image)
    return Volume(array if dimension == 3 else array[None], _geometry(image))


def _geometry(image: sitk.Image) -> Geometry:
    """The grid of an image of three dimensions, or of two: one slice of 1 mm."""
    size, spacing, origin, direction = image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()
    if len(size) == 3:
        return Geometry(size, spacing, origin, direction)
    a, b, c, d = direction
    return Geometry((size[0], size[1], 1), (*spacing, 1.0), (*origin, 0.0), (a, b, 0.0, c, d, 0.0, 0.0, 0.0, 1.0))


def _read(path: Path) -> Volume:
    try:
        if not path.exists():
            raise InputError(f"{path} does not exist.")
        if path.is_dir():
            with _quiet_stderr():
                image = read_series(path)
        else:
            if path.stat().st_size == 0:
                raise InputError(f"{path} is empty.")
            if is_nifti(path):
                check_nifti(path)
            check_header(path)
            with _quiet_stderr():
                image = _load(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except RuntimeError as error:
        raise InputError(f"{path} {_in_words(error)}") from error
    except MemoryError as error:
        raise InputError(f"{path} {_TOO_LARGE}") from error
    try:
        return from_sitk(image)
    except MemoryError as error:
        raise InputError(f"{path} {_TOO_LARGE}") from error
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error


def _same_where_finite(read: np.ndarray, written: np.ndarray) -> bool:
    # Slice by slice, without a second volume of truth values.
    if read.shape != written.shape:
        return False
    if written.dtype.kind != "f":
        return all(np.array_equal(*pair) for pair in zip(read, written, strict=True))
    # NIfTI's library reads NaN and infinity as 0.
    return all(bool(np.all((r == w) | ~np.isfinite(w))) for r, w in zip(read, written, strict=True))


def _load(path: Path) -> sitk.Image:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    if is_dicom(path):
        check_elements(path)
        reader.SetImageIO("GDCMImageIO")
    reader.ReadImageInformation()
    spacing = reader.GetSpacing()
    if not all(np.isfinite(s) and s > 0 for s in spacing):
        raise InputError(f"{path} has the spacing {spacing} mm: positive numbers are needed.")
    check_promise(reader, path)
    return reader.Execute()


def _read_back(path: Path, voxels: np.ndarray) -> sitk.Image | None:
    """The image in a file, where it can be read and holds these voxels."""
    try:
        back = _load(path)
    except (RuntimeError, InputError):
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


_TOO_LARGE = "is larger than the memory of this computer, or its header is damaged."

# What ITK says, and what it means to somebody who only wanted to open a file.
_MEANINGS = {
    "Unable to determine ImageIO": "is not an image in a format that can be read (NIfTI, NRRD, MHA, DICOM).",
    "orthonormal direction": "has a sheared grid, which cannot be used; resample it to a straight one.",
    "_ReadElementsData": "is cut off or its data file is missing.",
    "File cannot be read": "is cut off or its data file is missing.",
    "_nrrdEncoding": "is cut off or its data are damaged.",
    "Failed to allocate": _TOO_LARGE,
    "bad_alloc": _TOO_LARGE,
}


def _in_words(error: Exception) -> str:
    text = str(error)
    known = next((meaning for part, meaning in _MEANINGS.items() if part in text), None)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return known or f"is not an image that can be read ({lines[-1] if lines else type(error).__name__})."


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep the C++ libraries under ITK (MetaIO, HDF5, NIfTI) from printing on stderr; their errors are raised as ours.

    They write to the file descriptor, past Python, so that is what is turned away for the moment.
    """
    with _stderr_lock:
        try:
            kept = os.dup(_STDERR)
        except OSError:  # a program without a terminal may have none
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDERR)
        os.close(nowhere)
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
