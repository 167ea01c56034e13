"""Arrays of labels: whole numbers from 0 to 65535."""

from __future__ import annotations

import numpy as np

from ..errors import InputError

_LARGEST_LABEL = np.iinfo(np.uint16).max


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
