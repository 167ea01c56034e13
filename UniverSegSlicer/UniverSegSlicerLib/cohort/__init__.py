"""One support set, many volumes: label maps, a table, a report, and which scan to mark next.

Needs the extra ``cohort``; Slicer loads nothing of it.
"""

from .adding import add_scan
from .marking import Suggestion, rank_next, suggest
from .record import CaseRecord, LabelFacts
from .segmenting import Cohort, open_cohort, segment_cohort
from .settings import CohortSettings

__all__ = [
    "CaseRecord",
    "Cohort",
    "CohortSettings",
    "LabelFacts",
    "Suggestion",
    "add_scan",
    "open_cohort",
    "rank_next",
    "segment_cohort",
    "suggest",
]
