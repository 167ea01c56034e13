"""The state that the panel shows, and its one owner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..interface import State


class StateHolder:
    """Holds the state; every real change gets a new revision."""

    def __init__(self) -> None:
        self.state = State()

    def set(self, **changes: Any) -> None:
        """Change some fields."""
        changed = replace(self.state, **changes)
        if changed != self.state:
            self.state = replace(changed, revision=self.state.revision + 1)
