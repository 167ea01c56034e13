"""Arrays as Qt pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import qt


def pixmap(picture: np.ndarray) -> Any:
    """A ``QPixmap`` of an RGB picture ``(rows, columns, 3)``, uint8."""
    rows, columns, _channels = picture.shape
    # The portable pixmap format is read by every Qt and needs no buffer that outlives this call.
    data = b"P6 %d %d 255\n" % (columns, rows) + np.ascontiguousarray(picture, dtype=np.uint8).tobytes()
    made = qt.QPixmap()
    made.loadFromData(qt.QByteArray(data), "PPM")
    return made


def thumbnail(image: np.ndarray, mask: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    """A grey slice with its mask tinted: ``(rows, columns)`` floats in [0, 1] and booleans -> uint8 RGB."""
    grey = np.repeat(np.clip(image, 0.0, 1.0)[:, :, None], 3, axis=2)
    grey[mask] = 0.5 * grey[mask] + 0.5 * np.asarray(colour)
    return np.asarray(255 * grey, dtype=np.uint8)
