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
    min_size: int = 32,
    min_area: float = 0.003,
) -> np.ndarray | None:
    """One super-pixel of an image as a boolean mask.

    Args:
        image: ``(rows, cols)`` float in [0, 1].
        rng: Chooses the scale and the super-pixel.
        scale: Larger values give larger super-pixels.
        sigma: Blur before the segmentation, pixels.
        min_size: Smallest component, pixels.
        min_area: Super-pixels below this share of the image are not chosen.

    Returns:
        ``(rows, cols)``, or None when the image is constant or no super-pixel but the whole image is large enough.
    """
    if float(np.ptp(image)) == 0.0:
        return None
    segments = felzenszwalb(image, scale=float(rng.uniform(*scale)), sigma=sigma, min_size=min_size)
    areas = np.bincount(segments.ravel()) / segments.size
    usable = np.flatnonzero((areas > min_area) & (areas < 0.6))
    if len(usable) == 0:
        return None
    return np.asarray(segments == rng.choice(usable))
