"""Deformable registration of two images that lie roughly on each other already."""

from __future__ import annotations

from collections.abc import Callable

import SimpleITK as sitk

from .sampling import blurred, even_contrast

# From coarse to fine: voxels per voxel of the finest level, and steps.
_LEVELS = ((2, 20), (1, 12))
# Gaussian in voxels that keeps the field smooth (as in a membrane).
_FIELD_SIGMA = 1.0


def deformation(fixed: sitk.Image, moving: sitk.Image, check: Callable[[], None] = lambda: None) -> sitk.Image:
    """Displacements in mm, on the grid of both: ``fixed(x)`` is like ``moving(x + field(x))``.

    Demons with symmetric forces (Vercauteren et al., NeuroImage 2009) on images of even contrast.

    Args:
        fixed: The new scan, float32, cubes as voxels.
        moving: The labelled one on the same grid.
        check: Called between the levels; it may raise to stop.
    """
    field = None
    here, there = even_contrast(fixed), even_contrast(moving)
    for factor, steps in _LEVELS:
        check()
        demons = sitk.FastSymmetricForcesDemonsRegistrationFilter()
        demons.SetNumberOfIterations(steps)
        demons.SetStandardDeviations(_FIELD_SIGMA)
        demons.SetMaximumRMSError(1e-9)  # the number of steps shall not hang on rounding
        target, source = (_reduced(image, factor) for image in (here, there))
        if field is None:
            field = demons.Execute(target, source)
        else:
            start = sitk.Resample(field, target, sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkVectorFloat64, True)
            field = demons.Execute(target, source, start)
    return sitk.Cast(field, sitk.sitkVectorFloat64)


def _reduced(image: sitk.Image, factor: int) -> sitk.Image:
    if factor == 1:
        return image
    factors = [factor if count >= 4 * factor else 1 for count in image.GetSize()]
    return sitk.Shrink(blurred(image, factor / 2 * image.GetSpacing()[0]), factors)
