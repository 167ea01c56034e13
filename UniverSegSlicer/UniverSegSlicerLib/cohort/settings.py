"""How a cohort is segmented, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import InputError
from ..segmentation import PropagationSettings


@dataclass(frozen=True)
class CohortSettings:
    """Settings of a cohort; where a change of them may change a case, it is done again.

    Attributes:
        propagation: How each volume is segmented.
        label_values: The labels to segment; all of the support by default.
        draws: How many times a support of slices alone is drawn anew, half of it each time, to see how far the results
            agree. Every draw takes as long as the segmentation itself; 0 leaves the agreement out. Whole scans need no
            draw: each is one.
        nearest: Each case is segmented with so many of the support's labelled scans of each label, those that look most
            like it to the network, so that a scan which is added changes few cases; 0 takes all.
        report: Whether the report is made.

    Raises:
        InputError: ``draws`` or ``nearest`` is below 0.
    """

    propagation: PropagationSettings = field(default_factory=PropagationSettings)
    label_values: tuple[int, ...] | None = None
    draws: int = 1
    nearest: int = 4
    report: bool = True

    def __post_init__(self) -> None:
        for name in ("draws", "nearest"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}; give 0 or more.", argument=name)
        if self.label_values is not None:
            object.__setattr__(self, "label_values", tuple(sorted({int(v) for v in self.label_values})))

    def to_dict(self) -> dict[str, Any]:
        """All that results hang on, JSON-ready; but ``nearest``, whose choice counts and not the number."""
        return {"propagation": asdict(self.propagation), "label_values": self.label_values, "draws": self.draws}
