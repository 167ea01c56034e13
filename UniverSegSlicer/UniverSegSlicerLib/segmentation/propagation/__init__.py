"""From marked slices to a segmented volume.

:func:`.volume.propagate` takes the volume, :class:`.label_run.LabelRun` one of its labels, and a strategy of
:mod:`.strategies` brings a label from slice to slice. :mod:`.compose` puts the labels together, :mod:`.ranking` says
which slice to mark next.
"""

from ..prepared import PreparedSupport
from .ranking import Outlook, SliceSuggestion, rank_slices
from .volume import Propagation, propagate, resolve_strategy

__all__ = [
    "Outlook",
    "PreparedSupport",
    "Propagation",
    "SliceSuggestion",
    "propagate",
    "rank_slices",
    "resolve_strategy",
]
