"""Volumes, slices and intensities: NumPy and SimpleITK only.

Arrays of volumes are (K, J, I); points and directions in space are LPS, lengths mm.
"""

from importlib import import_module
from typing import Any

from .boxes import Box
from .frame import OUTSIDE_LOGIT, SliceFrame
from .geometry import (
    AXES,
    Geometry,
    Volume,
    are_lengths,
    array_axis,
    slice_distance,
    slice_spacing,
    slice_stack,
    take_slice,
)
from .intensity import IntensityWindow
from .labels import as_labels
from .saving import save_label_map, save_volume
from .sitk_images import from_sitk, to_sitk

__all__ = [
    "AXES",
    "OUTSIDE_LOGIT",
    "Box",
    "Geometry",
    "IntensityWindow",
    "SliceFrame",
    "Volume",
    "are_lengths",
    "array_axis",
    "as_labels",
    "from_sitk",
    "save_label_map",
    "save_volume",
    "slice_distance",
    "slice_spacing",
    "slice_stack",
    "take_slice",
    "to_sitk",
]

# Read and written by files/ now; scripts that were written for version 0.1 find them here as well.
_IN_FILES = ("check_grid", "read_label_map", "read_volume", "write_label_map", "write_volume")


def __getattr__(name: str) -> Any:
    if name in _IN_FILES:
        return getattr(import_module("UniverSegSlicerLib.files"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
