"""What everything shares that works on one scene: made once, by the logic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..mrml.editing import SegmentWriter
from ..support.elsewhere import StoredSets
from .models import ModelCache
from .state import StateHolder
from .worker import Worker


@dataclass(frozen=True)
class Session:
    """One scene with the worker that computes for it.

    Attributes:
        scene: The MRML scene.
        models: The networks in memory.
        writer: Writes into segments.
        stored: The support sets that the scene holds.
        holder: The state that the panel shows.
        worker: The thread that computes.
    """

    scene: Any
    models: ModelCache
    writer: SegmentWriter
    stored: StoredSets = field(default_factory=StoredSets)
    holder: StateHolder = field(default_factory=StateHolder)
    worker: Worker = field(default_factory=Worker)
