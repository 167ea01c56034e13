"""A click to its mask: :class:`.control.ClickControl` keeps the :mod:`.mode`, whose :mod:`.engine` asks the network."""

from .control import ClickControl

__all__ = ["ClickControl"]
