"""2D images, in and out: PNG, JPEG, TIFF and the like, and NumPy files."""

from .decoding import READABLE
from .reading import read_label_picture, read_picture, read_planes
from .writing import write_array, write_picture

__all__ = [
    "READABLE",
    "read_label_picture",
    "read_picture",
    "read_planes",
    "write_array",
    "write_picture",
]
