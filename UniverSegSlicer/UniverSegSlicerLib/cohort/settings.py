"""How a cohort is segmented, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import InputError
from ..segmentation import PropagationSettings


@dataclass(frozen=True)
class CohortSettings:
    """Settings of a cohort; a change of any of them makes every case be done again.

    Attributes:
        propagation: How each volume is segmented.
        label_values: The labels to segment; all of the support by default.
        draws: How many times a support of slices alone is drawn anew, half of it each time, to see how far the results
            agree. Every draw takes as long as the segmentation itself; 0 leaves the agreement out. Whole scans need no
            draw: each is one.
        report: Whether the report is made.

    Raises:
        InputError: ``draws`` is no whole number of at least 0.
    """

    propagation: PropagationSettings = field(default_factory=PropagationSettings)
    label_values: tuple[int, ...] | None = None
    draws: int = 1
    report: bool = True

    def __post_init__(self) -> None:
        if self.draws < 0:
            raise InputError(f"draws is {self.draws}; give 0 or more.", argument="draws")
        if self.label_values is not None:
            object.__setattr__(self, "label_values", tuple(sorted({int(v) for v in self.label_values})))

    def to_dict(self) -> dict[str, Any]:
        """All that results hang on, JSON-ready."""
        return {"propagation": asdict(self.propagation), "label_values": self.label_values, "draws": self.draws}
