"""Files on disk, in and out: NIfTI, NRRD, MetaImage, DICOM, and pictures. Slicer loads nothing of this room.

Arrays of volumes are (K, J, I); points and directions in space are LPS, lengths mm. Well-kept libraries read; what is
in here chooses, checks, and says in one sentence what cannot be used and what to do.
"""

from .alignment import onto_grid
from .label_maps import LabelMap, Segment
from .reading import read_label_map, read_layers, read_volume
from .writing import WRITABLE, WRITABLE_LABELS, check_grid, write_label_map, write_layers, write_volume

__all__ = [
    "WRITABLE",
    "WRITABLE_LABELS",
    "LabelMap",
    "Segment",
    "check_grid",
    "onto_grid",
    "read_label_map",
    "read_layers",
    "read_volume",
    "write_label_map",
    "write_layers",
    "write_volume",
]
