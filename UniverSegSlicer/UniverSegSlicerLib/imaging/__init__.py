"""Volumes, slices and intensities: NumPy and SimpleITK only.

Arrays of volumes are (K, J, I); points and directions in space are LPS, lengths mm.
"""

from .boxes import Box
from .files import as_labels, check_grid, from_sitk, read_label_map, read_volume, to_sitk, write_label_map, write_volume
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
    "check_grid",
    "from_sitk",
    "read_label_map",
    "read_volume",
    "slice_distance",
    "slice_spacing",
    "slice_stack",
    "take_slice",
    "to_sitk",
    "write_label_map",
    "write_volume",
]
