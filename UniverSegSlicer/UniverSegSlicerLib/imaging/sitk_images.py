"""Volumes as SimpleITK images and back, and a quiet stderr while ITK's libraries work."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import SimpleITK as sitk

from ..errors import InputError
from .geometry import Geometry, Volume

_STDERR = 2
_stderr_lock = threading.Lock()


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
    return Volume(array if dimension == 3 else array[None], image_geometry(image))


def image_geometry(image: sitk.Image) -> Geometry:
    """The grid of an image of three dimensions, or of two: one slice of 1 mm."""
    size, spacing, origin, direction = image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()
    if len(size) == 3:
        return Geometry(size, spacing, origin, direction)
    a, b, c, d = direction
    return Geometry((size[0], size[1], 1), (*spacing, 1.0), (*origin, 0.0), (a, b, 0.0, c, d, 0.0, 0.0, 0.0, 1.0))


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
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
