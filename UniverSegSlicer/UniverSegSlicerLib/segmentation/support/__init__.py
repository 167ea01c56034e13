"""Support sets: the examples, their file, the marked slices that they come from, and which of them support a slice."""

from .choice import Draw, draw_support
from .example import SupportExample
from .marks import FilledBlock, MarkedSlices, are_thin, find_marked_slices, same_grid_labels
from .scan import LabelledScan, are_complete, is_complete
from .set import SupportSet

__all__ = [
    "Draw",
    "FilledBlock",
    "LabelledScan",
    "MarkedSlices",
    "SupportExample",
    "SupportSet",
    "are_complete",
    "are_thin",
    "draw_support",
    "find_marked_slices",
    "is_complete",
    "same_grid_labels",
]
