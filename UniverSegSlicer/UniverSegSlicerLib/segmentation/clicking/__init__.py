"""From clicks on a slice to a mask: :class:`ClickSession` for many clicks, :func:`click_segment` for one answer."""

from .session import ClickResult, ClickSession, click_segment

__all__ = ["ClickResult", "ClickSession", "click_segment"]
