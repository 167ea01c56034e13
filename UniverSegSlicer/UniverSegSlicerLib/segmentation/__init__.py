"""The domain: support sets, propagation through a volume, clicks on a slice. Pure functions on arrays.

Needs NumPy, SimpleITK and a model of ``UniverSegSlicerLib.network``; importing this package imports no torch.
"""

from .clicking import ClickResult, ClickSession, click_segment
from .correction import Correction, correct_neighbours
from .cutoff import present_cutoff
from .images import segment_images
from .propagation import (
    Outlook,
    PreparedSupport,
    Propagation,
    SliceSuggestion,
    propagate,
    rank_slices,
    resolve_strategy,
)
from .settings import CHOICES, MOST_OF_A_SCAN, STRATEGIES, PropagationSettings
from .support import (
    FilledBlock,
    LabelledScan,
    MarkedSlices,
    SupportExample,
    SupportSet,
    are_complete,
    are_thin,
    find_marked_slices,
    is_complete,
)

__all__ = [
    "CHOICES",
    "MOST_OF_A_SCAN",
    "STRATEGIES",
    "ClickResult",
    "ClickSession",
    "Correction",
    "FilledBlock",
    "LabelledScan",
    "MarkedSlices",
    "Outlook",
    "PreparedSupport",
    "Propagation",
    "PropagationSettings",
    "SliceSuggestion",
    "SupportExample",
    "SupportSet",
    "are_complete",
    "are_thin",
    "click_segment",
    "correct_neighbours",
    "find_marked_slices",
    "is_complete",
    "present_cutoff",
    "propagate",
    "rank_slices",
    "resolve_strategy",
    "segment_images",
]
