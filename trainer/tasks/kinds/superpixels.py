"""Super-pixels of real images as pseudo-labels (Felzenszwalb and Huttenlocher 2004, with ScribblePrompt's ranges)."""

from __future__ import annotations

import numpy as np
from skimage.segmentation import felzenszwalb


def superpixel_mask(
    image: np.ndarray,
    rng: np.random.Generator,
    *,
    scale: tuple[float, float] = (1.0, 500.0),
    sigma: float = 0.5,
    min_size: int = 8,
    min_area: float = 0.003,
    reduction: int = 2,
) -> np.ndarray | None:
    """One super-pixel of an image as a boolean mask.

    Args:
        image: ``(rows, cols)`` float in [0, 1].
        rng: Chooses the scale and the super-pixel.
        scale: Larger values give larger super-pixels.
        sigma: Blur before the segmentation, pixels.
        min_size: Smallest component, pixels of the reduced image.
        min_area: Super-pixels below this share of the image are not chosen.
        reduction: The image is reduced by this factor first, by area averaging; at 2 it takes a quarter of the time.
            Rows and columns are multiples of it.

    Returns:
        ``(rows, cols)``, or None when the image is constant or no super-pixel but the whole image is large enough.
    """
    if float(np.ptp(image)) == 0.0:
        return None
    rows, columns = (side // reduction for side in image.shape)
    small = image.reshape(rows, reduction, columns, reduction).mean(axis=(1, 3))
    segments = felzenszwalb(small, scale=float(rng.uniform(*scale)), sigma=sigma, min_size=min_size)
    areas = np.bincount(segments.ravel()) / segments.size
    usable = np.flatnonzero((areas > min_area) & (areas < 0.6))
    if len(usable) == 0:
        return None
    return np.kron(segments == rng.choice(usable), np.ones((reduction, reduction), dtype=bool))
