"""Looking up values and slopes gives what SimpleITK's resampling gives."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from UniverSegSlicerLib.imaging import Geometry
from UniverSegSlicerLib.segmentation.atlas.lookup import Lookup
from UniverSegSlicerLib.segmentation.atlas.sampling import array_of, image_of, points_of, sampled

OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, -1.0)


@pytest.mark.parametrize("grid", [Geometry((9, 7, 5), (1.0, 1.5, 2.0), (3.0, -4.0, 5.0), OBLIQUE), Geometry((2, 2, 2))])
def test_values_and_slopes_are_those_of_resampling(grid: Geometry) -> None:
    image = image_of(np.random.default_rng(0).normal(size=grid.shape), grid)
    # Points between the voxels, on them, and around the image.
    along = Geometry((23, 19, 21), (0.5, 0.7, 0.9), tuple(np.array(grid.origin) - 2.0), grid.direction)
    found = Lookup(image, grid).at(points_of(along))
    slopes = sitk.Gradient(image, True, True)
    ones = sitk.Image(image.GetSize(), sitk.sitkFloat32) + 1
    ones.CopyInformation(image)
    channels = [image, *(sitk.VectorIndexSelectionCast(slopes, n, sitk.sitkFloat32) for n in range(3)), ones]
    assert 0 < found[:, 4].sum() < len(found)
    for channel, own in zip(channels, found.T, strict=True):
        np.testing.assert_allclose(own, array_of(sampled(channel, along)).ravel(), atol=1e-5)


def test_more_points_than_are_looked_up_together() -> None:
    grid = Geometry((6, 5, 4))
    image = image_of(np.random.default_rng(1).normal(size=grid.shape), grid)
    lookup, points = Lookup(image, grid), np.random.default_rng(2).uniform(0, 3, (10_001, 3))
    assert np.array_equal(lookup.at(points)[-7:], lookup.at(points[-7:]))
