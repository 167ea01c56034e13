"""What the panel, the Segment Editor effect and scripts see of the scene logic: plain values and one Protocol.

Nodes are MRML nodes and typed ``Any``: Slicer gives them no types. Every method is called on the main thread. What the
user got wrong comes as :class:`~UniverSegSlicerLib.errors.UniverSegError` from methods that are called by a button, and
as :attr:`State.error` from work that runs in the background: one sentence in both cases, and nothing is changed.
"""

from __future__ import annotations

from .clicks import ClickState
from .examples import SavedSupport, SupportRow, SupportTable
from .files import ExportOptions, ExportReport
from .logic import Logic
from .runs import Axis, Phase, Quality, Reach, RunOptions, RunReport, Selection, State, Suggestion

__all__ = [
    "Axis",
    "ClickState",
    "ExportOptions",
    "ExportReport",
    "Logic",
    "Phase",
    "Quality",
    "Reach",
    "RunOptions",
    "RunReport",
    "SavedSupport",
    "Selection",
    "State",
    "Suggestion",
    "SupportRow",
    "SupportTable",
]
