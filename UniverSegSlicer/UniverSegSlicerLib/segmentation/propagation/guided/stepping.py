"""On the way outwards from a single mark, what was found leads on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ...shapes import signed_distance
from .ending import Ending
from .evidence import Mark
from .fields import Span

# A shape that was found counts for so much of a mark that is as near.
_SAY = 0.3


@dataclass
class SteppingStone:
    """The slice that was looked at last on the way from a single mark: a source beside it, where something was found.

    Attributes:
        start: The mark.
        expected: What the mark alone says of the structure's end.
        step: Distance between neighbouring slices, in pixels.
        mark: What was found on the slice, with the mark's brightness; None before the first step and where there was
            nothing.
    """

    start: Mark
    expected: Ending
    step: float
    mark: Mark | None = None
    _areas: dict[int, float] = field(default_factory=dict)

    @classmethod
    def at(cls, span: Span, step: float) -> SteppingStone:
        """At the mark of a span with one mark."""
        assert span.ending is not None
        ((_, start),) = span.marks
        return cls(start, span.ending, step, None, {start.index: start.area})

    @property
    def ending(self) -> Ending:
        """What mark and findings say of the structure's end."""
        if not self.expected.guessed or len(self._areas) == 1:
            return self.expected
        return self.expected.as_found(self._areas, self.start.index, self.step)

    def step_on(self, images: np.ndarray, logits: np.ndarray, rows: np.ndarray) -> None:
        """Go to the farthest of the next slices.

        Args:
            images: (n, S, S) in [0, 1].
            logits: (n, S, S) the answers.
            rows: Rising numbers of the slices, (n,).
        """
        found = logits > 0
        self._areas |= {int(row): float(mask.sum()) for row, mask in zip(rows, found, strict=True) if mask.any()}
        last = int(np.abs(rows - self.start.index).argmax())
        self.mark = None
        if found[last].any():
            # What was found may be wrong; the mark's brightness is not.
            shape = signed_distance(found[last])
            self.mark = replace(self.start, index=int(rows[last]), image=images[last], distance=shape, weight=_SAY)
