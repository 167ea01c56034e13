"""Progress and cancellation of long work, without a user interface."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .errors import Cancelled

#: Called as ``report(fraction, message)`` with ``fraction`` in [0, 1], from the thread that does the work.
ProgressCallback = Callable[[float, str], None]


class CancelToken:
    """A flag that one thread raises and another looks at between two chunks of work.

    Example:
        >>> token = CancelToken()
        >>> token.cancel()
        >>> token.cancelled
        True
    """

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at the next chunk."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise :class:`~UniverSegSlicerLib.errors.Cancelled` when :meth:`cancel` was called."""
        if self.cancelled:
            raise Cancelled()


def sub_progress(report: ProgressCallback | None, start: float, stop: float) -> ProgressCallback | None:
    """A callback that maps [0, 1] to [start, stop] of ``report``, for one stage of several (None stays None)."""
    if report is None:
        return None

    def scaled(fraction: float, message: str) -> None:
        report(start + (stop - start) * fraction, message)

    return scaled
