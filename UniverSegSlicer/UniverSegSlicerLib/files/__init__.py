"""Files on disk, in and out: NIfTI, NRRD, MetaImage, DICOM, and pictures. Slicer loads nothing of this room.

Arrays of volumes are (K, J, I); points and directions in space are LPS, lengths mm.
"""

from .reading import read_label_map, read_volume
from .writing import WRITABLE, check_grid, write_label_map, write_volume

__all__ = ["WRITABLE", "check_grid", "read_label_map", "read_volume", "write_label_map", "write_volume"]
