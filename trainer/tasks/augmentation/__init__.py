"""Augmentation, batched on the device: the settings (:mod:`.table`), where pixels come from (:mod:`.geometry`), grey
values and labels (:mod:`.intensity`).
"""

from .geometry import sampling_grid, warp
from .intensity import augment_intensity, augment_labels
from .table import AugmentationTable, Operations

__all__ = [
    "AugmentationTable",
    "Operations",
    "augment_intensity",
    "augment_labels",
    "sampling_grid",
    "warp",
]
