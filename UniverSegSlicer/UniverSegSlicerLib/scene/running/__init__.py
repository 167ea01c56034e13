"""A run from Segment to Apply: :class:`.control.RunControl` starts it and takes in what came of it.

In this order: :mod:`.preparing` reads the nodes into a :class:`.plan.RunPlan` (main thread), :mod:`.computing` makes a
result of it (:mod:`.worker` thread), :mod:`.finished` says what it shows and writes (main thread again).
"""

from .control import RunControl
from .session import Session

__all__ = ["RunControl", "Session"]
