"""Values to [0, 1]: a clip that depends on the modality, then the minimum to 0 and the maximum to 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..declaration import IntensityRule


def to_unit(image: NDArray[Any], rule: IntensityRule) -> NDArray[np.float32]:
    """Scale an image (any shape; the whole volume at once) to [0, 1].

    ``ct`` clips to the window, ``mr`` to percentiles of the values above 0; NaN becomes the minimum. An image of one
    value becomes all 0. This is the rule of UniverSeg's data (arXiv 2304.06131).

    Example:
        >>> to_unit(np.array([[0, 5], [10, 10]]), IntensityRule("none")).tolist()
        [[0.0, 0.5], [1.0, 1.0]]
    """
    values = np.asarray(image, np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        low = float(values[finite].min()) if finite.any() else 0.0
        values = np.where(finite, values, np.float32(low))
    if rule.rule == "ct":
        values = np.clip(values, *rule.window)
    elif rule.rule == "mr":
        positive = values[values > 0]
        if positive.size:
            low, high = np.percentile(positive, rule.percentiles)
            values = np.clip(values, np.float32(low), np.float32(high))
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if not high > low:
        return np.zeros(values.shape, np.float32)
    return ((values - np.float32(low)) / np.float32(high - low)).astype(np.float32)
