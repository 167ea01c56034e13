"""Colour to grey, and the other steps that every reader of pictures shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.errors import InputError

from .formats.arrays import in_colour

#: ITU-R 601, the luma of Pillow and OpenCV.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def to_grey(array: NDArray[Any], options: Mapping[str, Any], where: str) -> NDArray[Any]:
    """A picture as (rows, cols): luma by default, or what the option ``grey`` says.

    Raises:
        InputError: The array is neither (rows, cols) nor (rows, cols, channels), or lacks the wanted channel.
    """
    array = in_colour(array)
    if array.ndim == 2:
        return array
    if array.ndim != 3 or array.shape[-1] not in (1, 2, 3, 4):
        raise InputError(f"{where}: expected a picture of (rows, cols) or (rows, cols, channels), got {array.shape}.")
    grey = options.get("grey", "luma")
    if isinstance(grey, int):
        if grey >= array.shape[-1]:
            raise InputError(f"{where}: grey is channel {grey}, the picture has {array.shape[-1]}.")
        return array[..., grey]
    if array.shape[-1] in (1, 2):
        return array[..., 0]
    colours = array[..., :3]
    if grey != "luma":
        return colours.max(axis=-1) if grey == "max" else colours.mean(axis=-1, dtype=np.float32)
    if np.array_equal(colours[..., 0], colours[..., 1]) and np.array_equal(colours[..., 0], colours[..., 2]):
        return colours[..., 0]  # grey saved in colour comes back exactly
    return colours.astype(np.float32) @ _LUMA


def channel_names(options: Mapping[str, Any]) -> list[str] | None:
    """Names of the channels on an extra axis, or None when the picture is one channel or one colour."""
    if "channel_axis" not in options:
        return None
    return [str(name) for name in options.get("channels", [])]


def split_channels(array: NDArray[Any], options: Mapping[str, Any], where: str) -> dict[str, NDArray[Any]]:
    """An array with an extra axis of channels as one array per channel name.

    Raises:
        InputError: The number of channels is not the number of declared names.
    """
    names = channel_names(options)
    if names is None:
        return {"": array}
    axis = 0 if options["channel_axis"] == "first" else -1
    if array.shape[axis] != len(names):
        raise InputError(f"{where}: {array.shape[axis]} channels in the file, {len(names)} in the declaration.")
    return {name: np.take(array, index, axis=axis) for index, name in enumerate(names)}
