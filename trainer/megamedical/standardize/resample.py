"""Volumes to isotropic voxels, images by cubic B-splines and label maps by the nearest voxel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..sample import Sample

#: Spacings that differ by less than this fraction are the same.
_TOLERANCE = 1e-2


def to_isotropic(sample: Sample, spacing: float | None) -> Sample:
    """Resample a volume to cubes of ``spacing`` mm; pictures and volumes of unknown spacing come back as they are.

    The grid keeps the physical extent (voxel edges, not centres), so no voxel at the border is lost.
    """
    if spacing is None or sample.image.ndim != 3 or not np.isfinite(sample.spacing).all():
        return sample
    old = np.asarray(sample.spacing)
    if np.abs(old / spacing - 1).max() < _TOLERANCE:
        return sample
    shape = tuple(max(1, int(np.floor(n * s / spacing + 0.5))) for n, s in zip(sample.image.shape, old, strict=True))
    return replace(
        sample,
        image=_resampled(sample.image, old, spacing, shape, labels=False),
        masks=sample.masks.mapped(lambda array: _resampled(array, old, spacing, shape, labels=True)),
        spacing=(spacing,) * 3,
    )


def _resampled(
    array: NDArray[Any], old: NDArray[np.float64], spacing: float, shape: tuple[int, ...], *, labels: bool
) -> NDArray[Any]:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(array if labels else array.astype(np.float32)))
    image.SetSpacing([float(v) for v in old[::-1]])
    if not labels:
        # Averages what the coarser grid would skip; sigma is a quarter of the new voxel where voxels grow.
        variances = [float((0.25 * spacing) ** 2) if s < spacing * (1 - _TOLERANCE) else 0.0 for s in old[::-1]]
        if any(variances):
            image = sitk.DiscreteGaussian(image, variances)
    # The first old voxel starts at -old/2; the first new one has to start there as well.
    origin = [float((spacing - s) / 2) for s in old[::-1]]
    resample = sitk.ResampleImageFilter()
    resample.SetSize([int(n) for n in shape[::-1]])
    resample.SetOutputSpacing([spacing] * 3)
    resample.SetOutputOrigin(origin)
    resample.SetInterpolator(sitk.sitkNearestNeighbor if labels else sitk.sitkBSpline)
    resample.SetUseNearestNeighborExtrapolator(True)
    return np.asarray(sitk.GetArrayFromImage(resample.Execute(image)))
