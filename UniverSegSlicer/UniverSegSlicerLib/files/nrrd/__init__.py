"""NRRD files, and Slicer's segmentations in them (``.seg.nrrd``). pynrrd reads the fields of their headers."""

from .headers import is_nrrd, is_nrrd_name
from .reading import read_nrrd, read_nrrd_layers
from .writing import is_segmentation_name, write_segmentation

__all__ = [
    "is_nrrd",
    "is_nrrd_name",
    "is_segmentation_name",
    "read_nrrd",
    "read_nrrd_layers",
    "write_segmentation",
]
